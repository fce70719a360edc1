//! The access path of a plan: which extents of its files have to be read.
//!
//! Zones of an index fall out where WHERE is true for none of their records, or where OFFSET passes
//! over all of them and computing them could not have failed. Of a view with a row filter all is
//! read: neither a count nor the time of an answer may tell of records that are not to be seen.
//! If a key of the index finds the wanted records, and reading them one by one costs less than the
//! remaining zones, only these records are read. Records after those of the index are always read.

mod keyed;
mod search;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use super::{ScanOptions, prune};
use crate::expr::eval;
use crate::index::Index;
use crate::plan::Bound;
use crate::source::Part;
pub(crate) use keyed::Keyed;
use sift_files::data_file::Layout;
use sift_files::io::extent::Extent;
use sift_files::io::waiting::WouldBlock;
use sift_files::parquet;
use sift_files::statistics::{ColumnStatistics, PruningStatistics};

/// Half of what zones are by default.
const LITTLE_BYTES: u64 = 512 << 10;

/// More zones are looked through only by work that may wait.
const ZONES_AT_ONCE_MAX: usize = 16 << 10;

/// What is read of the files of a plan, and what is not.
#[derive(Debug)]
pub(crate) struct AccessPath {
    /// Of each file, in order.
    pub(crate) extents: Vec<Vec<Extent>>,
    /// Records that are not read since a conjunct is true for none of them, by conjunct.
    pub(crate) pruned_by: Vec<u64>,
    /// Records that are not read since OFFSET passes over them.
    pub(crate) skipped: u64,
    /// Zones of the files that have an index, and those of them that are read.
    pub(crate) zones: usize,
    pub(crate) zones_read: usize,
    /// The keys that are used instead of zones.
    pub(crate) keyed: Vec<Keyed>,
}

impl AccessPath {
    /// What a scan with these options reads.
    ///
    /// # Errors
    /// `WouldBlock` if the plan may not wait for statistics or keys.
    pub(crate) fn new(plan: &Bound, options: &ScanOptions) -> Result<Self, WouldBlock> {
        let morsel_bytes = plan.morsel_bytes(options.morsel_bytes);
        match options.pruning {
            true => Self::pruned(plan, morsel_bytes, options.apart_bytes),
            false => Ok(Self::all(plan)),
        }
    }

    /// All that there is.
    pub(crate) fn all(plan: &Bound) -> Self {
        let parts = plan.source().parts.iter();
        Self {
            extents: parts.map(|part| vec![part.file.all()]).collect(),
            pruned_by: vec![0; plan.conjuncts.len()],
            skipped: 0,
            zones: 0,
            zones_read: 0,
            keyed: Vec::new(),
        }
    }

    /// What statistics leave. Where records have no fixed length, extents are of `morsel_bytes` at
    /// most if zones are: threads take them without waiting for one another. A run of records that
    /// is read apart costs as much as `apart_bytes` more of one that is not.
    fn pruned(plan: &Bound, morsel_bytes: usize, apart_bytes: u64) -> Result<Self, WouldBlock> {
        let all = Self::all(plan);
        let parts = &plan.source().parts;
        if !plan.view.has_all_records() || parts.iter().all(|part| !is_known(part)) {
            return Ok(all);
        }
        let mut path = Self { extents: Vec::with_capacity(all.extents.len()), ..all };
        let mut offset = Offset::of(plan);
        for (part, all) in parts.iter().zip(all.extents) {
            let extents = match &part.index {
                Some(index) => {
                    let known = KnownPart { statistics: &**index, part };
                    let mut extents =
                        path.indexed(plan, &known, &mut offset, morsel_bytes, apart_bytes)?;
                    if let Some(tail) = index.tail(&part.file) {
                        // its records come before those of the next file
                        offset.end();
                        extents.push(tail);
                    }
                    extents
                }
                // filters and page indexes take their time
                None if let Layout::Parquet(layout) = &part.file.layout => {
                    plan.source().waiting().check()?;
                    offset.end();
                    path.claimed(plan, part, layout)
                }
                None => {
                    offset.end();
                    all
                }
            };
            path.extents.push(extents);
        }
        Ok(path)
    }

