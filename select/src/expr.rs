//! Bound expressions: columns are indices, every node has a type, nothing is left to coerce.

pub(crate) mod cast;
pub(crate) mod eval;
pub(crate) mod functions;
pub(crate) mod growth;
pub(crate) mod like;
pub(crate) mod numeric;
pub(crate) mod pattern;
pub(crate) mod problem;
pub(crate) mod regular;

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use ahash::RandomState;
use arrow::array::{Array, ArrayRef, Scalar};
use arrow::datatypes::DataType;

use crate::sql::syntax::{ArithmeticOp, CompareOp};
use crate::value::{Value, scalar};
use functions::Function;
use pattern::Pattern;

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
    /// To the node's type, as `CAST` does, or an error for the record.
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
    Match {
        operand: Box<Expr>,
        pattern: Pattern,
    },
    IsNull(Box<Expr>),
    /// Whether a boolean is `truth`, or NULL where that is none; never NULL itself.
    IsTruth {
        operand: Box<Expr>,
        truth: Option<bool>,
    },
    /// Both sides have one type; never NULL itself.
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// A condition and its result in turn, then the result where no condition holds. With an
    /// operand a condition holds where it equals that, else where it is true. What comes after the
    /// condition that holds is not evaluated.
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<Expr>,
    },
    /// The first that is not NULL; those behind it are not evaluated.
    Coalesce(Vec<Expr>),
    /// The left, or NULL where both are equal; both sides have one type.
    NullIf {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// The one that compares so with the others; NULL counts for nothing. All have one type.
    Extreme {
        keep: Ordering,
        operands: Vec<Expr>,
    },
    /// The arguments have the types that the function takes.
    Call {
        function: &'static Function,
        arguments: Vec<Expr>,
    },
}

/// One column of a row, or a condition on it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) expr: Expr,
    /// As written.
    pub(crate) text: String,
}

/// A constant, as it was written and as Arrow has it.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) value: Value,
    pub(crate) scalar: Scalar<ArrayRef>,
    /// True if it is a text or NULL as it was written, which takes the type of what it stands
    /// beside.
    pub(crate) is_untyped: bool,
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
    Integers(HashSet<i128, RandomState>),
    Texts(HashSet<String, RandomState>),
}

impl LiteralSet {
    /// Its values as arrays of one value each, of a type that it is of.
    pub(crate) fn values(&self, to: &DataType) -> impl Iterator<Item = Option<ArrayRef>> {
        let integer = |value: &i128| {
            Some(match to {
                DataType::Decimal128(_, scale) => {
                    Value::Decimal { digits: *value, scale: u8::try_from(*scale).ok()? }
                }
                DataType::Date32 => Value::Date(i32::try_from(*value).ok()?),
                DataType::Timestamp(..) => Value::Timestamp(i64::try_from(*value).ok()?),
                _ => Value::Integer(i64::try_from(*value).ok()?),
            })
        };
        let values: Vec<Option<Value>> = match self {
            Self::Integers(set) => set.iter().map(integer).collect(),
            Self::Texts(set) => set.iter().map(|text| Some(Value::Text(text.clone()))).collect(),
        };
        values.into_iter().map(|value| Some(scalar::scalar(&value?, to)?.into_inner()))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Integers(set) => set.len(),
            Self::Texts(set) => set.len(),
        }
    }
}

impl Expr {
    /// The value of a constant that is not NULL.
    pub(crate) fn constant(&self) -> Option<ArrayRef> {
        let ExprKind::Literal(Literal { scalar, .. }) = &self.kind else { return None };
        let array = scalar.clone().into_inner();
        array.is_valid(0).then_some(array)
    }

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
            ExprKind::Cast(operand) => cast::is_fallible(&operand.data_type, &self.data_type),
            ExprKind::Call { function, .. } => function.fallible,
            _ => false,
        };
        fails || self.children().any(Self::is_fallible)
    }

    /// Returns whether it only compares numbers or times, which never fails and costs almost
    /// nothing.
    pub(crate) fn is_simple(&self) -> bool {
        let is_value = |expr: &Self| {
            matches!(expr.kind, ExprKind::Column(_) | ExprKind::Literal(_))
                && expr.data_type.is_primitive()
        };
        match self.kind {
            ExprKind::Compare { .. } | ExprKind::Between { .. } => self.children().all(is_value),
            _ => false,
        }
    }

    /// Returns whether it is a text or NULL as it was written, which takes the type of what it
    /// stands beside. One that was cast or computed has its own type.
    pub(crate) fn is_untyped(&self) -> bool {
        matches!(self.kind, ExprKind::Literal(Literal { is_untyped: true, .. }))
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
            | ExprKind::Match { operand, .. }
            | ExprKind::IsTruth { operand, .. }
            | ExprKind::IsNull(operand) => (vec![operand], &[]),
            ExprKind::Compare { left, right, .. }
            | ExprKind::Arithmetic { left, right, .. }
            | ExprKind::IsDistinct { left, right }
            | ExprKind::NullIf { left, right } => (vec![left, right], &[]),
            ExprKind::Between { operand, low, high } => (vec![operand, low, high], &[]),
            ExprKind::InList { operand, list } => (vec![operand], list),
            ExprKind::Case { operand, arms } => {
                (operand.iter().map(|expr| &**expr).collect(), arms)
            }
            ExprKind::And(terms)
            | ExprKind::Or(terms)
            | ExprKind::Coalesce(terms)
            | ExprKind::Extreme { operands: terms, .. }
            | ExprKind::Call { arguments: terms, .. } => (vec![], terms),
        };
        boxed.into_iter().chain(list)
    }
}
