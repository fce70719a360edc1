//! The walk along a key: reads records in the order that is wanted, until enough of them pass
//! WHERE.
//!
//! It finds the first rows of an order that begins as a key does, if WHERE says more than a range
//! of the key. The records are read in steps. Each step ends with all records that equal its last
//! one in the columns of the order, so the records of later steps come later in the answer. Before
//! each step, the share of the records that have passed so far tells how many more have to be read.
//! If this costs more than the scan without the walk, that scan is begun instead.
//!
//! WHERE and the sort keys cannot fail for any record of the index; otherwise there is no walk. So
//! reading the other records could not have failed.

use super::AccessPath;
use super::key_access::{LOOKUPS_MAX, OrderedRange, cost, joined, usable, walkable};
use crate::index::{Entry, Key, LookupError};
use crate::plan::BoundPlan;
use crate::source::Part;
use sift_files::io::extent::Extent;
use sift_files::io::waiting::{Waiting, WouldBlock};
use sift_files::statistics::PruningStatistics;

/// Fewest records of the first step, which are decoded together.
const FIRST_RECORDS_MIN: u64 = 64;

/// Records of the first step for each row that is wanted.
const FIRST_RECORDS_PER_ROW: u64 = 4;

/// The records of a step are at most this many times those of all steps before it, because the
/// share of the first records may mislead.
const GROWTH_MAX: u64 = 8;

/// Most records of a step, without those that equal the last one.
const STEP_RECORDS_MAX: u64 = LOOKUPS_MAX as u64 / 4;

/// A walk along a key.
#[derive(Debug)]
pub(crate) struct KeyWalk {
    /// The place of the key in the index of the only file.
    key: usize,
    /// The part of the key that was not looked up yet; `None` if nothing is left.
    rest: Option<OrderedRange>,
    apart_bytes: u64,
    /// The cost of the scan without the walk, in bytes of sequential reading.
    bytes_max: u64,
    /// The cost of all steps so far, and their records.
    bytes: u64,
    records: u64,
}

/// The next part of a scan that walks a key.
#[derive(Debug)]
pub(crate) enum WalkStep {
    /// Reads these records of the index.
    Read(Vec<Extent>),
    /// Reads these records, which are not in the index, and is complete then.
    Complete(Vec<Extent>),
    /// Begins the scan without the walk.
    Scan,
}

impl KeyWalk {
    /// Returns the walk and its first records, if that may cost less than `path`.
    pub(super) fn of(
        plan: &BoundPlan,
        statistics: &dyn PruningStatistics,
        path: &AccessPath,
        apart_bytes: u64,
    ) -> Result<Option<(Self, Vec<Extent>)>, WouldBlock> {
        let ([Part { index: Some(index), .. }], [extents]) =
            (plan.source().parts.as_slice(), path.extents.as_slice())
        else {
            return Ok(None);
        };
        if path.key_accesses.iter().any(|key| key.ordered) {
            return Ok(None);
        }
        let Some((key, ordered)) = walkable(plan, index, statistics) else { return Ok(None) };
        // appended records are read in any case
        let indexed = extents.partition_point(|all| all.first_record < index.record_count());
        let bytes_max = match path.copies.first() {
            Some(Some(copies)) => copies.cost,
            _ => cost(extents.get(..indexed).unwrap_or_default(), apart_bytes),
        };
        let rest = Some(ordered);
        let mut walk = Self { key, rest, apart_bytes, bytes_max, bytes: 0, records: 0 };
        Ok(match walk.next(plan, 0, plan.source().waiting())? {
            WalkStep::Read(first) => Some((walk, first)),
            WalkStep::Complete(_) | WalkStep::Scan => None,
        })
    }

    /// Returns the name of its key.
    pub(crate) fn name<'p>(&self, plan: &'p BoundPlan) -> Option<&'p str> {
        Some(&self.key(plan)?.spec.name)
    }

    /// Returns the number of records of all steps so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Returns the next part of the scan, after `passed` records of all steps so far have passed
    /// WHERE.
    pub(crate) fn next(
        &mut self,
        plan: &BoundPlan,
        passed: u64,
        waiting: Waiting,
    ) -> Result<WalkStep, WouldBlock> {
        match self.rest.take() {
            Some(rest) if passed < rest.rows_max => {
                let step = self.step(plan, rest, passed, waiting);
                Ok(usable(step)?.flatten().map_or(WalkStep::Scan, WalkStep::Read))
            }
            _ => {
                let appended =
                    plan.source().parts.iter().filter_map(|Part { index, file, .. }| {
                        index.as_ref().and_then(|index| index.appended(file))
                    });
                Ok(WalkStep::Complete(appended.collect()))
            }
        }
    }

    /// Returns the records of the next step; `None` if they are not worth reading.
    fn step(
        &mut self,
        plan: &BoundPlan,
        rest: OrderedRange,
        passed: u64,
        waiting: Waiting,
    ) -> Result<Option<Vec<Extent>>, LookupError> {
        let OrderedRange { range, end, columns, rows_max } = rest;
        let Some((key, wanted)) = self.key(plan).zip(self.step_records(passed, rows_max)) else {
            return Ok(None);
        };
        let left = self.bytes_max.saturating_sub(self.bytes) / self.apart_bytes.max(1);
        let entries_max = left.min(LOOKUPS_MAX as u64);
        let found = key.top(&range, end, wanted, columns, entries_max, waiting)?;
        let Some(entries) = found else { return Ok(None) };
        if let Some(last) = entries.last().filter(|_| entries.len() as u64 >= wanted) {
            let range = key.rest(range, end, last, columns)?;
            self.rest = Some(OrderedRange { range, end, columns, rows_max });
        }
        // only these, because another step may read what is between them
        let extents = joined(entries.iter().map(Entry::extent).collect(), 0);
        self.records += entries.len() as u64;
        self.bytes = self.bytes.saturating_add(cost(&extents, self.apart_bytes));
        // little is known until a record has passed
        let bytes_max = if passed == 0 { self.bytes_max / 2 } else { self.bytes_max };
        Ok((self.bytes < bytes_max).then_some(extents))
    }

    /// Returns the number of records of the next step; `None` if the records that are expected to
    /// be read, until enough have passed, cost too much.
    fn step_records(&self, passed: u64, rows_max: u64) -> Option<u64> {
        if self.records == 0 {
            let first = rows_max.saturating_mul(FIRST_RECORDS_PER_ROW);
            return Some(first.clamp(FIRST_RECORDS_MIN, STEP_RECORDS_MAX));
        }
        let by_share =
            |of: u64, rows: u64| u128::from(of) * u128::from(rows) / u128::from(passed.max(1));
        let rows = rows_max.saturating_sub(passed);
        let is_worth = by_share(self.bytes, rows)
            < u128::from(self.bytes_max - self.bytes.min(self.bytes_max));
        // a little more, so that a step of few records seldom follows
        let records = by_share(self.records, rows) * 5 / 4 + u128::from(FIRST_RECORDS_MIN);
        let records_max = self.records.saturating_mul(GROWTH_MAX).min(STEP_RECORDS_MAX);
        is_worth
            .then(|| u64::try_from(records).map_or(records_max, |records| records.min(records_max)))
    }

    fn key<'p>(&self, plan: &'p BoundPlan) -> Option<&'p Key> {
        plan.source().parts.first()?.index.as_ref()?.keys().get(self.key)
    }
}
