//! The use of a key of an index, if that is the cheaper way to the records that a Select wants.
//!
//! WHERE leaves ranges of a key, and only the records in them are read. If ORDER BY asks for the
//! first few rows in the order of a key, and WHERE says nothing beyond a range of it, these rows
//! are at one end of the range: only they are read, with all rows that equal the last of them, and
//! sorted as usual. Records are read in the order of the file, neighbouring ones together.

use super::search::Search;
use crate::expr::ExprKind;
use crate::gather::sort_order::SortOrder;
use crate::index::{AT_ONCE_MAX, End, Entries, Entry, Index, Key, KeyRange, LookupError};
use crate::plan::{BoundPlan, Conjunct};
use sift_files::io::extent::Extent;
use sift_files::io::waiting::WouldBlock;
use sift_files::statistics::PruningStatistics;

/// Most records that are looked up: 10 MB of positions.
const LOOKUPS_MAX: usize = 256 << 10;

/// Largest gap between two records that is read instead of skipped.
const GAP_BYTES_MAX: u64 = 4 << 10;

/// The use of a key.
#[derive(Debug)]
pub(crate) struct KeyAccess {
    pub(crate) name: String,
    /// Records that are not read because of the key.
    pub(crate) pruned: u64,
    /// True if entries are excluded at the head of the key; likewise `tail`.
    pub(crate) head: bool,
    pub(crate) tail: bool,
    /// True if the key also gives the order of the rows.
    pub(crate) ordered: bool,
}

impl KeyAccess {
    /// Chooses the key of the index with the least cost, if that is less than reading `bytes_max`
    /// sequentially; `apart_bytes` is the cost of a seek. Returns the extents to read, too, in the
    /// order of the file. A damaged key is not used.
    pub(super) fn of(
        plan: &BoundPlan,
        index: &Index,
        statistics: &dyn PruningStatistics,
        bytes_max: u64,
        apart_bytes: u64,
    ) -> Result<Option<(Self, Vec<Extent>)>, WouldBlock> {
        let infallible = infallible_conjuncts(plan, statistics);
        let (mut best, mut bytes_max) = (None, bytes_max);
        for key in index.keys() {
            let request = Request { plan, key, infallible, bytes_max, apart_bytes };
            if let Some((key_access, extents, bytes)) = request.evaluate(index.record_count())? {
                best = Some((key_access, extents));
                bytes_max = bytes;
            }
        }
        Ok(best)
    }
}

/// Returns how many of the first conjuncts cannot fail for a record of the index.
fn infallible_conjuncts(plan: &BoundPlan, statistics: &dyn PruningStatistics) -> usize {
    let decodes = |column: &usize| {
        let known = statistics.column(*column);
        known.is_some_and(|known| known.decodes.count_set_bits() == known.decodes.len())
    };
    let is_infallible =
        |conjunct: &&Conjunct| !conjunct.expr.is_fallible() && conjunct.columns.iter().all(decodes);
    plan.conjuncts.iter().take_while(is_infallible).count()
}

/// One key, and the cost that it has to beat.
struct Request<'a> {
    plan: &'a BoundPlan,
    key: &'a Key,
    /// The number of leading conjuncts that cannot fail.
    infallible: usize,
    bytes_max: u64,
    apart_bytes: u64,
}

