//! The access path of a plan: the extents of its files that have to be read.
//!
//! A zone of an index is pruned if WHERE is true for none of its records, or if OFFSET skips all of
//! them and computing them could not have failed. In a view with a row filter, everything is read:
//! neither a count nor the time of an answer may reveal anything about hidden records. If a key of
//! the index finds the wanted records, and reading them one by one costs less than the remaining
//! zones, only these records are read. If WHERE decides which of its records are wanted, the path
//! begins with a walk along the key. If zones are left, copies of the columns may be read
//! instead of their bytes. Records after those of the index are always read.

mod copy_choice;
mod key_access;
mod key_walk;
mod search;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use super::{ScanOptions, prune};
use crate::expr::eval;
use crate::index::Index;
use crate::plan::BoundPlan;
use crate::source::Part;
use copy_choice::CopyChoice;
pub(crate) use key_access::KeyAccess;
pub(crate) use key_walk::{KeyWalk, WalkStep};
use sift_files::copies::ColumnCopies;
use sift_files::io::extent::Extent;
use sift_files::io::waiting::WouldBlock;
use sift_files::statistics::{ColumnStatistics, Containers, FileStatistics, PruningStatistics};

/// Half of the default size of a zone.
const LITTLE_BYTES: u64 = 512 << 10;

/// Most zones that a thread that may not wait looks through.
const ZONES_AT_ONCE_MAX: usize = 16 << 10;

/// The extents of the files that a plan reads, and the records that it does not read.
#[derive(Debug)]
pub(crate) struct AccessPath {
    /// The extents of each file, in order.
    pub(crate) extents: Vec<Vec<Extent>>,
    /// By conjunct, the records that are not read because the conjunct is true for none of them.
    pub(crate) pruned_by: Vec<u64>,
    /// Records that are not read because OFFSET skips them.
    pub(crate) skipped: u64,
    /// The number of zones of the files that have statistics, and how many of them are read.
    pub(crate) zones: usize,
    pub(crate) zones_read: usize,
    /// The keys that are used instead of zones.
    pub(crate) key_accesses: Vec<KeyAccess>,
    /// By file, the copies that are read instead of zones.
    pub(crate) copies: Vec<Option<CopyChoice>>,
    /// The walk along a key that is begun first, and its first records.
    pub(crate) walk: Option<(KeyWalk, Vec<Extent>)>,
}

impl AccessPath {
    /// Returns the access path of a scan with these options.
    ///
    /// # Errors
    /// `WouldBlock` if the plan may not wait for statistics or keys.
    pub(crate) fn new(plan: &BoundPlan, options: &ScanOptions) -> Result<Self, WouldBlock> {
        let morsel_bytes = plan.morsel_bytes(options.morsel_bytes);
        match options.pruning {
            true => Self::pruned(plan, morsel_bytes, options.apart_bytes),
            false => Ok(Self::all(plan)),
        }
    }

    /// Returns the path that reads everything.
    pub(crate) fn all(plan: &BoundPlan) -> Self {
        let parts = plan.source().parts.iter();
        Self {
            extents: parts.map(|part| vec![part.file.all()]).collect(),
            pruned_by: vec![0; plan.conjuncts.len()],
            skipped: 0,
            zones: 0,
            zones_read: 0,
            key_accesses: Vec::new(),
            copies: Vec::new(),
            walk: None,
        }
    }

    /// Returns the path after pruning. If records have no fixed length, neighbouring zones are
    /// joined only up to `morsel_bytes`, because threads take such extents without waiting for each
    /// other. `apart_bytes` is the cost of a seek, in bytes of sequential reading.
    fn pruned(plan: &BoundPlan, morsel_bytes: usize, apart_bytes: u64) -> Result<Self, WouldBlock> {
        let all = Self::all(plan);
        let parts = &plan.source().parts;
        if !plan.view.has_all_records() || parts.iter().all(|part| !has_statistics(part)) {
            return Ok(all);
        }
        let mut path = Self { extents: Vec::with_capacity(all.extents.len()), ..all };
        let mut offset = Offset::of(plan);
        for (part, all) in parts.iter().zip(all.extents) {
            let mut copies = None;
            let extents = match &part.index {
                Some(index) => {
                    let statistics = PartStatistics { of_file: &**index, part };
                    let request =
                        Request { plan, statistics: &statistics, morsel_bytes, apart_bytes };
                    let mut extents;
                    (extents, copies) = path.prune_by_index(&request, &mut offset)?;
                    if let Some(appended) = index.appended(&part.file) {
                        // its records come before those of the next file
                        offset.end();
                        extents.push(appended);
                    }
                    extents
                }
                // reading Bloom filters and page indexes takes time
                None if let Some(statistics) = part.file.statistics() => {
                    plan.source().waiting().check()?;
                    offset.end();
                    path.prune_by_file_statistics(plan, part, statistics)
                }
                None => {
                    offset.end();
                    all
                }
            };
            path.extents.push(extents);
            path.copies.push(copies);
        }
        if let [part] = parts.as_slice()
            && let Some(index) = &part.index
        {
            let statistics = PartStatistics { of_file: &**index, part };
            path.walk = KeyWalk::of(plan, &statistics, &path, apart_bytes)?;
        }
        Ok(path)
    }