    /// Records that are not read.
    pub(crate) fn records_pruned(&self) -> u64 {
        let by_keys = self.keyed.iter().map(|keyed| keyed.pruned);
        self.pruned_by.iter().copied().chain(by_keys).sum::<u64>() + self.skipped
    }

    /// What is left by the statistics of a Parquet file: of its row groups, then by their Bloom
    /// filters, then by the pages of those that are left.
    fn claimed(&mut self, plan: &Bound, part: &Part, layout: &parquet::Layout) -> Vec<Extent> {
        let groups = layout.row_groups(part.file.raw());
        let groups_count = groups.records().len();
        let groups = self.retained(plan, part, groups);
        // filters are read for those only that are left
        let groups = self.retained(plan, part, groups.with_bloom_filters());
        let groups_pruned = groups_count - groups.records().len();
        let zones = groups.divided(&plan.filter_columns().collect::<Vec<_>>());
        self.zones += groups_pruned + zones.records().len();
        let zones = self.retained(plan, part, zones);
        self.zones_read += zones.records().len();
        let extents = zones.ranges().into_iter();
        let extents = extents.map(|bytes| Extent {
            first_record: bytes.start,
            records: Some(bytes.end - bytes.start),
            bytes,
        });
        extents.collect()
    }

    /// The zones that no conjunct rules out; counts the records of the others.
    fn retained<'a>(
        &mut self,
        plan: &Bound,
        part: &Part,
        zones: parquet::Zones<'a>,
    ) -> parquet::Zones<'a> {
        let known = KnownPart { statistics: &zones, part };
        let rulings = prune::rulings(&plan.conjuncts, &known);
        for (records, ruling) in zones.records().iter().zip(&rulings) {
            if let Some(pruned_by) = ruling.and_then(|by| self.pruned_by.get_mut(by)) {
                *pruned_by += records;
            }
        }
        zones.retained(|zone| rulings.get(zone).is_some_and(Option::is_none))
    }

    /// What is left by a key where one tells more than zones do, and by the zones otherwise.
    fn indexed(
        &mut self,
        plan: &Bound,
        known: &KnownPart<'_, Index>,
        offset: &mut Offset,
        morsel_bytes: usize,
        apart_bytes: u64,
    ) -> Result<Vec<Extent>, WouldBlock> {
        let little = LITTLE_BYTES.min(known.statistics.zone_bytes());
        // what the zones tell is not worth finding out where a key leaves less than one of them
        let by_key = self.keyed(plan, known, little, apart_bytes)?;
        if let Some(extents) = by_key {
            offset.end();
            return Ok(extents);
        }
        if known.statistics.zone_count() > ZONES_AT_ONCE_MAX {
            plan.source().waiting().check()?;
        }
        let rulings = prune::rulings(&plan.conjuncts, known);
        let zones = known.statistics.zones().zip(&rulings).filter(|(_, ruling)| ruling.is_none());
        let bytes = zones.map(|((_, extent), _)| extent.byte_len()).sum();
        let by_key = match bytes > little {
            true => self.keyed(plan, known, bytes, apart_bytes)?,
            false => None,
        };
        Ok(match by_key {
            Some(extents) => {
                offset.end();
                extents
            }
            None => self.zoned(plan, known, &rulings, offset, morsel_bytes),
        })
    }

    /// What is left by a key, if that costs less than reading `bytes_max`.
    fn keyed(
        &mut self,
        plan: &Bound,
        known: &KnownPart<'_, Index>,
        bytes_max: u64,
        apart_bytes: u64,
    ) -> Result<Option<Vec<Extent>>, WouldBlock> {
        let found = Keyed::of(plan, known.statistics, known, bytes_max, apart_bytes)?;
        Ok(found.map(|(keyed, extents)| {
            self.keyed.push(keyed);
            extents
        }))
    }

    /// What is left by the zones of an index.
    fn zoned(
        &mut self,
        plan: &Bound,
        known: &KnownPart<'_, Index>,
        rulings: &[Option<usize>],
        offset: &mut Offset,
        morsel_bytes: usize,
    ) -> Vec<Extent> {
        let KnownPart { statistics: index, part } = known;
        let computes = known.decodes(&plan.rows.columns);
        let bytes_max = match part.file.record_bytes() {
            Some(_) => u64::MAX,
            None => morsel_bytes as u64,
        };
        self.zones += rulings.len();
        let mut extents: Vec<Extent> = Vec::new();
        for (zone, (records, extent)) in index.zones().enumerate() {
            if let Some(pruned_by) = rulings[zone].and_then(|by| self.pruned_by.get_mut(by)) {
                *pruned_by += records;
                continue;
            }
            if offset.passes(records, computes.value(zone)) {
                self.skipped += records;
                continue;
            }
            self.zones_read += 1;
            match extents.last_mut() {
                Some(last)
                    if last.bytes.end == extent.bytes.start
                        && last.byte_len() + extent.byte_len() <= bytes_max =>
                {
                    last.extend_to(&extent);
                }
                _ => extents.push(extent),
            }
        }
        extents
    }
}

