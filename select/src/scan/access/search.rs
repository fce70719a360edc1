//! The conditions of WHERE on the columns of a key, as ranges of its encodings (the *search
//! arguments* of Selinger et al., SIGMOD 1979).
//!
//! Conjuncts that compare a column with constants bound it. The leading columns of a key that have
//! one or a few values, and the first column with another bound, make ranges. All records that
//! WHERE keeps are in the ranges; others may be, too.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;

use crate::expr::pattern::Pattern;
use crate::expr::{Expr, ExprKind, Literal};
use crate::index::{Key, KeyEncoder, KeyRange, after, text_after};
use crate::plan::Conjunct;
use crate::sql::syntax::CompareOp;
use crate::value::{Value, scalar};

/// Most ranges of a key; a list of more values bounds nothing.
const RANGES_MAX: usize = 1024;

/// The ranges of a key that WHERE leaves.
pub(super) struct Search {
    /// The ranges in order, without common entries.
    pub(super) ranges: Vec<KeyRange>,
    /// The number of leading columns that have one value each.
    pub(super) pinned: usize,
    /// True if entries are excluded at the head of the key; likewise `tail`.
    pub(super) head: bool,
    pub(super) tail: bool,
    /// The conjuncts that are true for all entries in the ranges.
    pub(super) implied: BTreeSet<usize>,
}

/// The values that a column may have, as encodings of this column alone.
enum Demand {
    Points(BTreeSet<Vec<u8>>),
    Range(KeyRange),
}

impl Search {
    /// Returns the ranges of a key that these conjuncts, which cannot fail, leave.
    pub(super) fn of(conjuncts: &[Conjunct], key: &Key) -> Self {
        let encoder = &key.encoder;
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        let mut search = Self {
            ranges: Vec::new(),
            pinned: 0,
            head: false,
            tail: false,
            implied: BTreeSet::new(),
        };
        for (place, column) in key.spec.columns.iter().enumerate() {
            let column =
                BoundedColumn { column: column.column, place, descending: column.descending };
            let (demand, implied) = column.demand(conjuncts, encoder);
            match demand {
                Some(Demand::Points(points)) if prefixes.len() * points.len() <= RANGES_MAX => {
                    if points.len() == 1 && search.pinned == place {
                        search.pinned += 1;
                    }
                    let with = |prefix: &Vec<u8>| -> Vec<Vec<u8>> {
                        points.iter().map(|point| [prefix.as_slice(), point].concat()).collect()
                    };
                    prefixes = prefixes.iter().flat_map(with).collect();
                    search.implied.extend(implied);
                    (search.head, search.tail) = (true, true);
                }
                Some(Demand::Range(range)) => {
                    let values = column.values(encoder);
                    search.head |= values.as_ref().is_none_or(|values| range.low > values.low);
                    search.tail |= values.as_ref().is_none_or(|values| range.high != values.high);
                    search.implied.extend(implied);
                    search.ranges =
                        prefixes.iter().map(|prefix| after_prefix(prefix, &range)).collect();
                    return search;
                }
                Some(Demand::Points(_)) | None => break,
            }
        }
        search.ranges = prefixes.into_iter().map(KeyRange::of_prefix).collect();
        search
    }
}

/// Returns a range of a column, after an encoding of the columns before it.
fn after_prefix(prefix: &[u8], range: &KeyRange) -> KeyRange {
    let high = match &range.high {
        Some(high) => Some([prefix, high].concat()),
        None => after(prefix),
    };
    KeyRange { low: [prefix, &range.low].concat(), high }
}

/// A column of a key.
#[derive(Clone, Copy)]
struct BoundedColumn {
    /// Index in the source.
    column: usize,
    /// Index in the key.
    place: usize,
    descending: bool,
}

