//! Converts the parameters of a Select from messages to values.

use sift_proto::message::{self, value::Kind};
use sift_select::Value;

use crate::fault::Fault;

/// The maximal number of parameters. A text of 64 KiB has no use for more.
const PARAMETERS_MAX: usize = 4096;

/// The maximal number of digits of a decimal, before and after the point together, as in
/// decimal128.
const DIGITS_MAX: usize = 38;

/// Returns the values in order.
///
/// # Errors
/// `TooLarge` for too many parameters; `Parameter` for a parameter without a value, or for an
/// invalid decimal.
pub(crate) fn from_message(values: Vec<message::Value>) -> Result<Vec<Value>, Fault> {
    if values.len() > PARAMETERS_MAX {
        let (got, max) = (values.len(), PARAMETERS_MAX);
        return Err(Fault::TooLarge { what: "list", got, max, unit: "parameters" });
    }
    let numbered = values.into_iter().zip(1..);
    numbered
        .map(|(value, number)| one(value).map_err(|why| Fault::Parameter { number, why }))
        .collect()
}

fn one(value: message::Value) -> Result<Value, String> {
    Ok(match value.kind {
        None => return Err("no value, of a kind that this server does not know perhaps".to_owned()),
        Some(Kind::Null(_)) => Value::Null,
        Some(Kind::Boolean(boolean)) => Value::Boolean(boolean),
        Some(Kind::Integer(integer)) => Value::Integer(integer),
        Some(Kind::Float(float)) => Value::Float(float),
        Some(Kind::Decimal(text)) => decimal(&text)?,
        Some(Kind::Text(text)) => Value::Text(text),
        Some(Kind::Binary(bytes)) => Value::Binary(bytes),
        Some(Kind::Date(days)) => Value::Date(days),
        Some(Kind::Timestamp(micros)) => Value::Timestamp(micros),
    })
}

/// Parses a sign, digits, a point and digits. There is no exponent and no space, and nothing is
/// rounded.
fn decimal(text: &str) -> Result<Value, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let length = whole.len() + fraction.len();
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if length == 0 || length > DIGITS_MAX || !all_digits {
        let shown: String = text.chars().take(60).collect();
        return Err(format!("`{shown}` is not a decimal of 1 to {DIGITS_MAX} digits"));
    }
    let magnitude: i128 =
        format!("{whole}{fraction}").parse().map_err(|_parse| "too many digits".to_owned())?;
    let digits = if text.starts_with('-') { -magnitude } else { magnitude };
    let scale = u8::try_from(fraction.len()).map_err(|_parse| "too many digits".to_owned())?;
    Ok(Value::Decimal { digits, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let cases =
            [("12.50", 1250, 2), ("-0.07", -7, 2), ("+3", 3, 0), (".5", 5, 1), ("5.", 5, 0)];
        for (text, digits, scale) in cases {
            assert_eq!(decimal(text), Ok(Value::Decimal { digits, scale }), "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        let long = "1".repeat(39);
        for text in ["", "-", ".", "1e5", "1.2.3", " 1", "0x10", "--1", "-+1", "١", &long] {
            assert!(decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_named_by_number() {
        let null = message::Value { kind: Some(Kind::Null(true)) };
        let fault = from_message(vec![null, message::Value { kind: None }]).unwrap_err();
        assert!(fault.to_string().starts_with("$2: "), "{fault}");
    }
}