/// Whether there are statistics of a file.
fn is_known(part: &Part) -> bool {
    part.index.is_some() || matches!(part.file.layout, Layout::Parquet(_))
}

/// What OFFSET has still to pass over from the start of the files.
struct Offset {
    records: u64,
}

impl Offset {
    /// None where records are not counted as they come, or computing one could fail.
    fn of(plan: &Bound) -> Self {
        let counts_all = plan.conjuncts.is_empty() && plan.is_streamed();
        let fails = plan.rows.items.iter().any(|item| item.expr.is_fallible())
            || plan.rows.has_all && plan.source().infers_columns();
        Self { records: if counts_all && !fails { plan.offset } else { 0 } }
    }

    /// Whether it passes over the next `records`, as far as what is computed of them is sound.
    fn passes(&mut self, records: u64, is_sound: bool) -> bool {
        let passes = is_sound && records <= self.records;
        self.records = if passes { self.records - records } else { 0 };
        passes
    }

    fn end(&mut self) {
        self.records = 0;
    }
}

/// What is known of a file and of its name.
struct KnownPart<'a, S> {
    statistics: &'a S,
    part: &'a Part,
}

impl<S: PruningStatistics> KnownPart<'_, S> {
    /// Of each zone whether all these columns decode.
    fn decodes(&self, columns: &[usize]) -> BooleanBuffer {
        let zones = self.statistics.records().len();
        columns.iter().fold(BooleanBuffer::new_set(zones), |all, column| {
            match self.column(*column) {
                Some(known) => &all & &known.decodes,
                None => BooleanBuffer::new_unset(zones),
            }
        })
    }
}

/// Of a column that has one value for all records of the file.
fn constant(value: &ArrayRef, records: &[u64]) -> Option<ColumnStatistics> {
    let values = eval::repeated(value, records.len()).ok()?;
    let is_null = value.is_null(0);
    Some(ColumnStatistics {
        min: ArrayRef::clone(&values),
        max: values,
        null_counts: records
            .iter()
            .map(|all| Some(if is_null { *all } else { 0 }))
            .collect::<UInt64Array>(),
        decodes: BooleanBuffer::new_set(records.len()),
    })
}

impl<S: PruningStatistics> PruningStatistics for KnownPart<'_, S> {
    fn records(&self) -> &[u64] {
        self.statistics.records()
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let of_file = self.part.file.schema.fields().len();
        match column.checked_sub(of_file) {
            None => self.statistics.column(column),
            Some(index) => constant(self.part.constants.get(index)?, self.records()),
        }
    }

    fn lacks(&self, column: usize, value: &ArrayRef) -> Option<BooleanBuffer> {
        self.statistics.lacks(column, value)
    }
}
