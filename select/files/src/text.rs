//! The types that the fields of text files have, and their words in a descriptor.

pub(crate) mod builder;
mod column;
mod shape;
pub mod value;

pub(crate) use column::{Cells, Numbers, column};
pub use shape::RECORDS_MAX;
pub(crate) use shape::Shape;

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int64,
    Float64,
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// YYYY-MM-DD
    Date,
    /// YYYY-MM-DD[T ]HH:MM:SS[.ffffff][Z], microseconds
    Timestamp,
    Text,
    /// Any value of a JSON text, as text.
    Json,
}

impl Kind {
    /// The words of a descriptor.
    pub(crate) const WORDS: &str = "boolean, int64, float64, decimal(p,s), date, timestamp, text";

    /// Reads the word of a descriptor.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "boolean" => Kind::Boolean,
            "int64" => Kind::Int64,
            "float64" => Kind::Float64,
            "date" => Kind::Date,
            "timestamp" => Kind::Timestamp,
            "text" => Kind::Text,
            _ => {
                let arguments = word.strip_prefix("decimal(")?.strip_suffix(')')?;
                let (precision, scale) = arguments.split_once(',')?;
                let precision = precision.trim().parse().ok()?;
                let scale = scale.trim().parse().ok()?;
                if !(1..=38).contains(&precision) || scale > precision {
                    return None;
                }
                Kind::Decimal { precision, scale }
            }
        })
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Kind::Boolean => DataType::Boolean,
            Kind::Int64 => DataType::Int64,
            Kind::Float64 => DataType::Float64,
            Kind::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Text | Kind::Json => DataType::Utf8,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Boolean => f.write_str("boolean"),
            Kind::Int64 => f.write_str("int64"),
            Kind::Float64 => f.write_str("float64"),
            Kind::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Kind::Date => f.write_str("date"),
            Kind::Timestamp => f.write_str("timestamp"),
            Kind::Text => f.write_str("text"),
            Kind::Json => f.write_str("json"),
        }
    }
}
