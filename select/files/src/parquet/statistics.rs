//! The statistics that a file stores of a column chunk or a page: bounds, in the order that WHERE
//! compares in, and the number of NULLs.
//!
//! Statistics that cannot be relied on are left out: NaN as a bound; bounds by an order that the
//! file does not name, except of numbers with a sign, which never had another; and all statistics
//! of a chunk or a page that [contradict](Context::contradicts) one another, or of a chunk and its
//! pages.

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use parquet::basic::{ColumnOrder, SortOrder};
use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::bound;
use super::bound::Bound;
use super::schema::Leaf;

/// Least and greatest value of a column in some records, and how many of them are NULL.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StoredStatistics<'a> {
    min: Option<Bound<'a>>,
    max: Option<Bound<'a>>,
    pub(super) nulls: Option<u64>,
}

/// The facts that statistics have to fit.
struct Context<'a> {
    leaf: &'a Leaf,
    records: u64,
    /// Number of different values.
    distinct: Option<u64>,
    /// True if the file says apart from their number that all values are NULL.
    is_null: bool,
    /// Values of each definition level; those of the last are not NULL.
    levels: Option<&'a [i64]>,
}

impl<'a> StoredStatistics<'a> {
    /// Reads the statistics of a column chunk that has so many records.
    pub(super) fn of_chunk(
        chunk: &'a ColumnChunkMetaData,
        records: u64,
        file: &FileMetaData,
        leaf: &Leaf,
    ) -> Self {
        let Some(statistics) = chunk.statistics() else { return Self::default() };
        if u64::try_from(chunk.num_values()) != Ok(records) {
            return Self::default();
        }
        let nulls = statistics.null_count_opt();
        macro_rules! stored {
            ($values:expr, $bound:expr) => {
                Self {
                    min: $values.min_opt().map($bound),
                    max: $values.max_opt().map($bound),
                    nulls,
                }
            };
        }
        let stored = match statistics {
            Statistics::Boolean(values) => stored!(values, |value| Bound::Truth(*value)),
            Statistics::Int32(values) => stored!(values, |value| leaf.whole(i64::from(*value))),
            Statistics::Int64(values) => stored!(values, |value| leaf.whole(*value)),
            Statistics::Float(values) => stored!(values, |value| Bound::Float(f64::from(*value))),
            Statistics::Double(values) => stored!(values, |value| Bound::Float(*value)),
            Statistics::ByteArray(values) => stored!(values, |value| Bound::Bytes(value.data())),
            Statistics::FixedLenByteArray(values) => {
                stored!(values, |value| Bound::Bytes(value.data()))
            }
            Statistics::Int96(_) => Self { nulls, ..Self::default() },
        };
        let context = Context {
            leaf,
            records,
            distinct: statistics.distinct_count_opt(),
            is_null: false,
            levels: chunk.definition_level_histogram().map(|levels| levels.values()),
        };
        stored.within(&context, is_ordered(file, leaf, statistics.is_min_max_deprecated()))
    }

    /// Reads the statistics of one page, which has so many records, from the column index.
    pub(super) fn of_page(
        index: &'a ColumnIndexMetaData,
        page: usize,
        records: u64,
        file: &FileMetaData,
        leaf: &Leaf,
    ) -> Self {
        let is_there = u64::try_from(page).is_ok_and(|page| page < pages(index));
        if !is_there {
            return Self::default();
        }
        let nulls = index.null_count(page).map(u64::try_from);
        let Ok(nulls) = nulls.transpose() else { return Self::default() };
        macro_rules! stored {
            ($values:expr, $bound:expr) => {
                Self {
                    min: $values.min_value(page).map($bound),
                    max: $values.max_value(page).map($bound),
                    nulls,
                }
            };
        }
        use ColumnIndexMetaData as Index;
        let stored = match index {
            Index::BOOLEAN(values) => stored!(values, |value| Bound::Truth(*value)),
            Index::INT32(values) => stored!(values, |value| leaf.whole(i64::from(*value))),
            Index::INT64(values) => stored!(values, |value| leaf.whole(*value)),
            Index::FLOAT(values) => stored!(values, |value| Bound::Float(f64::from(*value))),
            Index::DOUBLE(values) => stored!(values, |value| Bound::Float(*value)),
            Index::BYTE_ARRAY(values) | Index::FIXED_LEN_BYTE_ARRAY(values) => {
                stored!(values, Bound::Bytes)
            }
            Index::INT96(_) | Index::NONE => Self { nulls, ..Self::default() },
        };
        let context = Context {
            leaf,
            records,
            distinct: None,
            is_null: index.is_null_page(page),
            levels: index.definition_level_histogram(page),
        };
        stored.within(&context, is_ordered(file, leaf, false))
    }

