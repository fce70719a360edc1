//! The functions: one table of names, argument types, result types and kernels.
//!
//! A name may have several entries, for several types. [`resolve`] takes the entry with the lowest
//! conversion cost, and the first of those with the same cost. A NULL argument gives NULL, unless
//! the kernel of the function does otherwise.

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
    pub(crate) takes: &'static [ArgumentType],
    /// True if the last argument may be repeated.
    pub(crate) repeats: bool,
    pub(crate) gives: ReturnType,
    pub(crate) kernel: fn(&Arguments<'_>) -> Result<ArrayRef, Problem>,
    /// True if it can fail for a value.
    pub(crate) fallible: bool,
    pub(crate) grows: TextGrowth,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentType {
    Text,
    /// A value of any type, converted to text.
    AnyAsText,
    /// A 64-bit integer.
    Whole,
    Float,
    /// A decimal with the digits of the argument.
    Decimal,
    Date,
    Timestamp,
    Interval,
}

/// The type of the value.
#[derive(Clone, Copy)]
pub(crate) enum ReturnType {
    Text,
    Whole,
    Float,
    Boolean,
    Date,
    /// A type that depends on the arguments, or the reason why there is none.
    Of(fn(&[Expr]) -> Result<DataType, String>),
}

impl ReturnType {
    /// Returns the type of the value for these arguments.
    ///
    /// # Errors
    /// The reason why there is none.
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

/// The bound on the length of the resulting text, which bounds the memory of a morsel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextGrowth {
    /// The result is no longer than the first argument.
    Not,
    /// The result is the first argument in another case.
    ByCase,
    /// The result is as long as all arguments together.
    Sum,
    /// The second argument is the number of characters of the result.
    ToLength,
    /// The length is multiplied by the ratio of the third argument's length to the second's.
    ByReplacing,
    /// The length is multiplied by the second argument.
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
        takes: &'static [ArgumentType],
        gives: ReturnType,
        kernel: fn(&Arguments<'_>) -> Result<ArrayRef, Problem>,
    ) -> Self {
        Self { name, takes, repeats: false, gives, kernel, fallible: false, grows: TextGrowth::Not }
    }

    const fn fallible(self) -> Self {
        Self { fallible: true, ..self }
    }

    const fn repeating(self) -> Self {
        Self { repeats: true, ..self }
    }

    const fn of_case(self) -> Self {
        Self { grows: TextGrowth::ByCase, ..self }
    }

    /// Marks a function that fails if the text gets too long.
    const fn growing(self, grows: TextGrowth) -> Self {
        Self { grows, fallible: true, ..self }
    }

    /// Returns the type that the argument at this index is converted to.
    pub(crate) fn takes(&self, index: usize) -> Option<ArgumentType> {
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

impl ArgumentType {
    /// Returns the type that `argument` is converted to, and the cost of the conversion; `None` if
    /// it cannot be converted.
    pub(crate) fn target(self, argument: &Expr) -> Option<(DataType, u32)> {
        let from = &argument.data_type;
        let untyped = argument.is_untyped();
        let exactly = |to: DataType| {
            let cost = if *from == to { 0 } else { 1 };
            (untyped || *from == to).then_some((to, cost))
        };
        match self {
            Self::Text => exactly(DataType::Utf8),
            Self::AnyAsText => Some((DataType::Utf8, 0)),
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

impl fmt::Display for ArgumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::AnyAsText => "any",
            Self::Whole => "bigint",
            Self::Float => "double precision",
            Self::Decimal => "numeric",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Interval => "interval",
        })
    }
}

/// Names of the functions that the binder resolves itself, and of the aggregates.
const OTHERS: &[&str] = &[
    "coalesce", "nullif", "greatest", "least", "mod", "cast", "case", "count", "sum", "min", "max",
    "avg",
];

fn table() -> impl Iterator<Item = &'static Function> {
    [text::FUNCTIONS, number::FUNCTIONS, time::FUNCTIONS].into_iter().flatten()
}

/// The reason why a call resolves to no function.
pub(crate) enum Unresolved {
    /// No function has the name; the message suggests similar names.
    Name(String),
    /// The functions of the name take other arguments; the message lists them.
    Arguments(String),
}

/// Returns the function that a call resolves to.
///
/// # Errors
/// The message, if there is none.
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
    let takes: Vec<_> = function.takes.iter().map(ArgumentType::to_string).collect();
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
