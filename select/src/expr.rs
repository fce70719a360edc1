//! Bound expressions: columns are indices, every node has a type, nothing is left to coerce.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{ArrayRef, Scalar};
use arrow::datatypes::DataType;

use crate::Value;
use crate::like::Like;
use crate::syntax::{ArithmeticOp, CompareOp};

/// A bound expression. Equal ones have the same value for every record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(crate) data_type: DataType,
    pub(crate) kind: ExprKind,
}

/// Operands have the types that the operation takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// Index into the columns of the source, or into the values of the aggregates.
    Column(usize),
    Literal(Literal),
    /// To the node's type. Exact, or an error for the record.
    Cast(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Negate(Box<Expr>),
    /// Both sides have one type.
    Compare {
        op: CompareOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Arithmetic {
        op: ArithmeticOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// All three have one type.
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    /// All have one type.
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
    },
    /// A list of literals of a hashable type; `has_null` when NULL was among them.
    InSet {
        operand: Box<Expr>,
        set: LiteralSet,
        has_null: bool,
    },
    Like {
        operand: Box<Expr>,
        pattern: Like,
    },
    IsNull(Box<Expr>),
}

/// A constant, as it was written and as Arrow has it.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) value: Value,
    pub(crate) scalar: Scalar<ArrayRef>,
}

impl PartialEq for Literal {
    /// Beside equal types, which the expression has.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// What an `IN` of many literals looks up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LiteralSet {
    /// Of whole numbers, decimals of one scale, dates and timestamps.
    Integers(HashSet<i128>),
    Texts(HashSet<String>),
}

impl Expr {
    /// The columns that it reads, ascending.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns = BTreeSet::new();
        self.collect_columns(&mut columns);
        columns.into_iter().collect()
    }

    /// Adds the columns that it reads.
    pub(crate) fn collect_columns(&self, columns: &mut BTreeSet<usize>) {
        if let ExprKind::Column(index) = self.kind {
            columns.insert(index);
        }
        for child in self.children() {
            child.collect_columns(columns);
        }
    }

    /// Whether evaluating it can fail for a record.
    pub(crate) fn is_fallible(&self) -> bool {
        let fails = match &self.kind {
            ExprKind::Arithmetic { .. } | ExprKind::Negate(_) => true,
            ExprKind::Cast(operand) => !is_widening(&operand.data_type, &self.data_type),
            _ => false,
        };
        fails || self.children().any(Self::is_fallible)
    }

    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.kind, ExprKind::Literal(_))
    }

    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        let (boxed, list): (Vec<&Self>, &[Self]) = match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => (vec![], &[]),
            ExprKind::Cast(operand)
            | ExprKind::Not(operand)
            | ExprKind::Negate(operand)
            | ExprKind::InSet { operand, .. }
            | ExprKind::Like { operand, .. }
            | ExprKind::IsNull(operand) => (vec![operand], &[]),
            ExprKind::Compare { left, right, .. } | ExprKind::Arithmetic { left, right, .. } => {
                (vec![left, right], &[])
            }
            ExprKind::Between { operand, low, high } => (vec![operand, low, high], &[]),
            ExprKind::InList { operand, list } => (vec![operand], list),
            ExprKind::And(terms) | ExprKind::Or(terms) => (vec![], terms),
        };
        boxed.into_iter().chain(list)
    }
}

/// Whether every value of `from` has its equal in `to`.
fn is_widening(from: &DataType, to: &DataType) -> bool {
    let whole_digits = |data_type: &DataType| match data_type {
        DataType::Int8 => Some(3),
        DataType::Int16 => Some(5),
        DataType::Int32 => Some(10),
        DataType::Int64 => Some(19),
        _ => None,
    };
    match (from, to) {
        (from, DataType::Decimal128(precision, scale)) => match from {
            DataType::Decimal128(p, s) => {
                s <= scale
                    && i16::from(*p) - i16::from(*s) <= i16::from(*precision) - i16::from(*scale)
            }
            from => whole_digits(from)
                .is_some_and(|digits| digits <= i16::from(*precision) - i16::from(*scale)),
        },
        (from, DataType::Int64 | DataType::Int32 | DataType::Int16) if from.is_integer() => {
            whole_digits(from) <= whole_digits(to)
        }
        (_, DataType::Float64) => true,
        // A date beyond the range of microseconds is an error of its record.
        _ => from == to,
    }
}
