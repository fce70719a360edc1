//! The use of a key of an index, if that is the cheaper way to the records that a Select wants.
//!
//! WHERE leaves ranges of a key, and only the records in them are read. If ORDER BY asks for the
//! first few rows in the order of a key, and WHERE says nothing beyond a range of it, these rows
//! are at one end of the range: only they are read, with all rows that equal the last of them, and
//! sorted as usual. If WHERE says more, a walk along the key finds them. Records are read in the
//! order of the file, neighbouring ones together.

use super::search::Search;
use crate::expr::{ExprKind, Item};
use crate::gather::sort_order::{SortKey, SortOrder};
use crate::index::{AT_ONCE_MAX, End, Entries, Entry, Index, Key, KeyRange, LookupError};
use crate::plan::{BoundPlan, Conjunct};
use sift_files::io::extent::Extent;
use sift_files::io::waiting::WouldBlock;
use sift_files::statistics::PruningStatistics;

/// Most records that are looked up at a time: 10 MB of positions.
pub(super) const LOOKUPS_MAX: usize = 256 << 10;

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
        let order = Order::of(plan, statistics);
        let (mut best, mut bytes_max) = (None, bytes_max);
        for key in index.keys() {
            let order = order.as_ref();
            let request = Request { plan, key, infallible, order, bytes_max, apart_bytes };
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
    let is_infallible = |conjunct: &&Conjunct| {
        !conjunct.expr.is_fallible() && decode(&conjunct.columns, statistics)
    };
    plan.conjuncts.iter().take_while(is_infallible).count()
}

/// Returns whether all these columns are known to decode in every record.
fn decode(columns: &[usize], statistics: &dyn PruningStatistics) -> bool {
    columns.iter().all(|column| {
        let known = statistics.column(*column);
        known.is_some_and(|known| known.decodes.count_set_bits() == known.decodes.len())
    })
}

/// The first rows of an order, which cannot fail for a record of the index.
struct Order<'a> {
    keys: &'a [SortKey],
    items: &'a [Item],
    rows_max: u64,
}

/// The part of a key that begins with the first rows of an order.
#[derive(Debug)]
pub(super) struct OrderedRange {
    pub(super) range: KeyRange,
    /// The end of the range at which they are.
    pub(super) end: End,
    /// The number of the key's columns that the order agrees with. If it has more sort keys, these
    /// decide between records that are equal in these columns.
    pub(super) columns: usize,
    pub(super) rows_max: u64,
}

impl<'a> Order<'a> {
    /// Returns the order if only its first rows are wanted, and these are single records.
    fn of(plan: &'a BoundPlan, statistics: &dyn PruningStatistics) -> Option<Self> {
        let order = plan.rows.order.as_ref().filter(|order| order.is_late())?;
        let SortOrder { keys, distinct, rows_max, columns, .. } = &**order;
        let items = &plan.rows.items;
        let fails = |key: &SortKey| items.get(key.item).is_none_or(|item| item.expr.is_fallible());
        if plan.rows.grouping.is_some()
            || *distinct > 0
            || keys.iter().any(fails)
            || !decode(columns, statistics)
        {
            return None;
        }
        Some(Self { keys, items, rows_max: (*rows_max)? })
    }

    /// Returns the part of a key that begins with these rows, if what WHERE says of the key is one
    /// range.
    fn in_key(&self, key: &Key, search: &Search) -> Option<OrderedRange> {
        let [range] = search.ranges.as_slice() else { return None };
        let mut end = None;
        let mut columns = search.pinned;
        // the pinned columns have one value each
        for (sort_key, column) in self.keys.iter().zip(key.spec.columns.get(columns..)?) {
            let item = self.items.get(sort_key.item)?;
            if item.expr.kind != ExprKind::Column(column.column) {
                break;
            }
            let options = column.options();
            let this = match (sort_key.options.descending, sort_key.options.nulls_first) {
                way if way == (options.descending, options.nulls_first) => End::Head,
                way if way == (!options.descending, !options.nulls_first) => End::Tail,
                _ => break,
            };
            if *end.get_or_insert(this) != this {
                break;
            }
            columns += 1;
        }
        Some(OrderedRange { range: range.clone(), end: end?, columns, rows_max: self.rows_max })
    }
}

/// One key, and the cost that it has to beat.
struct Request<'a> {
    plan: &'a BoundPlan,
    key: &'a Key,
    /// The number of leading conjuncts that cannot fail.
    infallible: usize,
    order: Option<&'a Order<'a>>,
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
        let extents = joined(extents, GAP_BYTES_MAX);
        let cost = cost(&extents, self.apart_bytes);
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
    /// are wanted that begins as the key does, and WHERE says nothing more.
    fn top(&self, search: &Search) -> Result<Option<Vec<Extent>>, WouldBlock> {
        let ordered = self.order.and_then(|order| order.in_key(self.key, search));
        let says_all = search.implied.len() == self.plan.conjuncts.len();
        let Some(OrderedRange { range, end, columns, rows_max }) = ordered.filter(|_| says_all)
        else {
            return Ok(None);
        };
        let waiting = self.plan.source().waiting();
        let top = self.key.top(&range, end, rows_max, columns, self.lookups_max(), waiting);
        let top = usable(top)?.flatten();
        Ok(top.map(|entries| entries.iter().map(Entry::extent).collect()))
    }
}

/// Returns the key whose order the first rows are wanted in, by its place in the index, and the
/// part of it that has them, if WHERE cannot fail and says more than a range of the key.
pub(super) fn walkable(
    plan: &BoundPlan,
    index: &Index,
    statistics: &dyn PruningStatistics,
) -> Option<(usize, OrderedRange)> {
    let order = Order::of(plan, statistics)?;
    if infallible_conjuncts(plan, statistics) < plan.conjuncts.len() {
        return None;
    }
    let walkable = index.keys().iter().enumerate().filter_map(|(place, key)| {
        let search = Search::of(&plan.conjuncts, key);
        let ordered = order.in_key(key, &search)?;
        let implied = search.implied.len();
        (implied < plan.conjuncts.len()).then_some((implied, place, ordered))
    });
    // the first of those that leave least to be evaluated
    let best = walkable.rev().max_by_key(|(implied, ..)| *implied)?;
    Some((best.1, best.2))
}

/// Returns `None` for a damaged key: then the zone map is used.
pub(super) fn usable<T>(looked_up: Result<T, LookupError>) -> Result<Option<T>, WouldBlock> {
    match looked_up {
        Ok(found) => Ok(Some(found)),
        Err(LookupError::Unusable) => Ok(None),
        Err(LookupError::WouldBlock) => Err(WouldBlock),
    }
}

/// Returns the cost of reading extents one by one, in bytes of sequential reading.
pub(super) fn cost(extents: &[Extent], apart_bytes: u64) -> u64 {
    let cost = |extent: &Extent| extent.byte_len().saturating_add(apart_bytes);
    extents.iter().map(cost).fold(0, u64::saturating_add)
}

/// Sorts records into the order of the file, and joins those with at most `gap_bytes_max` between
/// them into one extent.
pub(super) fn joined(mut extents: Vec<Extent>, gap_bytes_max: u64) -> Vec<Extent> {
    extents.sort_unstable_by_key(|extent| extent.first_record);
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            Some(last) if extent.bytes.start.saturating_sub(last.bytes.end) <= gap_bytes_max => {
                last.extend_to(&extent);
            }
            _ => joined.push(extent),
        }
    }
    joined
}
