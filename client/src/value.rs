//! The typed values of parameters.

use std::fmt;
use std::str::FromStr;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::Date32Type;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use sift_proto::message;
use sift_proto::message::value::Kind;

use crate::alike::nearest;
use crate::error::Usage;

/// The maximal number of digits of a decimal: the precision of Arrow's decimal128.
const DECIMAL_DIGITS_MAX: usize = 38;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// NULL, of the type that its place in the Select requires.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer of 64 bits.
    Integer(i64),
    /// A binary floating-point number.
    Float(f64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A date, as the number of days since 1970-01-01.
    Date(i32),
    /// A timestamp without a time zone, as microseconds since 1970-01-01T00:00:00.
    Timestamp(i64),
}

/// The digits of an exact decimal: an optional sign, digits, an optional point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Value {
    /// Makes an exact decimal from a text such as `-12.50`.
    ///
    /// # Errors
    /// [`Usage::Value`] if the text is not a decimal of at most 38 digits.
    pub fn decimal(text: &str) -> Result<Self, Usage> {
        text.parse().map(Self::Decimal)
    }

    /// Makes a date from a text such as `2024-02-29`.
    ///
    /// # Errors
    /// [`Usage::Value`] if the text is not a date.
    pub fn date(text: &str) -> Result<Self, Usage> {
        let days = days(text).map(Self::Date);
        days.ok_or_else(|| wrong(text, "a date; give YYYY-MM-DD"))
    }

    /// Makes a timestamp without a time zone from a text such as `2024-02-29T12:30:00.25`.
    ///
    /// # Errors
    /// [`Usage::Value`] if the text is not a timestamp, or is finer than microseconds.
    pub fn timestamp(text: &str) -> Result<Self, Usage> {
        let expected = "a timestamp; give YYYY-MM-DDTHH:MM:SS.ffffff without a zone";
        micros(text).map(Self::Timestamp).ok_or_else(|| wrong(text, expected))
    }

    /// Reads a value as people write it on a command line. It is `TYPE:VALUE`, where the type is
    /// one of `text`, `integer`, `decimal`, `float`, `boolean`, `date`, `timestamp` and `null`, or
    /// a bare value. A bare value is an integer or a decimal if it looks like one, and otherwise a
    /// text. A text is converted to the type that it is compared with, so `007` is a number beside
    /// numbers and keeps its zeros beside texts. An argument that begins with a letter and has a
    /// colon needs its type, so a misspelled type never becomes a text: `text:http://x`. But
    /// `12:30` is a text without a type.
    ///
    /// # Errors
    /// [`Usage::Value`] if the value does not have its type, [`Usage::ParameterType`].
    pub fn from_argument(argument: &str) -> Result<Self, Usage> {
        match argument.split_once(':') {
            Some((name, text)) if name.starts_with(char::is_alphabetic) => {
                Self::of_type(name, text, argument)
            }
            _ if has_leading_zero(argument) => Ok(Self::Text(argument.to_owned())),
            _ => Ok(match argument.parse() {
                Ok(integer) => Self::Integer(integer),
                Err(_not_an_integer) => match argument.parse() {
                    Ok(decimal) => Self::Decimal(decimal),
                    Err(_not_a_decimal) => Self::Text(argument.to_owned()),
                },
            }),
        }
    }

    fn of_type(name: &str, text: &str, argument: &str) -> Result<Self, Usage> {
        let parsed = |expected| move || wrong(argument, expected);
        match name {
            "text" => Ok(Self::Text(text.to_owned())),
            "integer" => {
                text.parse().map(Self::Integer).ok().ok_or_else(parsed("an integer of 64 bits"))
            }
            "decimal" => Self::decimal(text),
            "float" => float(text).map(Self::Float).ok_or_else(parsed("a floating-point number")),
            "boolean" => text.parse().map(Self::Boolean).ok().ok_or_else(parsed("true or false")),
            "date" => Self::date(text),
            "timestamp" => Self::timestamp(text),
            "null" if text.is_empty() => Ok(Self::Null),
            "null" => Err(wrong(argument, "NULL, which is `null:` with nothing after it")),
            _ => Err(unknown_type(name)),
        }
    }
}

/// The types that [`Value::from_argument`] accepts.
const TYPES: [&str; 8] =
    ["text", "integer", "decimal", "float", "boolean", "date", "timestamp", "null"];

/// The maximal number of characters of an unknown type that an error shows.
const TYPE_CHARS_MAX: usize = 40;

fn unknown_type(name: &str) -> Usage {
    let nearest = nearest(name, TYPES);
    Usage::ParameterType {
        name: name.chars().take(TYPE_CHARS_MAX).collect(),
        known: TYPES.join(", "),
        hint: nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default(),
    }
}

/// Parses a number of exactly `count` digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Returns the days from 1970-01-01 to `YYYY-MM-DD`.
fn days(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let lengths = [4, 2, 2];
    let is_date =
        lengths.iter().all(|count| parts.next().is_some_and(|p| digits(p, *count).is_some()));
    Date32Type::parse(text).filter(|_| is_date && !text.starts_with("0000"))
}

/// Returns the microseconds from 1970-01-01T00:00:00 to `YYYY-MM-DD[THH:MM[:SS[.ffffff]]]`.
fn micros(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = time.splitn(3, ':');
    let hours = digits(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(parts.next()?, 2).filter(|minutes| *minutes < 60)?;
    let (seconds, fraction) = match parts.next() {
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "0")),
        None => ("00", "0"),
    };
    let seconds = digits(seconds, 2).filter(|seconds| *seconds < 60)?;
    let fraction = format!("{fraction:0<6}");
    let micros = digits(&fraction, 6)?;
    let minutes = (i64::from(days(day)?) * 24 + hours) * 60 + minutes;
    Some((minutes * 60 + seconds) * 1_000_000 + micros)
}

