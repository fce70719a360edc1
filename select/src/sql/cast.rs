//! The types that CAST and `::` name, lowered to Arrow's.

use arrow::datatypes::DataType;
use sqlparser::ast;

use super::position::{refuse, unsupported};
use super::syntax::{CastTarget, Expr, ExprKind, Position};
use crate::{ErrorKind, Result};
use sift_files::types::{DECIMAL_DIGITS_MAX, INTERVAL, TIMESTAMP};

/// The longest length that `varchar(n)` takes, as in PostgreSQL.
const CHARACTERS_MAX: u64 = 10_485_760;

/// Lowers `CAST(operand AS data_type)`, at the position of its operand.
pub(super) fn lower_cast(
    kind: &ast::CastKind,
    operand: Expr,
    data_type: &ast::DataType,
    format: Option<&ast::CastFormat>,
) -> Result<Expr> {
    let at = operand.at;
    if !matches!(kind, ast::CastKind::Cast | ast::CastKind::DoubleColon) {
        return unsupported(at, "TRY_CAST or SAFE_CAST");
    }
    refuse(at, format.is_some(), "CAST with FORMAT")?;
    let to = lower_type(data_type, at)?;
    Ok(Expr { at, kind: ExprKind::Cast { operand: Box::new(operand), to } })
}

fn lower_type(data_type: &ast::DataType, at: Position) -> Result<CastTarget> {
    use ast::DataType as Written;
    Ok(CastTarget::Type(match data_type {
        Written::Boolean | Written::Bool => DataType::Boolean,
        Written::SmallInt(None) | Written::Int2(None) => DataType::Int16,
        Written::Int(None) | Written::Integer(None) | Written::Int4(None) => DataType::Int32,
        Written::BigInt(None) | Written::Int8(None) => DataType::Int64,
        Written::Real | Written::Float4 => DataType::Float32,
        Written::Float8
        | Written::DoublePrecision
        | Written::Double(ast::ExactNumberInfo::None)
        | Written::Float(ast::ExactNumberInfo::None) => DataType::Float64,
        Written::Numeric(info) | Written::Decimal(info) | Written::Dec(info) => {
            return lower_decimal(info, at);
        }
        Written::Text => DataType::Utf8,
        Written::Varchar(length)
        | Written::CharacterVarying(length)
        | Written::CharVarying(length) => {
            return match length {
                None => Ok(CastTarget::Type(DataType::Utf8)),
                Some(length) => lower_length(length, at).map(CastTarget::Varchar),
            };
        }
        Written::Char(length) | Written::Character(length) => {
            return match length {
                None => Ok(CastTarget::Char(1)),
                Some(length) => lower_length(length, at).map(CastTarget::Char),
            };
        }
        Written::Date => DataType::Date32,
        Written::Timestamp(None, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
            TIMESTAMP
        }
        Written::Interval { fields: None, precision: None } => INTERVAL,
        other => return unsupported(at, format!("CAST to {other}")),
    }))
}

fn lower_decimal(info: &ast::ExactNumberInfo, at: Position) -> Result<CastTarget> {
    let (precision, scale) = match *info {
        ast::ExactNumberInfo::None => return Ok(CastTarget::Numeric),
        ast::ExactNumberInfo::Precision(precision) => (precision, 0),
        ast::ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let bound = u64::from(DECIMAL_DIGITS_MAX);
    let precision = u8::try_from(precision).ok().filter(|p| (1..=bound).contains(&u64::from(*p)));
    let scale = i8::try_from(scale).ok().filter(|scale| *scale >= 0);
    match (precision, scale) {
        (Some(precision), Some(scale)) if scale.unsigned_abs() <= precision => {
            Ok(CastTarget::Type(DataType::Decimal128(precision, scale)))
        }
        _ => {
            let message = format!(
                "a decimal has 1 to {DECIMAL_DIGITS_MAX} digits, at most all of them after the point"
            );
            Err(at.error(ErrorKind::TypeMismatch, message))
        }
    }
}

fn lower_length(length: &ast::CharacterLength, at: Position) -> Result<u32> {
    match length {
        ast::CharacterLength::IntegerLength { length, unit: None }
            if (1..=CHARACTERS_MAX).contains(length) =>
        {
            Ok(u32::try_from(*length).unwrap_or(u32::MAX))
        }
        _ => {
            let message = format!("the length of a text is 1 to {CHARACTERS_MAX} characters");
            Err(at.error(ErrorKind::TypeMismatch, message))
        }
    }
}
