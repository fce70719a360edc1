//! Values read from text, as PostgreSQL's input functions read them.
//!
//! A text has the value that PostgreSQL 15 gives it, or it is refused; no text is read as another
//! value. PostgreSQL accepts more spellings. The counterpart is [`render`](super::render).

pub(crate) mod interval;
pub(crate) mod number;
#[cfg(test)]
mod tests;
pub(crate) mod time;

use arrow::datatypes::DataType;

use super::Value;

/// Longest text of a time or an interval, in bytes. PostgreSQL's is a little longer.
const TEXT_BYTES_MAX: usize = 128;

/// Returns whether PostgreSQL skips a character before and after a value: ASCII white space only.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Returns the text without the white space around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Returns the value of type `to` that a text means.
pub(crate) fn value(text: &str, to: &DataType) -> Option<Value> {
    match to {
        DataType::Boolean => boolean(text).map(Value::Boolean),
        DataType::Float32 => number::float32(text).map(|value| Value::Float(value.into())),
        DataType::Float64 => number::float64(text).map(Value::Float),
        DataType::Decimal128(..) => number::exact(text),
        DataType::Date32 => time::date(text).map(Value::Date),
        DataType::Timestamp(..) => time::timestamp(text).map(Value::Timestamp),
        DataType::Interval(_) => interval::parse(text).map(Value::Interval),
        to if to.is_integer() => number::whole(text).map(Value::Integer),
        _ => None,
    }
}

/// Returns the boolean that a text means: `on`, `1`, `off`, `0`, or the beginning of `true`, `yes`,
/// `false` or `no`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    let text = trim(text).to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "on" | "1" => Some(true),
        "of" | "off" | "0" => Some(false),
        _ if begins("true") || begins("yes") => Some(true),
        _ if begins("false") || begins("no") => Some(false),
        _ => None,
    }
}
