//! The Select as written: names and literals that are not yet bound to a file.

mod display;

use std::fmt;

use arrow::datatypes::DataType;

use crate::value::Value;
use crate::{Error, ErrorKind};
use sift_files::types::type_name;

/// A position in the text. Line and column count from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Position {
    /// Makes an error at this position.
    pub(crate) fn error(self, kind: ErrorKind, message: impl fmt::Display) -> Error {
        Error::new(kind, format!("line {}, column {}: {message}", self.line, self.column))
    }
}

/// A name as written; without quotes it is compared without regard to case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) quoted: bool,
    /// Bytes of each part of a dotted name; a simple name has one part.
    pub(crate) lengths: Vec<usize>,
    pub(crate) at: Position,
}

impl Name {
    /// Returns whether the name means `known`: by its exact text, or, unless it is quoted, without
    /// regard to case.
    pub(crate) fn matches(&self, known: &str) -> bool {
        if self.quoted { self.text == known } else { self.text.eq_ignore_ascii_case(known) }
    }

    /// Returns the name of a value inside of another: `address.city`.
    pub(crate) fn within(&self, path: &Self) -> Self {
        let text = format!("{}.{}", path.text, self.text);
        let lengths = [path.lengths.as_slice(), &self.lengths].concat();
        Self { text, quoted: path.quoted || self.quoted, lengths, at: path.at }
    }
}

/// The function whose value is the date of the Select.
pub(crate) const CURRENT_DATE: &str = "current_date";

/// One SELECT over one file, or over none.
#[derive(Clone, Debug)]
pub(crate) struct SelectSyntax {
    pub(crate) distinct: Distinct,
    pub(crate) projection: Vec<Item>,
    pub(crate) from: Option<Name>,
    /// Name that columns may be qualified with.
    pub(crate) alias: Option<Name>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    pub(crate) order_by: Vec<OrderItem>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: Option<Expr>,
}

impl SelectSyntax {
    /// Returns the names that may qualify a column: that of the file, and its alias.
    pub(crate) fn qualifiers(&self) -> Vec<&Name> {
        self.from.iter().chain(&self.alias).collect()
    }
}

/// The rows that DISTINCT keeps.
#[derive(Clone, Debug)]
pub(crate) enum Distinct {
    /// All rows.
    No,
    /// `DISTINCT`: one of equal rows.
    All,
    /// `DISTINCT ON`: the first of the rows with equal values of these expressions.
    On(Vec<Expr>),
}

/// One expression of ORDER BY.
#[derive(Clone, Debug)]
pub(crate) struct OrderItem {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// One item of the projection.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// `*`, with its position.
    All(Position),
    Expr {
        expr: Expr,
        alias: Option<String>,
    },
}

