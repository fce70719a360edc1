//! The access path of a plan: which extents of its files have to be read.
//!
//! Zones of an index fall out where WHERE is true for none of their records, or where OFFSET passes
//! over all of them and computing them could not have failed. Of a view with a row filter all is
//! read: neither a count nor the time of an answer may tell of records that are not to be seen.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use crate::columnar::parquet;
use crate::data_file::Layout;
use crate::eval;
use crate::extent::Extent;
use crate::index::Index;
use crate::plan::Bound;
use crate::prune::{self, ColumnStatistics, Statistics};
use crate::source::Part;

/// What is read of the files of a plan, and what is not.
#[derive(Debug)]
pub(crate) struct AccessPath {
    /// In order, each with the index of its file.
    pub(crate) extents: Vec<(usize, Extent)>,
    /// Records that are not read since a conjunct is true for none of them, by conjunct.
    pub(crate) pruned_by: Vec<u64>,
    /// Records that are not read since OFFSET passes over them.
    pub(crate) skipped: u64,
    /// Zones of the files that have an index, and those of them that are read.
    pub(crate) zones: usize,
    pub(crate) zones_read: usize,
}

impl AccessPath {
    /// All that there is.
    pub(crate) fn all(plan: &Bound) -> Self {
        let parts = plan.source().parts.iter().enumerate();
        Self {
            extents: parts.map(|(index, part)| (index, part.file.all())).collect(),
            pruned_by: vec![0; plan.conjuncts.len()],
            skipped: 0,
            zones: 0,
            zones_read: 0,
        }
    }

    /// What statistics leave. Where records have no fixed length, extents are of `morsel_bytes` at
    /// most if zones are: threads take them without waiting for one another.
    pub(crate) fn pruned(plan: &Bound, morsel_bytes: usize) -> Self {
        let all = Self::all(plan);
        let parts = &plan.source().parts;
        if !plan.view.has_all_records() || parts.iter().all(|part| !is_known(part)) {
            return all;
        }
        let mut path = Self { extents: Vec::with_capacity(all.extents.len()), ..all };
        let mut offset = Offset::of(plan);
        for ((part, file), all) in parts.iter().enumerate().zip(all.extents) {
            match &file.index {
                Some(index) => path.add_zones(plan, part, file, index, &mut offset, morsel_bytes),
                None if let Layout::Parquet(layout) = &file.file.layout => {
                    offset.end();
                    path.add_claimed(plan, part, file, layout);
                }
                None => {
                    offset.end();
                    path.extents.push(all);
                }
            }
        }
        path
    }

    /// Records that are not read.
    pub(crate) fn records_pruned(&self) -> u64 {
        self.pruned_by.iter().sum::<u64>() + self.skipped
    }

    /// What is left by what the file claims of its parts.
    fn add_claimed(&mut self, plan: &Bound, part: usize, file: &Part, layout: &parquet::Layout) {
        let of_file = file.file.schema.fields().len();
        let constant = |column: usize, records: &[u64]| {
            constant(file.constants.get(column.checked_sub(of_file)?)?, records)
        };
        let kept = layout.kept(&plan.conjuncts, file.file.identity.bytes, &constant);
        for (all, pruned) in self.pruned_by.iter_mut().zip(kept.pruned_by) {
            *all += pruned;
        }
        self.zones += kept.zones;
        self.zones_read += kept.zones_read;
        let extents = kept.records.into_iter();
        let extents = extents.map(|bytes| Extent { first_record: bytes.start, bytes });
        self.extents.extend(extents.map(|extent| (part, extent)));
    }

    fn add_zones(
        &mut self,
        plan: &Bound,
        part: usize,
        file: &Part,
        index: &Index,
        offset: &mut Offset,
        morsel_bytes: usize,
    ) {
        let known = KnownPart { index, part: file };
        let rulings = prune::rulings(&plan.conjuncts, &known);
        let computes = known.decodes(&plan.rows.columns);
        let bytes_max = match file.file.record_bytes() {
            Some(_) => u64::MAX,
            None => morsel_bytes as u64,
        };
        self.zones += rulings.len();
        let mut joined: Option<Extent> = None;
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
            match &mut joined {
                Some(last)
                    if last.bytes.end == extent.bytes.start
                        && last.len() + extent.len() <= bytes_max =>
                {
                    last.bytes.end = extent.bytes.end;
                }
                _ => self.extents.extend(joined.replace(extent).map(|done| (part, done))),
            }
        }
        self.extents.extend(joined.map(|done| (part, done)));
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
        let fails = plan.rows.items.iter().any(|item| item.expr.is_fallible());
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
struct KnownPart<'a> {
    index: &'a Index,
    part: &'a Part,
}

impl KnownPart<'_> {
    /// Of each zone whether all these columns decode.
    fn decodes(&self, columns: &[usize]) -> BooleanBuffer {
        let zones = self.index.records().len();
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

impl Statistics for KnownPart<'_> {
    fn records(&self) -> &[u64] {
        self.index.records()
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let of_file = self.part.file.schema.fields().len();
        match column.checked_sub(of_file) {
            None => self.index.column(column),
            Some(index) => constant(self.part.constants.get(index)?, self.index.records()),
        }
    }
}