    /// Returns the part of the statistics that can be relied on.
    fn within(self, context: &Context<'_>, is_ordered: bool) -> Self {
        let is_nan = [self.min, self.max].iter().flatten().any(Bound::is_nan);
        let bounds = if is_ordered && !is_nan { (self.min, self.max) } else { (None, None) };
        let (min, max) = bounds;
        if context.contradicts(&self, bounds) { Self::default() } else { Self { min, max, ..self } }
    }

    /// Combines the statistics of pages, each with its number of records.
    pub(super) fn of_all(pages: &[(Self, u64)], leaf: &Leaf) -> Self {
        // a page of NULL alone has no bounds, and needs none
        let with_values =
            || pages.iter().filter(|(stored, records)| stored.nulls != Some(*records));
        let extreme = |bound: fn(&Self) -> Option<Bound<'a>>, wanted: Ordering| {
            let mut bounds = with_values().map(|(stored, _)| bound(stored));
            let first = bounds.next()??;
            bounds.try_fold(first, |extreme, bound| {
                let bound = bound?;
                Some(if bound.compare(&extreme, leaf)? == wanted { bound } else { extreme })
            })
        };
        Self {
            min: extreme(|stored| stored.min, Ordering::Less),
            max: extreme(|stored| stored.max, Ordering::Greater),
            nulls: pages.iter().map(|(stored, _)| stored.nulls).sum(),
        }
    }

    /// Returns the part of statistics of `all` records that holds for `part` of them.
    pub(super) fn narrowed(self, all: u64, part: u64) -> Self {
        let nulls = self.nulls.filter(|nulls| *nulls == 0 || *nulls == all || all == part);
        Self { nulls: nulls.map(|nulls| nulls.min(part)), ..self }
    }

    /// Returns whether the statistics of a column chunk and of its pages can both be true.
    pub(super) fn agrees(&self, pages: &Self, leaf: &Leaf) -> bool {
        let is_less = |left: Option<Bound<'_>>, right: Option<Bound<'_>>| {
            left.zip(right).and_then(|(left, right)| left.compare(&right, leaf))
                == Some(Ordering::Less)
        };
        let differ = self.nulls.zip(pages.nulls).is_some_and(|(ours, theirs)| ours != theirs);
        let apart = is_less(self.max, pages.min) || is_less(pages.max, self.min);
        // either may be cut where they are bytes
        let outside =
            !leaf.has_bytes() && (is_less(pages.min, self.min) || is_less(self.max, pages.max));
        !(differ || apart || outside)
    }
}