/// An expression and its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    pub(crate) at: Position,
    pub(crate) kind: ExprKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    Column {
        /// The table or alias before the point.
        qualifier: Option<Name>,
        name: Name,
    },
    Literal(Value),
    /// `$1` is 1.
    Parameter(usize),
    Not(Box<Expr>),
    /// Two or more terms.
    And(Vec<Expr>),
    /// Two or more terms.
    Or(Vec<Expr>),
    Negate(Box<Expr>),
    Plus(Box<Expr>),
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
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
    },
    Match {
        language: PatternLanguage,
        operand: Box<Expr>,
        pattern: Box<Expr>,
        /// `None` for `ESCAPE ''`: no character escapes.
        escape: Option<char>,
        negated: bool,
    },
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// `IS TRUE`, `IS FALSE` or, for `None`, `IS UNKNOWN`.
    BooleanTest {
        operand: Box<Expr>,
        truth: Option<bool>,
        negated: bool,
    },
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
    },
    Case {
        /// The value that the conditions are compared with; without it they are booleans.
        operand: Option<Box<Expr>>,
        /// Conditions and results.
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast {
        operand: Box<Expr>,
        to: CastTarget,
    },
    /// The time of the Select, or its date, by the name of the function.
    Clock(&'static str),
    /// A function, or an operator that is one, by its name in lower case.
    Call {
        name: String,
        arguments: Vec<Expr>,
    },
    /// A call in a form that only aggregates have, of a function that is not an aggregate.
    NoAggregate {
        name: String,
        /// The part that only aggregates have, in the words that begin a message.
        part: &'static str,
    },
    Aggregate(Aggregate),
}

impl Expr {
    /// Returns the first part whose value is the time of the Select.
    pub(crate) fn clock(&self) -> Option<&Self> {
        match self.kind {
            ExprKind::Clock(_) => Some(self),
            _ => self.children().into_iter().find_map(Self::clock),
        }
    }

    /// Returns the direct operands of the expression.
    pub(crate) fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Column { .. }
            | ExprKind::Literal(_)
            | ExprKind::Parameter(_)
            | ExprKind::Clock(_)
            | ExprKind::NoAggregate { .. } => Vec::new(),
            ExprKind::Not(operand)
            | ExprKind::Negate(operand)
            | ExprKind::Plus(operand)
            | ExprKind::IsNull { operand, negated: _ }
            | ExprKind::BooleanTest { operand, truth: _, negated: _ }
            | ExprKind::Cast { operand, to: _ } => vec![operand],
            ExprKind::And(terms)
            | ExprKind::Or(terms)
            | ExprKind::Call { name: _, arguments: terms } => terms.iter().collect(),
            ExprKind::Compare { op: _, left, right }
            | ExprKind::Arithmetic { op: _, left, right }
            | ExprKind::IsDistinct { left, right, negated: _ } => vec![left, right],
            ExprKind::Between { operand, low, high, negated: _ } => vec![operand, low, high],
            ExprKind::InList { operand, list, negated: _ } => {
                std::iter::once(&**operand).chain(list).collect()
            }
            ExprKind::Match { language: _, operand, pattern, escape: _, negated: _ } => {
                vec![operand, pattern]
            }
            ExprKind::Case { operand, branches, otherwise } => {
                let branches = branches.iter().flat_map(|(condition, result)| [condition, result]);
                operand.as_deref().into_iter().chain(branches).chain(otherwise.as_deref()).collect()
            }
            ExprKind::Aggregate(Aggregate { function: _, distinct: _, argument, filter }) => {
                [argument, filter].into_iter().flatten().map(|expr| &**expr).collect()
            }
        }
    }
}

/// The language of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatternLanguage {
    Like,
    /// LIKE without regard to case.
    ILike,
    /// SIMILAR TO.
    Similar,
    /// `~`: a regular expression found anywhere.
    Regex,
    /// `~*`
    RegexIgnoringCase,
}

impl fmt::Display for PatternLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Like => "LIKE",
            Self::ILike => "ILIKE",
            Self::Similar => "SIMILAR TO",
            Self::Regex => "~",
            Self::RegexIgnoringCase => "~*",
        })
    }
}

/// The type that CAST names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CastTarget {
    Type(DataType),
    /// Decimals with the digits that the operand has.
    Numeric,
    /// Text of at most this many characters.
    Varchar(u32),
    /// Text of at most this many characters, trailing spaces not counted.
    Char(u32),
}

impl fmt::Display for CastTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(data_type) => f.write_str(&type_name(data_type)),
            Self::Numeric => f.write_str("numeric"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
        }
    }
}

/// An aggregate as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregate {
    pub(crate) function: AggregateFunction,
    /// True if only one of equal values counts.
    pub(crate) distinct: bool,
    /// `None` for `count(*)`.
    pub(crate) argument: Option<Box<Expr>>,
    /// Only records for which this is true count.
    pub(crate) filter: Option<Box<Expr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl CompareOp {
    /// Returns the operator for exchanged operands.
    pub(crate) fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

impl fmt::Display for CompareOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl fmt::Display for ArithmeticOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateFunction {
    Count,
    Sum,
    Min,
    Max,
    Avg,
}

impl AggregateFunction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
        }
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
