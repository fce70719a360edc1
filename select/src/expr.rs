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

/// The operation of an expression. Its operands have the types that the operation takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// Index into the columns of the source, or into the values of the aggregates.
    Column(usize),
    Literal(Literal),
    /// A cast to the type of the node, as `CAST` does; it can fail for a record.
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
    /// `IS TRUE`, `IS FALSE` or, for `None`, `IS UNKNOWN`; never NULL itself.
    BooleanTest {
        operand: Box<Expr>,
        truth: Option<bool>,
    },
    /// Both sides have one type; never NULL itself.
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `CASE`: each condition followed by its result, then the result if no condition holds. With
    /// an operand, a condition holds if it equals the operand, else if it is true. Nothing after
    /// the condition that holds is evaluated.
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<Expr>,
    },
    /// The first operand that is not NULL; the operands after it are not evaluated.
    Coalesce(Vec<Expr>),
    /// NULL if both sides are equal, else the left side; both sides have one type.
    NullIf {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `LEAST` or `GREATEST`: the operand that is `keep` than all others. NULL is ignored. All
    /// operands have one type.
    MinMax {
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
    /// The text of the expression in the Select.
    pub(crate) text: String,
}

/// A constant: the value as written, and as an Arrow scalar.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) value: Value,
    pub(crate) scalar: Scalar<ArrayRef>,
    /// True for a text or NULL as written, which takes the type of its context.
    pub(crate) is_untyped: bool,
}

impl PartialEq for Literal {
    /// Ignores the type, because the expression compares it.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// The values that an `IN` with many literals looks up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LiteralSet {
    /// Integers, decimals of one scale, dates or timestamps.
    Integers(HashSet<i128, RandomState>),
    Texts(HashSet<String, RandomState>),
}

impl LiteralSet {
    /// Returns each value as an array of one value of type `to`, which is a type of these values.
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
    /// Returns the value of a constant that is not NULL.
    pub(crate) fn constant(&self) -> Option<ArrayRef> {
        let ExprKind::Literal(Literal { scalar, .. }) = &self.kind else { return None };
        let array = scalar.clone().into_inner();
        array.is_valid(0).then_some(array)
    }

    /// Returns the columns that the expression reads, in ascending order.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns = BTreeSet::new();
        self.collect_columns(&mut columns);
        columns.into_iter().collect()
    }

    /// Adds the columns that the expression reads to `columns`.
    pub(crate) fn collect_columns(&self, columns: &mut BTreeSet<usize>) {
        if let ExprKind::Column(index) = self.kind {
            columns.insert(index);
        }
        for child in self.children() {
            child.collect_columns(columns);
        }
    }

    /// Returns whether evaluation can fail for a record.
    pub(crate) fn is_fallible(&self) -> bool {
        let fails = match &self.kind {
            ExprKind::Arithmetic { .. } | ExprKind::Negate(_) => true,
            ExprKind::Cast(operand) => cast::is_fallible(&operand.data_type, &self.data_type),
            ExprKind::Call { function, .. } => function.fallible,
            _ => false,
        };
        fails || self.children().any(Self::is_fallible)
    }

    /// Returns whether the expression only compares numbers or times, which never fails and costs
    /// almost nothing.
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

    /// Returns whether the expression is a text or NULL as written, which takes the type of its
    /// context. A literal that was cast or computed has its own type.
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
            | ExprKind::BooleanTest { operand, .. }
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
            | ExprKind::MinMax { operands: terms, .. }
            | ExprKind::Call { arguments: terms, .. } => (vec![], terms),
        };
        boxed.into_iter().chain(list)
    }
}
