//! Literals, lowered: numbers, texts, parameters, and texts of a named type.

use sqlparser::ast;

use super::cast::lower_cast;
use super::position::{at, refuse, start, unsupported};
use super::syntax::{Expr, ExprKind, Position};
use crate::value::Value;
use crate::value::parse::interval::Unit;
use crate::value::parse::{interval, trim};
use crate::{ErrorKind, Result};

pub(super) fn lower_value(value: &ast::ValueWithSpan) -> Result<Expr> {
    let at = start(value.span);
    let kind = match &value.value {
        ast::Value::Number(digits, false) => {
            let number = Value::number(digits).ok_or_else(|| {
                let message = format!("`{digits}` is not a number of at most 38 digits");
                at.error(ErrorKind::TypeMismatch, message)
            })?;
            ExprKind::Literal(number)
        }
        ast::Value::SingleQuotedString(text) => ExprKind::Literal(Value::Text(text.clone())),
        ast::Value::Boolean(value) => ExprKind::Literal(Value::Boolean(*value)),
        ast::Value::Null => ExprKind::Literal(Value::Null),
        ast::Value::Placeholder(name) => ExprKind::Parameter(lower_placeholder(at, name)?),
        other => return unsupported(at, format!("the literal {other}")),
    };
    Ok(Expr { at, kind })
}

fn lower_placeholder(at: Position, name: &str) -> Result<usize> {
    let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        let message = format!("`{name}` is not a parameter; expected $1, $2, …");
        at.error(ErrorKind::Syntax, message)
    })
}

pub(super) fn lower_typed(typed: &ast::TypedString) -> Result<Expr> {
    let ast::TypedString { data_type, value, uses_odbc_syntax } = typed;
    let at = start(value.span);
    refuse(at, *uses_odbc_syntax, "the ODBC form of a literal")?;
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return unsupported(at, "this form of a literal");
    };
    let literal = ExprKind::Literal(Value::Text(text.clone()));
    let is_plain =
        |zone| matches!(zone, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone);
    let (value, expected) = match data_type {
        ast::DataType::Date => (Value::date(text), "YYYY-MM-DD"),
        ast::DataType::Timestamp(None, zone) if is_plain(*zone) => {
            (Value::timestamp(text), "YYYY-MM-DD HH:MM:SS")
        }
        _ => return lower_cast(&ast::CastKind::Cast, Expr { at, kind: literal }, data_type, None),
    };
    match value {
        Some(value) => Ok(Expr { at, kind: ExprKind::Literal(value) }),
        None => {
            let message = format!("'{text}' is not a {data_type}; expected {expected}");
            Err(at.error(ErrorKind::TypeMismatch, message))
        }
    }
}

/// Lowers `INTERVAL '…'`; a lone number counts the unit after the text.
pub(super) fn lower_interval(interval: &ast::Interval) -> Result<Expr> {
    let ast::Interval {
        value,
        leading_field,
        leading_precision,
        last_field,
        fractional_seconds_precision,
    } = interval;
    let ast::Expr::Value(value) = &**value else {
        return unsupported(at(&**value), "an INTERVAL of anything but a text");
    };
    let here = start(value.span);
    refuse(here, last_field, "an INTERVAL of one unit TO another")?;
    let has_precision = leading_precision.is_some() || fractional_seconds_precision.is_some();
    refuse(here, has_precision, "a precision of INTERVAL")?;
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return unsupported(here, "an INTERVAL of anything but a text");
    };
    let parsed = match leading_field {
        None => interval::parse(text),
        Some(field) => {
            let unit = lower_unit(field, here)?;
            // with a unit, anything finer than the unit would be truncated
            let of_number = |c: char| c.is_ascii_digit() || unit == Unit::Second && c == '.';
            let trimmed = trim(text);
            let unsigned = trim(trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed));
            let is_number = unsigned.chars().all(of_number);
            is_number.then(|| interval::parse_with(text, unit)).flatten()
        }
    };
    let Some(interval) = parsed else {
        let message = format!("'{text}' is not an INTERVAL; expected the like of 1 month 2 days");
        return Err(here.error(ErrorKind::TypeMismatch, message));
    };
    Ok(Expr { at: here, kind: ExprKind::Literal(Value::Interval(interval)) })
}

/// Lowers the unit after an INTERVAL; for PostgreSQL any other word there is an alias of the
/// column.
fn lower_unit(field: &ast::DateTimeField, here: Position) -> Result<Unit> {
    Ok(match field {
        ast::DateTimeField::Year => Unit::Year,
        ast::DateTimeField::Month => Unit::Month,
        ast::DateTimeField::Day => Unit::Day,
        ast::DateTimeField::Hour => Unit::Hour,
        ast::DateTimeField::Minute => Unit::Minute,
        ast::DateTimeField::Second => Unit::Second,
        other => {
            let what = format!("the unit {other} after an INTERVAL; write it in the text, it");
            return unsupported(here, what);
        }
    })
}

pub(super) fn lower_escape(escape: Option<&ast::ValueWithSpan>) -> Result<Option<char>> {
    let Some(escape) = escape else { return Ok(Some('\\')) };
    let text = match &escape.value {
        ast::Value::SingleQuotedString(text) => text,
        other => return unsupported(start(escape.span), format!("ESCAPE {other}")),
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => {
            let message = format!("ESCAPE '{text}': expected one character or none");
            Err(start(escape.span).error(ErrorKind::Syntax, message))
        }
    }
}
