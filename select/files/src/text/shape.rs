//! The type of some texts that have none given.
//!
//! It is the narrowest that holds every value that is not NULL: boolean, whole number, exact
//! decimal where all have the same number of digits after the point (as amounts of money do), other
//! number, date, timestamp, else text. Leading zeros and `+` make text: such a field is a code.
//! `NaN` and `inf` are floats.
//!
//! A value gets the same verdict in the sample and after it: [`value::is_plain_number`] decides
//! here and where values are decoded.

use super::value;
use super::value::DIGITS_MAX;
use crate::field_type::FieldType;

/// Records that are looked at.
pub const RECORDS_MAX: usize = 10_000;

/// The digits that a decimal has at least, so that larger values than those of the sample fit.
const DECIMAL_DIGITS: usize = 18;

/// The form that all values of a field have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    Boolean,
    /// Digits before and after the point; a whole number may be beyond 64 bits.
    Exact {
        whole: usize,
        scale: usize,
        wide: bool,
    },
    Float,
    Date,
    Timestamp,
    Text,
}

impl Shape {
    /// Returns the shape of a text of any type.
    pub(crate) fn of(text: &[u8]) -> Self {
        if value::boolean(text).is_some() {
            Shape::Boolean
        } else {
            Shape::of_number(text).unwrap_or_else(|| Shape::of_string(text))
        }
    }

    /// Returns the shape of a text that is neither a number nor a boolean.
    pub(crate) fn of_string(text: &[u8]) -> Self {
        if value::date(text).is_some() {
            Shape::Date
        } else if value::timestamp(text).is_some() {
            Shape::Timestamp
        } else {
            Shape::Text
        }
    }

    /// Returns the shape of a number; `None` if it is none, or may be a code.
    pub(crate) fn of_number(text: &[u8]) -> Option<Self> {
        if !value::is_plain_number(text) {
            return None;
        }
        let magnitude = text.strip_prefix(b"-").unwrap_or(text);
        let whole = magnitude.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let exact = |scale, wide| Some(Shape::Exact { whole, scale, wide });
        match magnitude.get(whole..)? {
            [] if whole > 0 => exact(0, value::int64(text).is_none()),
            [b'.', fraction @ ..]
                if !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit) =>
            {
                exact(fraction.len(), false)
            }
            _ => value::float64(text).map(|_| Shape::Float),
        }
    }

    /// Returns the shape that two values have in common.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Shape::Exact { whole: a, scale, wide: v },
                Shape::Exact { whole: b, scale: t, wide: w },
            ) if scale == t => Shape::Exact { whole: a.max(b), scale, wide: v | w },
            (Shape::Exact { .. } | Shape::Float, Shape::Exact { .. } | Shape::Float) => {
                Shape::Float
            }
            _ if self == other => self,
            _ => Shape::Text,
        }
    }

    pub(crate) fn kind(self) -> FieldType {
        match self {
            Shape::Boolean => FieldType::Boolean,
            Shape::Exact { scale: 0, wide: false, .. } => FieldType::Int64,
            Shape::Exact { scale: 0, .. } => FieldType::Decimal { precision: 38, scale: 0 },
            Shape::Exact { whole, scale, .. } => {
                let precision = (whole + scale).clamp(DECIMAL_DIGITS, DIGITS_MAX);
                let byte = |digits: usize| u8::try_from(digits).unwrap_or(38);
                FieldType::Decimal { precision: byte(precision), scale: byte(scale) }
            }
            Shape::Float => FieldType::Float64,
            Shape::Date => FieldType::Date,
            Shape::Timestamp => FieldType::Timestamp,
            Shape::Text => FieldType::Text,
        }
    }
}