/// A bound of the values of a column.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl BoundedColumn {
    /// Returns what all conjuncts together demand, and which of them are true wherever that is met.
    fn demand(self, conjuncts: &[Conjunct], encoder: &KeyEncoder) -> (Option<Demand>, Vec<usize>) {
        let mut range: Option<KeyRange> = None;
        let mut points: Option<BTreeSet<Vec<u8>>> = None;
        let mut implied = Vec::new();
        for (index, conjunct) in conjuncts.iter().enumerate() {
            let Some((demand, is_all)) = self.demanded(&conjunct.expr, encoder) else { continue };
            match demand {
                Demand::Points(these) => {
                    points = Some(match points {
                        None => these,
                        Some(others) => others.intersection(&these).cloned().collect(),
                    });
                }
                Demand::Range(this) => {
                    range = Some(match range {
                        None => this,
                        Some(other) => other.intersection(this),
                    });
                }
            }
            if is_all {
                implied.push(index);
            }
        }
        let demand = match (points, range) {
            (Some(mut points), Some(range)) => {
                points.retain(|point| range.contains(point));
                Some(Demand::Points(points))
            }
            (Some(points), None) => Some(Demand::Points(points)),
            (None, range) => range.map(Demand::Range),
        };
        (demand, implied)
    }

    /// Returns what one term demands, and whether the term is true wherever that is met.
    fn demanded(self, expr: &Expr, encoder: &KeyEncoder) -> Option<(Demand, bool)> {
        let value = |expr: &Expr| encoder.value(self.place, &expr.constant()?);
        match &expr.kind {
            ExprKind::Compare { op, left, right } => {
                let (op, constant) = match (self.is(left), self.is(right)) {
                    (true, false) => (*op, right),
                    (false, true) => (op.flipped(), left),
                    _ => return None,
                };
                let constant = value(constant)?;
                let side = match op {
                    CompareOp::Equal => return Some((Demand::Points([constant].into()), true)),
                    CompareOp::NotEqual => return None,
                    CompareOp::Less => Side::Below,
                    CompareOp::LessOrEqual => Side::AtMost,
                    CompareOp::Greater => Side::Above,
                    CompareOp::GreaterOrEqual => Side::AtLeast,
                };
                Some((Demand::Range(self.range(encoder, constant, side)?), true))
            }
            ExprKind::Between { operand, low, high } if self.is(operand) => {
                let low = self.range(encoder, value(low)?, Side::AtLeast)?;
                let high = self.range(encoder, value(high)?, Side::AtMost)?;
                Some((Demand::Range(low.intersection(high)), true))
            }
            ExprKind::InList { operand, list } if self.is(operand) => {
                // nothing equals a NULL
                let list = list.iter().filter(|item| !is_null(item));
                Some((Demand::Points(list.map(value).collect::<Option<_>>()?), true))
            }
            ExprKind::InSet { operand, set, .. } if self.is(operand) => {
                let values = set.values(&operand.data_type);
                let points = values.map(|value| encoder.value(self.place, &value?));
                Some((Demand::Points(points.collect::<Option<_>>()?), true))
            }
            ExprKind::Match { operand, pattern: Pattern::Like(like) } if self.is(operand) => {
                let (prefix, is_all) = like.prefix()?;
                let bound = |text: &str, side| {
                    let text = scalar::scalar(&Value::Text(text.to_owned()), &DataType::Utf8)?;
                    self.range(encoder, encoder.value(self.place, &text.into_inner())?, side)
                };
                let low = bound(&prefix, Side::AtLeast)?;
                let Some(above) = text_after(&prefix) else {
                    return Some((Demand::Range(low), is_all));
                };
                let high = bound(&above, Side::Below)?;
                Some((Demand::Range(low.intersection(high)), is_all))
            }
            ExprKind::IsNull(operand) if self.is(operand) => {
                Some((Demand::Points([encoder.null(self.place)?.to_vec()].into()), true))
            }
            _ => None,
        }
    }

    fn is(self, expr: &Expr) -> bool {
        expr.kind == ExprKind::Column(self.column)
    }

    /// Returns the range of all values without NULL.
    fn values(self, encoder: &KeyEncoder) -> Option<KeyRange> {
        let null = encoder.null(self.place)?;
        Some(match self.descending {
            false => KeyRange { low: Vec::new(), high: Some(null.to_vec()) },
            true => KeyRange { low: after(null)?, high: None },
        })
    }

    /// Returns the range of the values on one side of a value.
    fn range(self, encoder: &KeyEncoder, value: Vec<u8>, side: Side) -> Option<KeyRange> {
        let KeyRange { low, high } = self.values(encoder)?;
        let after_value = after(&value);
        // in a descending column, a greater value comes earlier
        let (starts_at, ends_at) = match (side, self.descending) {
            (Side::AtLeast, false) | (Side::AtMost, true) => (Some(value), None),
            (Side::Above, false) | (Side::Below, true) => (Some(after_value?), None),
            (Side::AtMost, false) | (Side::AtLeast, true) => (None, Some(after_value?)),
            (Side::Below, false) | (Side::Above, true) => (None, Some(value)),
        };
        Some(KeyRange { low: starts_at.unwrap_or(low), high: ends_at.or(high) })
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(Literal { value: Value::Null, .. }))
}