impl Request<'_> {
    /// Returns the use of the key, the extents of the `records` that it leaves, and their cost in
    /// bytes.
    fn evaluate(&self, records: u64) -> Result<Option<(KeyAccess, Vec<Extent>, u64)>, WouldBlock> {
        let search = Search::of(&self.plan.conjuncts[..self.infallible], self.key);
        let top = self.top(&search)?;
        let ordered = top.is_some();
        let extents = match top {
            Some(extents) => Some(extents),
            None if search.head || search.tail => self.extents(&search.ranges)?,
            None => None,
        };
        let Some(extents) = extents else { return Ok(None) };
        let extents = joined(extents);
        let cost = |extent: &Extent| extent.byte_len().saturating_add(self.apart_bytes);
        let cost = extents.iter().map(cost).fold(0, u64::saturating_add);
        let read: u64 = extents.iter().filter_map(|extent| extent.records).sum();
        let key_access = KeyAccess {
            name: self.key.spec.name.clone(),
            pruned: records.saturating_sub(read),
            head: search.head,
            tail: search.tail,
            ordered,
        };
        Ok((cost < self.bytes_max).then_some((key_access, extents, cost)))
    }

    /// Returns the most records that may be worth reading if each of them costs a seek.
    fn lookups_max(&self) -> u64 {
        (self.bytes_max / self.apart_bytes.max(1)).min(LOOKUPS_MAX as u64)
    }

    /// Returns the extents of the records in some ranges.
    fn extents(&self, ranges: &[KeyRange]) -> Result<Option<Vec<Extent>>, WouldBlock> {
        // one more page at each end, most of whose entries may not be wanted
        let slack = 1024 * ranges.len() as u64;
        let entries: Vec<_> = ranges.iter().map(|range| self.key.entries(range)).collect();
        let most: u64 = entries.iter().map(Entries::count_max).sum();
        if most > self.lookups_max().saturating_add(slack) {
            return Ok(None);
        }
        let waiting = self.plan.source().waiting();
        if most > AT_ONCE_MAX {
            waiting.check()?;
        }
        let mut extents = Vec::new();
        for entries in entries {
            if usable(entries.read(LOOKUPS_MAX, waiting, &mut extents))?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(extents))
    }

    /// Returns the extents of the records that may be in the answer, if the first rows of an order
    /// are wanted and it is that of the key.
    fn top(&self, search: &Search) -> Result<Option<Vec<Extent>>, WouldBlock> {
        let Some((range, end, columns, wanted)) = self.top_request(search) else {
            return Ok(None);
        };
        let waiting = self.plan.source().waiting();
        let top = self.key.top(range, end, wanted, columns, self.lookups_max(), waiting);
        let top = usable(top)?.flatten();
        Ok(top.map(|entries| entries.iter().map(Entry::extent).collect()))
    }

    /// Returns the range of the key, its end, the number of its columns, and the number of records,
    /// if the first rows of an order are wanted and it is that of the key.
    fn top_request<'s>(&self, search: &'s Search) -> Option<(&'s KeyRange, End, usize, u64)> {
        let order = self.plan.rows.order.as_ref().filter(|order| order.is_late())?;
        let [range] = search.ranges.as_slice() else { return None };
        if self.plan.rows.grouping.is_some()
            || order.distinct > 0
            || search.implied.len() < self.plan.conjuncts.len()
        {
            return None;
        }
        let (end, columns) = self.end(order, search.pinned)?;
        Some((range, end, columns, order.rows_max?))
    }

    /// Returns the end of the key at which the order begins, and the number of the key's columns
    /// that it uses; the first `pinned` columns have one value each.
    fn end(&self, order: &SortOrder, pinned: usize) -> Option<(End, usize)> {
        let columns = self.key.spec.columns.get(pinned..)?;
        let mut end = None;
        for (index, key) in order.keys.iter().enumerate() {
            let column = columns.get(index)?;
            let item = self.plan.rows.items.get(key.item)?;
            if item.expr.kind != ExprKind::Column(column.column) {
                return None;
            }
            let options = column.options();
            let this = match (key.options.descending, key.options.nulls_first) {
                way if way == (options.descending, options.nulls_first) => End::Head,
                way if way == (!options.descending, !options.nulls_first) => End::Tail,
                _ => return None,
            };
            if *end.get_or_insert(this) != this {
                return None;
            }
        }
        Some((end?, pinned + order.keys.len()))
    }
}

/// Returns `None` for a damaged key: then the zone map is used.
fn usable<T>(looked_up: Result<T, LookupError>) -> Result<Option<T>, WouldBlock> {
    match looked_up {
        Ok(found) => Ok(Some(found)),
        Err(LookupError::Unusable) => Ok(None),
        Err(LookupError::WouldBlock) => Err(WouldBlock),
    }
}

/// Sorts records into the order of the file, and joins neighbouring ones into one extent.
fn joined(mut extents: Vec<Extent>) -> Vec<Extent> {
    extents.sort_unstable_by_key(|extent| extent.first_record);
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            Some(last) if extent.bytes.start.saturating_sub(last.bytes.end) <= GAP_BYTES_MAX => {
                last.extend_to(&extent);
            }
            _ => joined.push(extent),
        }
    }
    joined
}