/// Returns the nearest float, if the number is neither beyond all floats nor lost to zero.
fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let mantissa = text.split(['e', 'E']).next()?;
    let overflows = value.is_infinite() && mantissa.contains(|c: char| c.is_ascii_digit());
    let underflows = value == 0.0 && mantissa.contains(|c: char| ('1'..='9').contains(&c));
    (!overflows && !underflows).then_some(value)
}

/// Returns whether a number would lose zeros before its digits.
fn has_leading_zero(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text).as_bytes();
    matches!(digits, [b'0', b'0'..=b'9', ..])
}

impl FromStr for Decimal {
    type Err = Usage;

    fn from_str(text: &str) -> Result<Self, Usage> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let count = whole.len() + fraction.len();
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if count == 0 || count > DECIMAL_DIGITS_MAX || !all_digits(whole) || !all_digits(fraction) {
            return Err(wrong(text, "a decimal of 1 to 38 digits, as in -12.50"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Reads the digits of a decimal column, or a text in the same form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal of 1 to 38 digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Digits)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn wrong(value: &str, expected: &'static str) -> Usage {
    Usage::Value { value: value.to_owned(), expected }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $result:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $result
            }
        })*
    };
}

from! {
    bool => |value| Self::Boolean(value);
    i8 => |value| Self::Integer(value.into());
    i16 => |value| Self::Integer(value.into());
    i32 => |value| Self::Integer(value.into());
    i64 => |value| Self::Integer(value);
    u8 => |value| Self::Integer(value.into());
    u16 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    f32 => |value| Self::Float(value.into());
    f64 => |value| Self::Float(value);
    Decimal => |value| Self::Decimal(value);
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    &[u8] => |value| Self::Binary(value.to_vec());
    Vec<u8> => |value| Self::Binary(value);
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&Value> for message::Value {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null(true),
            Value::Boolean(value) => Kind::Boolean(*value),
            Value::Integer(value) => Kind::Integer(*value),
            Value::Float(value) => Kind::Float(*value),
            Value::Decimal(value) => Kind::Decimal(value.0.clone()),
            Value::Text(value) => Kind::Text(value.clone()),
            Value::Binary(value) => Kind::Binary(value.clone()),
            Value::Date(value) => Kind::Date(*value),
            Value::Timestamp(value) => Kind::Timestamp(*value),
        };
        Self { kind: Some(kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let decimal = |text: &str| Value::Decimal(Decimal(text.to_owned()));
        for (argument, value) in [
            ("12", Value::Integer(12)),
            ("-9223372036854775808", Value::Integer(i64::MIN)),
            ("9223372036854775808", decimal("9223372036854775808")),
            ("12.50", decimal("12.50")),
            ("text:12", Value::Text("12".into())),
            ("text:", Value::Text(String::new())),
            ("10:30", Value::Text("10:30".into())),
            ("1e5", Value::Text("1e5".into())),
            ("float:1e5", Value::Float(1e5)),
            ("007", Value::Text("007".into())),
            ("0.50", decimal("0.50")),
            ("0", Value::Integer(0)),
            ("date:9999-12-31", Value::Date(2_932_896)),
            ("timestamp:9999-12-31 23:59", Value::Timestamp(253_402_300_740_000_000)),
            ("timestamp:1970-01-02", Value::Timestamp(86_400_000_000)),
            ("date:1970-01-02", Value::Date(1)),
            ("date:1969-12-31", Value::Date(-1)),
            ("timestamp:1970-01-01T00:00:01.5", Value::Timestamp(1_500_000)),
            ("timestamp:1969-12-31 23:59:59.999999", Value::Timestamp(-1)),
            ("boolean:true", Value::Boolean(true)),
            ("null:", Value::Null),
            ("text:http://x", Value::Text("http://x".into())),
            ("::1", Value::Text("::1".into())),
            ("/a:b", Value::Text("/a:b".into())),
        ] {
            assert_eq!(Value::from_argument(argument).unwrap(), value, "{argument}");
        }
        for argument in [
            "integer:x",
            "decimal:1e5",
            "decimal:",
            "decimal:.",
            "date:2023-02-29",
            "date:today",
            "date:24-02-28",
            "date:0000-01-01",
            "date:-0001-01-01",
            "date:2024-2-8",
            "date:2024-01-01T10:00:00",
            "float:1e400",
            "float:1e-400",
            "timestamp:2024-01-01T23:59:59.9999999",
            "timestamp:2024-01-01T24:00:00",
            "timestamp:2024-01-01T23:59:60",
            "timestamp:2024-01-01T10",
            "boolean:1",
            "timestamp:2024-01-01T00:00:00Z",
            "timestamp:2024-01-01T00:00:00+01:00",
            "null:5",
            "http://x",
            "Integer:5",
            "a word: and more",
        ] {
            assert!(Value::from_argument(argument).is_err(), "{argument}");
        }
    }

    #[test]
    fn a_type_with_a_slip_in_it_is_never_a_text() {
        for (argument, hint) in [
            ("intger:5", "did you mean `integer`?"),
            ("int:5", "did you mean `integer`?"),
            ("Date:2024-01-01", "did you mean `date`?"),
            ("string:x", "text:string:"),
        ] {
            let error = Value::from_argument(argument).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
    }
}
