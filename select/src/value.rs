//! Values that do not come from a file: literals of the text and parameters.

pub(crate) mod common;
pub(crate) mod interval;
pub(crate) mod parse;
pub(crate) mod render;
pub(crate) mod scalar;

use interval::Interval;
use parse::{number, time};
use sift_files::types::DECIMAL_DIGITS_MAX;

/// One typed value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value {
    /// NULL, of the type that its context needs.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A binary floating-point number.
    Float(f64),
    /// An exact decimal: `digits` divided by 10 to the power of `scale`.
    Decimal {
        /// All digits, with the sign.
        digits: i128,
        /// Digits after the point, 0 to 38.
        scale: u8,
    },
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00, without a time zone.
    Timestamp(i64),
    /// A length of time.
    Interval(Interval),
}

impl PartialEq for Value {
    /// Returns whether both mean the same everywhere: NaN equals NaN, 0.0 and -0.0 differ.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(left), Self::Boolean(right)) => left == right,
            (Self::Integer(left), Self::Integer(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => {
                left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
            }
            (
                Self::Decimal { digits: left, scale: left_scale },
                Self::Decimal { digits: right, scale: right_scale },
            ) => (left, left_scale) == (right, right_scale),
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Binary(left), Self::Binary(right)) => left == right,
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Timestamp(left), Self::Timestamp(right)) => left == right,
            (Self::Interval(left), Self::Interval(right)) => left == right,
            _ => false,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Value {
    /// Returns the number that a literal writes: an integer if it fits into 64 bits and has neither
    /// point nor exponent, else a decimal. If the exponent needs more than 38 digits, the number is
    /// the nearest float. Returns `None` if the text is not a number, or has more than 38 digits
    /// and no exponent.
    pub fn number(text: &str) -> Option<Self> {
        number::exact(text).or_else(|| {
            let is_scientific = text.contains(['e', 'E']);
            let float = number::float64(text).filter(|float| is_scientific && float.is_finite());
            float.map(Self::Float)
        })
    }

    /// Returns the date that a text means, as in `DATE '2024-02-28'`; `None` if it is not a date.
    pub fn date(text: &str) -> Option<Self> {
        time::date(text).map(Self::Date)
    }

    /// Returns the timestamp that a text means, as in `TIMESTAMP '2024-02-28 10:00'`; `None` if it
    /// is not a timestamp.
    pub fn timestamp(text: &str) -> Option<Self> {
        time::timestamp(text).map(Self::Timestamp)
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_) | Self::Decimal { .. })
    }

    /// Returns a number with the opposite sign, and other values unchanged.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Integer(value) => match value.checked_neg() {
                Some(value) => Self::Integer(value),
                None => Self::Decimal { digits: -i128::from(value), scale: 0 },
            },
            // The smallest 64-bit integer is written as a sign and a number one too large.
            Self::Decimal { digits, scale: 0 } if digits == -i128::from(i64::MIN) => {
                Self::Integer(i64::MIN)
            }
            Self::Decimal { digits, scale } => Self::Decimal { digits: -digits, scale },
            Self::Float(value) => Self::Float(-value),
            other => other,
        }
    }

    pub(crate) fn decimal(digits: i128, scale: i32) -> Option<Self> {
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= DECIMAL_DIGITS_MAX)?;
        let fits = digits.unsigned_abs() < 10_u128.pow(u32::from(DECIMAL_DIGITS_MAX));
        fits.then_some(Self::Decimal { digits, scale })
    }
}
