//! The types that the fields of text files have, and their words in a descriptor.

use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};

use crate::types::type_name;

/// The type of a field of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// `true` or `false` in any case.
    Boolean,
    /// A whole number of 64 bits.
    Int64,
    /// A float of 64 bits.
    Float64,
    /// An exact number.
    Decimal {
        /// Digits of the number; 38 at most.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// YYYY-MM-DD
    Date,
    /// `YYYY-MM-DD[T ]HH:MM:SS[.ffffff][Z]` in microseconds.
    Timestamp,
    /// Any text in UTF-8.
    Text,
    /// Any value of a JSON text, as text.
    Json,
}

impl FieldType {
    /// The words of a descriptor. Arrow's names of the same types are read, too.
    pub(crate) const WORDS: &str =
        "boolean, bigint, double precision, numeric(p,s), date, timestamp, text";

    /// Reads the word of a descriptor.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "boolean" => FieldType::Boolean,
            "bigint" | "int64" => FieldType::Int64,
            "double precision" | "float64" => FieldType::Float64,
            "date" => FieldType::Date,
            "timestamp" => FieldType::Timestamp,
            "text" => FieldType::Text,
            _ => {
                let arguments = word.strip_prefix("numeric(").or(word.strip_prefix("decimal("))?;
                let arguments = arguments.strip_suffix(')')?;
                let (precision, scale) = arguments.split_once(',')?;
                let precision = precision.trim().parse().ok()?;
                let scale = scale.trim().parse().ok()?;
                if !(1..=38).contains(&precision) || scale > precision {
                    return None;
                }
                FieldType::Decimal { precision, scale }
            }
        })
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            FieldType::Boolean => DataType::Boolean,
            FieldType::Int64 => DataType::Int64,
            FieldType::Float64 => DataType::Float64,
            FieldType::Decimal { precision, scale } => {
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            FieldType::Date => DataType::Date32,
            FieldType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            FieldType::Text | FieldType::Json => DataType::Utf8,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldType::Json => f.write_str("json"),
            other => f.write_str(&type_name(&other.data_type())),
        }
    }
}
