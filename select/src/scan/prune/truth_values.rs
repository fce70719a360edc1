//! The possible values of a predicate in each container: true, false and NULL.

use arrow::array::{ArrayRef, AsArray, BooleanArray, Datum};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::{boolean, cmp};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::value_range::{ValueRange, may};
use crate::expr::pattern::Pattern;
use crate::expr::{Expr, ExprKind, Literal, LiteralSet};
use crate::sql::syntax::CompareOp;
use crate::value::Value;
use sift_files::statistics::PruningStatistics;

/// Most values of a list that are looked up one by one.
const LOOKED_UP_MAX: usize = 16;

/// The possible values of a predicate, one bit for each container. If a bit is set, the predicate
/// may have the value for some record; if not, it has it for none.
#[derive(Clone)]
pub(super) struct TruthValues {
    pub(super) may_be_true: BooleanBuffer,
    may_be_false: BooleanBuffer,
    may_be_null: BooleanBuffer,
}

impl TruthValues {
    /// Returns the possible values of a boolean expression.
    pub(super) fn of(expr: &Expr, statistics: &dyn PruningStatistics) -> Self {
        let containers = statistics.records().len();
        Self::known(expr, statistics).unwrap_or_else(|| Self::unknown(containers))
    }

    fn known(expr: &Expr, statistics: &dyn PruningStatistics) -> Option<Self> {
        let range = |expr: &Expr| ValueRange::of(expr, statistics);
        let containers = statistics.records().len();
        match &expr.kind {
            ExprKind::Not(operand) => Some(Self::of(operand, statistics).negated()),
            ExprKind::And(terms) => {
                let terms = terms.iter().map(|term| Self::of(term, statistics));
                terms.reduce(Self::and)
            }
            ExprKind::Or(terms) => {
                let terms = terms.iter().map(|term| Self::of(term, statistics));
                terms.reduce(Self::or)
            }
            ExprKind::Compare { op, left, right } => {
                let truth = Self::compared(*op, &range(left)?, &range(right)?)?;
                let lacks = || {
                    let lacks = |column, value| Self::lacks(column, value, statistics);
                    lacks(left, right).or_else(|| lacks(right, left))
                };
                Some(if *op == CompareOp::Equal { truth.unless(lacks()) } else { truth })
            }
            ExprKind::Between { operand, low, high } => {
                // if one bound is unknown, the other may exclude a container alone
                let bounded =
                    |op, bound: &Expr| Self::compared(op, &range(operand)?, &range(bound)?);
                let unknown = || Self::unknown(containers);
                let from = bounded(CompareOp::GreaterOrEqual, low).unwrap_or_else(unknown);
                let to = bounded(CompareOp::LessOrEqual, high).unwrap_or_else(unknown);
                Some(from.and(to))
            }
            ExprKind::InList { operand, list } => {
                let values = range(operand)?;
                let equal = list.iter().map(|value| {
                    range(value)
                        .and_then(|value| Self::compared(CompareOp::Equal, &values, &value))
                        .map(|truth| truth.unless(Self::lacks(operand, value, statistics)))
                        .unwrap_or_else(|| Self::unknown(containers))
                });
                equal.reduce(Self::or)
            }
            ExprKind::InSet { operand, set, has_null } => {
                let lacks_all = Self::lacks_all(operand, set, statistics);
                let operand = range(operand)?;
                let (some, others) = operand.contained(set);
                let others = &others & &operand.may_be_value;
                let none = BooleanBuffer::new_unset(containers);
                let (may_be_false, unknown) =
                    if *has_null { (none, others) } else { (others, none) };
                let truth = Self {
                    may_be_true: &some & &operand.may_be_value,
                    may_be_false,
                    may_be_null: &operand.may_be_null | &unknown,
                };
                Some(truth.unless(lacks_all))
            }
            ExprKind::Match { operand, pattern: Pattern::Like(like) } => {
                let (prefix, is_all) = like.prefix()?;
                Self::prefixed(&range(operand)?, &prefix, is_all)
            }
            ExprKind::Call { function, arguments } if function.name == "starts_with" => {
                let [text, Expr { kind: ExprKind::Literal(prefix), .. }] = arguments.as_slice()
                else {
                    return None;
                };
                let Literal { value: Value::Text(prefix), .. } = prefix else { return None };
                Self::prefixed(&range(text)?, prefix, true)
            }
            ExprKind::IsNull(operand) => {
                let (may_be_value, may_be_null) = Self::presence(operand, statistics)?;
                Some(Self::certain(may_be_null, may_be_value))
            }
            ExprKind::BooleanTest { operand, truth } => {
                let Self { may_be_true, may_be_false, may_be_null } = Self::of(operand, statistics);
                Some(match truth {
                    Some(true) => Self::certain(may_be_true, &may_be_false | &may_be_null),
                    Some(false) => Self::certain(may_be_false, &may_be_true | &may_be_null),
                    None => Self::certain(may_be_null, &may_be_true | &may_be_false),
                })
            }
            ExprKind::IsDistinct { left, right } => {
                let (left, right) = (range(left)?, range(right)?);
                let equal = Self::compared(CompareOp::Equal, &left, &right)?;
                let one_null = &(&left.may_be_null & &right.may_be_value)
                    | &(&left.may_be_value & &right.may_be_null);
                let both_null = &left.may_be_null & &right.may_be_null;
                Some(Self::certain(
                    &equal.may_be_false | &one_null,
                    &equal.may_be_true | &both_null,
                ))
            }
            _ => Self::of_booleans(range(expr)?),
        }
    }

