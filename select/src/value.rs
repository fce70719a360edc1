//! Values that come from outside a file: literals of the text and parameters.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::interval::Interval;

/// One typed value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// NULL, of whatever type the place needs.
    Null,
    /// true or false
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

/// Most digits of a decimal, as in Arrow's `Decimal128`.
pub(crate) const DECIMAL_DIGITS_MAX: u8 = 38;

impl Value {
    /// The number that `text` writes: whole numbers of 64 bits as integers, others as decimals.
    /// An exponent moves the point; where that takes more than 38 digits, the number is the nearest
    /// float. `None` when it is no number, or one without exponent of more than 38 digits.
    pub fn number(text: &str) -> Option<Self> {
        Self::exact_number(text).or_else(|| {
            let is_scientific = text.contains(['e', 'E']);
            text.parse()
                .ok()
                .filter(|float: &f64| is_scientific && float.is_finite())
                .map(Self::Float)
        })
    }

    fn exact_number(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let unsigned = whole.strip_prefix(['-', '+']).unwrap_or(whole);
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits_only(unsigned) || !digits_only(fraction) || unsigned.len() + fraction.len() == 0
        {
            return None;
        }
        let mut digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let mut scale = i32::try_from(fraction.len()).ok()? - i32::from(exponent);
        while scale < 0 && digits != 0 {
            digits = digits.checked_mul(10)?;
            scale += 1;
        }
        if text.contains(['.', 'e', 'E']) {
            Self::decimal(digits, scale.max(0))
        } else {
            Self::whole(digits)
        }
    }

    /// The calendar date that `text` writes as YYYY-MM-DD.
    pub fn date(text: &str) -> Option<Self> {
        let date = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        i32::try_from(days).ok().map(Self::Date)
    }

    /// The time that `text` writes as YYYY-MM-DD, alone or with HH:MM or HH:MM:SS and a fraction
    /// behind a space or a T; what is finer than a microsecond is cut off.
    pub fn timestamp(text: &str) -> Option<Self> {
        const FORMATS: &[&str] =
            &["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
        let text = text.trim();
        let time = FORMATS
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .or_else(|| {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                Some(date.and_time(NaiveTime::default()))
            })?;
        let micros =
            time.signed_duration_since(DateTime::UNIX_EPOCH.naive_utc()).num_microseconds()?;
        Some(Self::Timestamp(micros))
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Integer(_) | Self::Float(_) | Self::Decimal { .. })
    }

    /// The number with the other sign; other values as they are.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Integer(value) => match value.checked_neg() {
                Some(value) => Self::Integer(value),
                None => Self::Decimal { digits: -i128::from(value), scale: 0 },
            },
            // The smallest 64-bit integer is written as a sign and a number one too large.
            Self::Decimal { digits, scale: 0 } => i64::try_from(-digits)
                .map_or(Self::Decimal { digits: -digits, scale: 0 }, Self::Integer),
            Self::Decimal { digits, scale } => Self::Decimal { digits: -digits, scale },
            Self::Float(value) => Self::Float(-value),
            other => other,
        }
    }

    fn whole(digits: i128) -> Option<Self> {
        i64::try_from(digits)
            .map_or_else(|_too_wide| Self::decimal(digits, 0), |v| Some(Self::Integer(v)))
    }

    fn decimal(digits: i128, scale: i32) -> Option<Self> {
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= DECIMAL_DIGITS_MAX)?;
        let fits = digits.unsigned_abs() < 10_u128.pow(u32::from(DECIMAL_DIGITS_MAX));
        fits.then_some(Self::Decimal { digits, scale })
    }
}
