//! The functions: one table of names, the types that they take and give, and what computes them.
//!
//! A name may stand several times, for several types; [`resolve`] takes the entry that needs the
//! least conversion, the first of those that need the same. NULL in an argument gives NULL, unless
//! the kernel of a function does otherwise.

mod arguments;
mod number;
mod text;
mod time;

use std::fmt;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

pub(crate) use arguments::{Arguments, VALUE_BYTES_MAX};
pub(crate) use text::{CONCATENATION, ILIKE, LIKE, push_lower, to_lower};

use super::Expr;
use super::problem::Problem;
use crate::alike::alike;
use crate::value::common::digits_of;
use sift_files::types::{INTERVAL, TIMESTAMP, type_name};

/// One entry of the table.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) takes: &'static [Takes],
    /// The last argument may come several times.
    pub(crate) repeats: bool,
    pub(crate) gives: Gives,
    pub(crate) kernel: fn(&Arguments<'_>) -> Result<ArrayRef, Problem>,
    /// Whether it can fail for a value.
    pub(crate) fallible: bool,
    pub(crate) grows: Grows,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Text,
    /// A value of any type, as the text of it.
    Shown,
    /// 64 bits.
    Whole,
    Float,
    /// Of as many digits as the argument has.
    Decimal,
    Date,
    Timestamp,
    Interval,
}

/// The type of the value.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    Text,
    Whole,
    Float,
    Boolean,
    Date,
    /// As the arguments tell, or why there is none.
    Of(fn(&[Expr]) -> Result<DataType, String>),
}

impl Gives {
    /// The type for these arguments.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn data_type(self, arguments: &[Expr]) -> Result<DataType, String> {
        match self {
            Self::Text => Ok(DataType::Utf8),
            Self::Whole => Ok(DataType::Int64),
            Self::Float => Ok(DataType::Float64),
            Self::Boolean => Ok(DataType::Boolean),
            Self::Date => Ok(DataType::Date32),
            Self::Of(rule) => rule(arguments),
        }
    }
}

/// How long a text can get, for the bound on the memory of a morsel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grows {
    /// No longer than the first argument.
    Not,
    /// As the first argument in another case.
    ByCase,
    /// As long as all arguments together.
    Sum,
    /// By so many characters as the second argument says.
    ToLength,
    /// By as many times as the third argument is longer than the second.
    ByReplacing,
    /// By as many times as the second argument says.
    Times,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    const fn new(
        name: &'static str,
        takes: &'static [Takes],
        gives: Gives,
        kernel: fn(&Arguments<'_>) -> Result<ArrayRef, Problem>,
    ) -> Self {
        Self { name, takes, repeats: false, gives, kernel, fallible: false, grows: Grows::Not }
    }

    const fn fallible(self) -> Self {
        Self { fallible: true, ..self }
    }

    const fn repeating(self) -> Self {
        Self { repeats: true, ..self }
    }

    const fn of_case(self) -> Self {
        Self { grows: Grows::ByCase, ..self }
    }

    /// It can fail where the text gets too long.
    const fn growing(self, grows: Grows) -> Self {
        Self { grows, fallible: true, ..self }
    }

    /// What the argument of this index is taken as.
    pub(crate) fn takes(&self, index: usize) -> Option<Takes> {
        let last = self.takes.last().filter(|_| self.repeats);
        self.takes.get(index).or(last).copied()
    }

    fn accepts_count(&self, count: usize) -> bool {
        match self.repeats {
            true => count >= self.takes.len(),
            false => count == self.takes.len(),
        }
    }
}