    /// Returns the copies that a feed reads, by file.
    pub(crate) fn feed_copies(&self) -> Vec<Option<Arc<dyn ColumnCopies>>> {
        let copies = self.copies.iter().map(Option::as_ref);
        copies.map(|choice| choice.map(|choice| Arc::clone(&choice.copies))).collect()
    }

    /// Returns the number of records that are not read.
    pub(crate) fn records_pruned(&self) -> u64 {
        let by_keys = self.key_accesses.iter().map(|key| key.pruned);
        self.pruned_by.iter().copied().chain(by_keys).sum::<u64>() + self.skipped
    }

    /// Returns the extents that the statistics of a file itself leave, level after level: each
    /// level reads statistics only of the containers that the level before has left.
    fn prune_by_file_statistics(
        &mut self,
        plan: &BoundPlan,
        part: &Part,
        statistics: &dyn FileStatistics,
    ) -> Vec<Extent> {
        let columns: Vec<usize> = plan.filter_columns().collect();
        let mut containers = statistics.containers(part.file.raw());
        loop {
            let count = containers.records().len();
            containers = self.remaining(plan, part, &*containers);
            self.zones += count - containers.records().len();
            match containers.refined(&columns) {
                Some(finer) => containers = finer,
                None => break,
            }
        }
        self.zones += containers.records().len();
        self.zones_read += containers.records().len();
        containers.extents()
    }