impl Context<'_> {
    /// Returns whether statistics cannot be true; `bounds` are their bounds that have an order.
    fn contradicts(
        &self,
        stored: &StoredStatistics<'_>,
        bounds: (Option<Bound<'_>>, Option<Bound<'_>>),
    ) -> bool {
        let has_bounds = stored.min.is_some() || stored.max.is_some();
        let values = self.records.checked_sub(stored.nulls.unwrap_or(0));
        let (known, Some(values)) = (stored.nulls.is_some(), values) else { return true };
        let is_null_at_odds = known && values > 0 && self.is_null;
        let has_bounds_of_nothing = values == 0 && has_bounds;
        let has_null_without_levels = self.leaf.levels() == 0 && values < self.records;
        let has_other_levels = self.levels.is_some_and(|levels| !self.fits(levels, stored.nulls));
        let has_bad_length =
            [stored.min, stored.max].into_iter().flatten().any(|bound| !self.leaf.fits(bound));
        let is_inverted = match bounds {
            (Some(min), Some(max)) => min.compare(&max, self.leaf) == Some(Ordering::Greater),
            _ => false,
        };
        is_null_at_odds
            || has_bounds_of_nothing
            || has_null_without_levels
            || has_other_levels
            || has_bad_length
            || is_inverted
            || self.distinct.is_some_and(|distinct| {
                let has_values = has_bounds || (known && values > 0);
                distinct > values
                    || (distinct == 0 && has_values)
                    || most_distinct(bounds).is_some_and(|most| i128::from(distinct) > most)
            })
    }

    /// Returns whether so many values of each definition level are those of all records.
    fn fits(&self, levels: &[i64], nulls: Option<u64>) -> bool {
        // where only one is possible they may be left out
        if self.leaf.levels() == 0 || levels.is_empty() {
            return true;
        }
        let counts: Option<Vec<u64>> =
            levels.iter().map(|count| (*count).try_into().ok()).collect();
        let Some([below @ .., _]) = counts.as_deref() else { return false };
        let sum = |counts: &[u64]| counts.iter().try_fold(0, |sum: u64, n| sum.checked_add(*n));
        below.len() == usize::from(self.leaf.levels())
            && sum(counts.as_deref().unwrap_or_default()) == Some(self.records)
            && nulls.is_none_or(|nulls| sum(below) == Some(nulls))
    }
}

/// The most whole numbers that lie between two.
fn most_distinct(bounds: (Option<Bound<'_>>, Option<Bound<'_>>)) -> Option<i128> {
    match bounds {
        (Some(Bound::Whole(min)), Some(Bound::Whole(max))) => Some(max - min + 1),
        (Some(Bound::Truth(min)), Some(Bound::Truth(max))) => Some(1 + i128::from(min != max)),
        _ => None,
    }
}

impl Leaf {
    /// Returns whether a bound has the length of a value.
    fn fits(&self, bound: Bound<'_>) -> bool {
        match (bound, self.value_bytes()) {
            (Bound::Bytes(bytes), Some(length)) if self.to == DataType::Binary => {
                bytes.len() <= length
            }
            (Bound::Bytes(bytes), Some(length)) => bytes.len() == length,
            _ => true,
        }
    }

    fn is_signed_number(&self) -> bool {
        use arrow::datatypes::TimeUnit::{Microsecond, Millisecond};
        matches!(
            self.stored,
            DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Date32
                | DataType::Timestamp(Millisecond | Microsecond, _)
        )
    }
}

/// Pages that a column index is of.
pub(super) fn pages(index: &ColumnIndexMetaData) -> u64 {
    match index {
        ColumnIndexMetaData::NONE => 0,
        index => index.num_pages(),
    }
}

/// Returns whether bounds are by the order of the column's type.
fn is_ordered(file: &FileMetaData, leaf: &Leaf, deprecated: bool) -> bool {
    let order = file.column_orders().and_then(|orders| orders.get(leaf.index));
    match order {
        Some(ColumnOrder::TYPE_DEFINED_ORDER(SortOrder::UNDEFINED) | ColumnOrder::UNKNOWN) => false,
        Some(ColumnOrder::TYPE_DEFINED_ORDER(_)) if !deprecated => true,
        _ => leaf.is_signed_number(),
    }
}

/// Returns the minimum and the maximum of each of the statistics, in the type that Selects see;
/// NULL where it is not known.
pub(super) fn bounds(stored: &[StoredStatistics<'_>], leaf: &Leaf) -> (ArrayRef, ArrayRef) {
    (
        bound::least(stored.iter().map(|stored| stored.min), leaf),
        bound::greatest(stored.iter().map(|stored| stored.max), leaf),
    )
}