impl Takes {
    /// The type that `argument` is to be brought to, and how little that fits it; none where it
    /// cannot be.
    pub(crate) fn target(self, argument: &Expr) -> Option<(DataType, u32)> {
        let from = &argument.data_type;
        let untyped = argument.is_untyped();
        let exactly = |to: DataType| {
            let cost = if *from == to { 0 } else { 1 };
            (untyped || *from == to).then_some((to, cost))
        };
        match self {
            Self::Text => exactly(DataType::Utf8),
            Self::Shown => Some((DataType::Utf8, 0)),
            Self::Whole if from.is_integer() => Some((DataType::Int64, 0)),
            Self::Whole => exactly(DataType::Int64),
            Self::Float if from.is_floating() => Some((DataType::Float64, 0)),
            Self::Float if digits_of(from).is_some() => Some((DataType::Float64, 1)),
            Self::Float => exactly(DataType::Float64),
            Self::Decimal => match from {
                DataType::Decimal128(..) => Some((from.clone(), 0)),
                from if from.is_integer() => {
                    let (precision, _) = digits_of(from)?;
                    Some((DataType::Decimal128(precision, 0), 2))
                }
                _ => None,
            },
            Self::Date => exactly(DataType::Date32),
            Self::Timestamp if *from == DataType::Date32 => Some((TIMESTAMP, 1)),
            Self::Timestamp => exactly(TIMESTAMP),
            Self::Interval => exactly(INTERVAL),
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "utf8",
            Self::Shown => "any",
            Self::Whole => "int64",
            Self::Float => "float64",
            Self::Decimal => "decimal",
            Self::Date => "date32",
            Self::Timestamp => "timestamp",
            Self::Interval => "interval",
        })
    }
}

/// Names of the functions that the binder knows itself, and of the aggregates.
const OTHERS: &[&str] = &[
    "coalesce", "nullif", "greatest", "least", "mod", "cast", "case", "count", "sum", "min", "max",
    "avg",
];

fn table() -> impl Iterator<Item = &'static Function> {
    [text::FUNCTIONS, number::FUNCTIONS, time::FUNCTIONS].into_iter().flatten()
}

/// Why a call means no function.
pub(crate) enum Unresolved {
    /// No function has the name; what may have been meant.
    Name(String),
    /// Those of the name take other arguments.
    Arguments(String),
}

/// The function that a call means.
///
/// # Errors
/// What to say about it otherwise.
pub(crate) fn resolve(name: &str, arguments: &[Expr]) -> Result<&'static Function, Unresolved> {
    let named: Vec<_> = table().filter(|function| function.name == name).collect();
    if named.is_empty() {
        return Err(Unresolved::Name(suggestion(name)));
    }
    let cost = |function: &Function| {
        if !function.accepts_count(arguments.len()) {
            return None;
        }
        let costs = arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| function.takes(index)?.target(argument).map(|(_, cost)| cost));
        costs.sum::<Option<u32>>()
    };
    let fitting = named.iter().filter_map(|function| Some((cost(function)?, *function)));
    let best = fitting.min_by_key(|(cost, _)| *cost);
    best.map(|(_, function)| function).ok_or_else(|| {
        let got: Vec<_> = arguments.iter().map(|argument| type_name(&argument.data_type)).collect();
        let known: Vec<_> = named.iter().map(|function| signature(function)).collect();
        let message =
            format!("{name} does not take ({}); expected {}", got.join(", "), known.join(" or "));
        Unresolved::Arguments(message)
    })
}

fn signature(function: &Function) -> String {
    let takes: Vec<_> = function.takes.iter().map(Takes::to_string).collect();
    format!("({}{})", takes.join(", "), if function.repeats { ", …" } else { "" })
}

fn suggestion(name: &str) -> String {
    let known = table().map(|function| function.name).chain(OTHERS.iter().copied());
    match alike(name, known) {
        None => format!("unknown function `{name}`"),
        Some(names) => format!("unknown function `{name}`; did you mean {names}?"),
    }
}

/// Returns the message for an unknown function name, if a known name is similar to it.
pub(crate) fn misspelled(name: &str) -> Option<String> {
    let mut known = table().map(|function| function.name).chain(OTHERS.iter().copied());
    let is_known = known.any(|known| known == name);
    Some(suggestion(name)).filter(|text| !is_known && text.contains("did you mean"))
}