    /// Returns the containers that no conjunct excludes, and counts the records of the others.
    fn remaining<'a>(
        &mut self,
        plan: &BoundPlan,
        part: &Part,
        containers: &dyn Containers<'a>,
    ) -> Box<dyn Containers<'a> + 'a> {
        let statistics = PartStatistics { of_file: containers, part };
        let excluded_by = prune::first_excluding(&plan.conjuncts, &statistics);
        for (records, conjunct) in containers.records().iter().zip(&excluded_by) {
            if let Some(pruned_by) = conjunct.and_then(|by| self.pruned_by.get_mut(by)) {
                *pruned_by += records;
            }
        }
        containers.retained(&|container| excluded_by.get(container).is_some_and(Option::is_none))
    }

    /// Prunes by a key if it excludes more than the zone map does, otherwise by the zone map. Also
    /// returns the copies that are read instead of the zones.
    fn prune_by_index(
        &mut self,
        request: &Request<'_>,
        offset: &mut Offset,
    ) -> Result<(Vec<Extent>, Option<CopyChoice>), WouldBlock> {
        let Request { plan, statistics, morsel_bytes, apart_bytes } = *request;
        let index = statistics.of_file;
        let little = LITTLE_BYTES.min(index.zone_bytes());
        // the zone map is not evaluated if a key leaves less than one zone to be read
        let by_key = self.prune_by_key(request, little)?;
        if let Some(extents) = by_key {
            offset.end();
            return Ok((extents, None));
        }
        if index.zone_count() > ZONES_AT_ONCE_MAX {
            plan.source().waiting().check()?;
        }
        let excluded_by = prune::first_excluding(&plan.conjuncts, statistics);
        let zones: Vec<(usize, Extent)> = index
            .zones()
            .map(|(_, extent)| extent)
            .enumerate()
            .filter(|(zone, _)| excluded_by[*zone].is_none())
            .collect();
        let left = zones.iter().map(|(zone, extent)| (*zone, extent));
        let copies = CopyChoice::of(plan, statistics.part, left, morsel_bytes, apart_bytes);
        let bytes = zones.iter().map(|(_, extent)| extent.byte_len()).sum();
        let cost = copies.as_ref().map_or(bytes, |copies| copies.cost);
        let by_key = match cost > little {
            true => self.prune_by_key(request, cost)?,
            false => None,
        };
        if let Some(extents) = by_key {
            offset.end();
            return Ok((extents, None));
        }
        let bytes_max = match (&copies, statistics.part.file.record_bytes()) {
            (None, None) => morsel_bytes as u64,
            // they are divided into turns without reading them
            _ => u64::MAX,
        };
        Ok((self.extents_of_zones(plan, statistics, &excluded_by, offset, bytes_max), copies))
    }

    /// Prunes by a key, if that costs less than reading `bytes_max`.
    fn prune_by_key(
        &mut self,
        request: &Request<'_>,
        bytes_max: u64,
    ) -> Result<Option<Vec<Extent>>, WouldBlock> {
        let Request { plan, statistics, apart_bytes, .. } = *request;
        let found = KeyAccess::of(plan, statistics.of_file, statistics, bytes_max, apart_bytes)?;
        Ok(found.map(|(key_access, extents)| {
            self.key_accesses.push(key_access);
            extents
        }))
    }

    /// Returns the extents that the zone map and OFFSET leave. Neighbouring zones are joined up to
    /// `bytes_max`.
    fn extents_of_zones(
        &mut self,
        plan: &BoundPlan,
        statistics: &PartStatistics<'_, Index>,
        excluded_by: &[Option<usize>],
        offset: &mut Offset,
        bytes_max: u64,
    ) -> Vec<Extent> {
        let index = statistics.of_file;
        let computes = statistics.decodes(&plan.rows.columns);
        self.zones += excluded_by.len();
        let mut extents: Vec<Extent> = Vec::new();
        for (zone, (records, extent)) in index.zones().enumerate() {
            if let Some(pruned_by) = excluded_by[zone].and_then(|by| self.pruned_by.get_mut(by)) {
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

/// A question to an index: which records may a plan need?
struct Request<'a> {
    plan: &'a BoundPlan,
    statistics: &'a PartStatistics<'a, Index>,
    morsel_bytes: usize,
    apart_bytes: u64,
}

/// Returns whether there are statistics of a file.
fn has_statistics(part: &Part) -> bool {
    part.index.is_some() || part.file.statistics().is_some()
}

/// The number of records that OFFSET has still to skip, from the start of the files.
struct Offset {
    records: u64,
}

impl Offset {
    /// Returns 0 records if they are not counted in the order of the file, or if computing one
    /// could fail.
    fn of(plan: &BoundPlan) -> Self {
        let counts_all = plan.conjuncts.is_empty() && plan.is_streamed();
        let fails = plan.rows.items.iter().any(|item| item.expr.is_fallible())
            || plan.rows.has_all && plan.source().infers_columns();
        Self { records: if counts_all && !fails { plan.offset } else { 0 } }
    }

    /// Skips the next `records` if OFFSET covers all of them and computing them cannot fail.
    /// Returns whether they are skipped.
    fn passes(&mut self, records: u64, is_infallible: bool) -> bool {
        let passes = is_infallible && records <= self.records;
        self.records = if passes { self.records - records } else { 0 };
        passes
    }

    fn end(&mut self) {
        self.records = 0;
    }
}

/// The statistics of a file, and the columns that come from its name.
struct PartStatistics<'a, S: ?Sized> {
    of_file: &'a S,
    part: &'a Part,
}

impl<S: PruningStatistics + ?Sized> PartStatistics<'_, S> {
    /// Returns for each zone whether all these columns decode.
    fn decodes(&self, columns: &[usize]) -> BooleanBuffer {
        let zones = self.of_file.records().len();
        columns.iter().fold(BooleanBuffer::new_set(zones), |all, column| {
            match self.column(*column) {
                Some(known) => &all & &known.decodes,
                None => BooleanBuffer::new_unset(zones),
            }
        })
    }
}

/// Returns the statistics of a column that has one value for all records of the file.
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

impl<S: PruningStatistics + ?Sized> PruningStatistics for PartStatistics<'_, S> {
    fn records(&self) -> &[u64] {
        self.of_file.records()
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let of_file = self.part.file.schema.fields().len();
        match column.checked_sub(of_file) {
            None => self.of_file.column(column),
            Some(index) => constant(self.part.constants.get(index)?, self.records()),
        }
    }

    fn excludes(&self, column: usize, value: &ArrayRef) -> Option<BooleanBuffer> {
        self.of_file.excludes(column, value)
    }
}