    /// Returns for each container whether a column is known not to contain a constant.
    fn lacks(
        column: &Expr,
        value: &Expr,
        statistics: &dyn PruningStatistics,
    ) -> Option<BooleanBuffer> {
        let ExprKind::Column(column) = column.kind else { return None };
        statistics.excludes(column, &value.constant()?)
    }

    /// Returns for each container whether a column is known to contain none of a few values.
    fn lacks_all(
        operand: &Expr,
        set: &LiteralSet,
        statistics: &dyn PruningStatistics,
    ) -> Option<BooleanBuffer> {
        let ExprKind::Column(column) = operand.kind else { return None };
        if set.len() > LOOKED_UP_MAX {
            return None;
        }
        let lacks =
            set.values(&operand.data_type).map(|value| statistics.excludes(column, &value?));
        lacks.reduce(|all, one| Some(&all? & &one?))?
    }

    /// Removes true where a column is known not to contain a value.
    fn unless(self, lacks: Option<BooleanBuffer>) -> Self {
        match lacks {
            Some(lacks) => Self { may_be_true: &self.may_be_true & &!&lacks, ..self },
            None => self,
        }
    }

    /// Returns the truth of a predicate of which nothing is known.
    fn unknown(containers: usize) -> Self {
        let all = BooleanBuffer::new_set(containers);
        Self { may_be_true: all.clone(), may_be_false: all.clone(), may_be_null: all }
    }

    /// Makes the truth of a predicate that is never NULL.
    fn certain(may_be_true: BooleanBuffer, may_be_false: BooleanBuffer) -> Self {
        let may_be_null = BooleanBuffer::new_unset(may_be_true.len());
        Self { may_be_true, may_be_false, may_be_null }
    }

    fn negated(self) -> Self {
        let Self { may_be_true, may_be_false, may_be_null } = self;
        Self { may_be_true: may_be_false, may_be_false: may_be_true, may_be_null }
    }

    fn and(self, other: Self) -> Self {
        Self {
            may_be_true: &self.may_be_true & &other.may_be_true,
            may_be_false: &self.may_be_false | &other.may_be_false,
            may_be_null: &self.may_be_null | &other.may_be_null,
        }
    }

    fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    /// Returns the truth of a boolean column or constant.
    fn of_booleans(range: ValueRange) -> Option<Self> {
        let (min, max) = (range.min.as_boolean_opt()?, range.max.as_boolean_opt()?);
        let negated = boolean::not(min).ok()?;
        Some(Self {
            may_be_true: &may(max) & &range.may_be_value,
            may_be_false: &may(&negated) & &range.may_be_value,
            may_be_null: range.may_be_null,
        })
    }

    /// Returns the truth of `left op right`; `None` if their types do not compare.
    fn compared(op: CompareOp, left: &ValueRange, right: &ValueRange) -> Option<Self> {
        type Kernel = fn(&dyn Datum, &dyn Datum) -> Compared;
        type Compared = Result<BooleanArray, ArrowError>;
        let may = |kernel: Kernel, left: &ArrayRef, right: &ArrayRef| {
            Some(may(&kernel(left, right).ok()?))
        };
        let (is, is_not) = match op {
            CompareOp::Equal | CompareOp::NotEqual => (
                &may(cmp::lt_eq, &left.min, &right.max)? & &may(cmp::lt_eq, &right.min, &left.max)?,
                &may(cmp::lt, &left.min, &right.max)? | &may(cmp::lt, &right.min, &left.max)?,
            ),
            CompareOp::Less | CompareOp::GreaterOrEqual => {
                (may(cmp::lt, &left.min, &right.max)?, may(cmp::gt_eq, &left.max, &right.min)?)
            }
            CompareOp::LessOrEqual | CompareOp::Greater => {
                (may(cmp::lt_eq, &left.min, &right.max)?, may(cmp::gt, &left.max, &right.min)?)
            }
        };
        let both = &left.may_be_value & &right.may_be_value;
        let truth = Self {
            may_be_true: &is & &both,
            may_be_false: &is_not & &both,
            may_be_null: &left.may_be_null | &right.may_be_null,
        };
        Some(match op {
            CompareOp::Equal | CompareOp::Less | CompareOp::LessOrEqual => truth,
            CompareOp::NotEqual | CompareOp::GreaterOrEqual | CompareOp::Greater => truth.negated(),
        })
    }

    /// Returns the truth of a condition on texts: they start with `prefix` and, unless `is_all`,
    /// something more.
    fn prefixed(texts: &ValueRange, prefix: &str, is_all: bool) -> Option<Self> {
        let (some, others) = texts.prefixed(prefix)?;
        Some(Self {
            may_be_true: &some & &texts.may_be_value,
            may_be_false: if is_all {
                &others & &texts.may_be_value
            } else {
                texts.may_be_value.clone()
            },
            may_be_null: texts.may_be_null.clone(),
        })
    }

    /// Returns whether an expression may have a value, and whether it may be NULL.
    fn presence(
        expr: &Expr,
        statistics: &dyn PruningStatistics,
    ) -> Option<(BooleanBuffer, BooleanBuffer)> {
        if let Some(range) = ValueRange::of(expr, statistics) {
            return Some((range.may_be_value, range.may_be_null));
        }
        if expr.data_type != DataType::Boolean {
            return None;
        }
        let truth = Self::known(expr, statistics)?;
        Some((&truth.may_be_true | &truth.may_be_false, truth.may_be_null))
    }
}
