//! Coercion: literals take the type of their context, operands are brought to one type, and
//! constants are computed.

use std::fmt;

use arrow::array::Scalar;
use arrow::datatypes::{DataType, TimeUnit};

use super::mismatch;
use crate::expr::{Expr, ExprKind, Literal, eval};
use crate::sql::syntax::Position;
use crate::value::parse::number;
use crate::value::{Value, common, scalar};
use crate::{Error, Result};
use sift_files::types::type_name;

/// Makes a literal of its own type; NULL is a text until something coerces it.
pub(super) fn literal(value: Value, at: Position) -> Result<Expr> {
    let data_type = scalar::type_of(&value);
    let is_untyped = matches!(value, Value::Text(_) | Value::Null);
    literal_of(&value, &data_type, is_untyped)
        .ok_or_else(|| mismatch(at, format!("the value does not fit {}", type_name(&data_type))))
}

pub(super) fn typed_literal(value: &Value, data_type: &DataType) -> Option<Expr> {
    literal_of(value, data_type, false)
}

fn literal_of(value: &Value, data_type: &DataType, is_untyped: bool) -> Option<Expr> {
    let scalar = scalar::scalar(value, data_type)?;
    let kind = ExprKind::Literal(Literal { value: value.clone(), scalar, is_untyped });
    Some(Expr { data_type: data_type.clone(), kind })
}

/// Brings an expression to a type, if PostgreSQL casts it implicitly.
///
/// # Errors
/// The type that was found instead, for the message.
pub(super) fn coerce(expr: Expr, to: &DataType) -> std::result::Result<Expr, String> {
    if expr.data_type == *to {
        return Ok(expr);
    }
    match &expr.kind {
        // it was cast or computed, and is a text
        ExprKind::Literal(_) if expr.data_type == DataType::Utf8 && !expr.is_untyped() => {}
        ExprKind::Literal(Literal { value, .. }) => {
            if let Some(literal) = typed_literal(value, to) {
                return Ok(literal);
            }
            if let Value::Text(text) = value {
                return Err(format!("'{text}', which is not a valid {}", type_name(to)));
            }
        }
        _ => {}
    }
    let found = type_name(&expr.data_type);
    let implicit = match (&expr.data_type, to) {
        (from, DataType::Decimal128(..)) => from.is_integer() || from.is_decimal(),
        (from, DataType::Float64) => from.is_numeric() || from.is_decimal(),
        (from, DataType::Int64) => from.is_integer(),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)) => true,
        _ => false,
    };
    if implicit {
        Ok(fold(Expr { data_type: to.clone(), kind: ExprKind::Cast(Box::new(expr)) }))
    } else {
        Err(found)
    }
}

/// Brings an expression to the type in which it is compared. A literal beyond all decimals is
/// replaced by one with more digits than any decimal has.
fn coerce_compared(expr: Expr, to: &DataType) -> std::result::Result<Expr, String> {
    if let ExprKind::Literal(Literal { value, .. }) = &expr.kind
        && let Some(scalar) = scalar::beyond(value, to)
    {
        let kind = ExprKind::Literal(Literal { value: value.clone(), scalar, is_untyped: false });
        return Ok(Expr { data_type: to.clone(), kind });
    }
    coerce(expr, to)
}

/// The purpose for which operands are brought to one type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Compare,
    /// One of them becomes the value, or is looked up in the others.
    Merge,
}

impl Purpose {
    /// Returns whether a literal may take the type.
    fn fits(self, value: &Value, to: &DataType) -> bool {
        match self {
            Self::Compare => scalar::compares_as(value, to),
            Self::Merge => scalar::represents(value, to),
        }
    }

    fn common(self, types: impl IntoIterator<Item = DataType>) -> Option<Option<DataType>> {
        match self {
            Self::Compare => common::common(types),
            Self::Merge => common::merged(types),
        }
    }
}

/// Brings operands that are compared to one type.
pub(super) fn unify<const N: usize>(
    operands: [Expr; N],
    at: Position,
    what: impl fmt::Display,
) -> Result<[Expr; N]> {
    let unified = unify_list(operands.into(), at, what)?;
    unified.try_into().map_err(|_wrong_length| mismatch(at, "an operand was lost".to_owned()))
}

/// Does the same as [`unify`] for any number of operands.
pub(super) fn unify_list(
    operands: Vec<Expr>,
    at: Position,
    what: impl fmt::Display,
) -> Result<Vec<Expr>> {
    let target = common_type(&operands, Purpose::Compare)
        .ok_or_else(|| mismatch(at, format!("{what} cannot compare {}", type_names(&operands))))?;
    let unified = operands.into_iter().map(|operand| {
        coerce_compared(operand, &target).map_err(|found| unexpected(at, &what, &target, &found))
    });
    unified.collect()
}

/// Returns whether comparing the first with each of the others gives the same if all are brought to
/// one type. PostgreSQL compares them in pairs.
pub(super) fn compare_alike(operands: &[Expr]) -> bool {
    let Some((first, others)) = operands.split_first() else { return true };
    let has_untyped = operands.iter().any(Expr::is_untyped);
    // exact numbers compare in the same way whatever their digits are, but a text beside them is
    // read as one of them
    let family = |of: Option<DataType>| match of {
        Some(of) if !has_untyped && common::digits_of(&of).is_some() => Some(DataType::Int64),
        of => of,
    };
    let all = family(common_type(operands, Purpose::Compare));
    others
        .iter()
        .all(|other| family(common_type(&[first.clone(), other.clone()], Purpose::Compare)) == all)
}

/// Brings an operand and the list in which it is looked up to one type. If the list has only
/// constants, two or more, a 32-bit float keeps its type, as in PostgreSQL.
pub(super) fn unify_lookup(operands: Vec<Expr>, at: Position) -> Result<Vec<Expr>> {
    let is_real = operands.first().is_some_and(|operand| operand.data_type == DataType::Float32);
    let has_constants = operands.len() > 2 && operands.iter().skip(1).all(Expr::is_literal);
    match is_real && has_constants {
        true => unify_values(operands, at, "IN"),
        false => unify_list(operands, at, "IN"),
    }
}

/// Brings expressions, one of which becomes the value, to one type.
pub(super) fn unify_values(
    operands: Vec<Expr>,
    at: Position,
    what: impl fmt::Display,
) -> Result<Vec<Expr>> {
    let target = common_type(&operands, Purpose::Merge)
        .ok_or_else(|| mismatch(at, format!("{what} cannot be {}", type_names(&operands))))?;
    let unified = operands.into_iter().map(|operand| {
        coerce_merged(operand, &target).map_err(|found| unexpected(at, &what, &target, &found))
    });
    unified.collect()
}

/// Brings an expression to the type of a value that it may become.
fn coerce_merged(expr: Expr, to: &DataType) -> std::result::Result<Expr, String> {
    let narrows = *to == DataType::Float32 && common::digits_of(&expr.data_type).is_some();
    if narrows && !expr.is_literal() {
        return Ok(fold(Expr { data_type: to.clone(), kind: ExprKind::Cast(Box::new(expr)) }));
    }
    coerce(expr, to)
}

fn unexpected(at: Position, what: impl fmt::Display, target: &DataType, found: &str) -> Error {
    mismatch(at, format!("{what} expected {}, got {found}", type_name(target)))
}

fn type_names(operands: &[Expr]) -> String {
    let mut names: Vec<_> = operands.iter().map(|operand| type_name(&operand.data_type)).collect();
    if names.len() > 2 {
        names.dedup();
    }
    names.join(" with ")
}

/// Returns the common type of operands. A literal takes the type of the others if that fits its
/// value, so that columns are used as they are decoded.
fn common_type(operands: &[Expr], purpose: Purpose) -> Option<DataType> {
    let fixed = operands.iter().filter(|operand| !operand.is_literal());
    let fixed_type = purpose.common(fixed.map(|operand| operand.data_type.clone()));
    let Some(fixed_type) = fixed_type? else {
        let typed = operands.iter().filter(|operand| !operand.is_untyped());
        let Some(common) = purpose.common(typed.map(|operand| operand.data_type.clone()))? else {
            return Some(DataType::Utf8);
        };
        let texts = operands.iter().filter_map(|operand| number_beside(operand, &common));
        let numbers = texts.map(|number| scalar::type_of(&number)).collect::<Vec<_>>();
        return purpose.common(numbers.into_iter().chain([common]))?;
    };
    let mut target = fixed_type;
    for operand in operands.iter().filter(|operand| operand.is_literal()) {
        let ExprKind::Literal(Literal { value, .. }) = &operand.kind else { continue };
        let (value, data_type) = match number_beside(operand, &target) {
            Some(number) => {
                let data_type = scalar::type_of(&number);
                (number, data_type)
            }
            None if operand.is_untyped() => continue,
            None => (value.clone(), operand.data_type.clone()),
        };
        let is_kept = match (&data_type, &target) {
            (DataType::Utf8, target) => *target != DataType::Utf8,
            (DataType::Float64, DataType::Float32) => purpose == Purpose::Merge,
            (data_type, target) => value == Value::Null && data_type != target,
        };
        if is_kept || !purpose.fits(&value, &target) {
            target = purpose.common([target, data_type])??;
        }
    }
    Some(target)
}

/// Returns the number that an untyped text means beside decimals, with all its digits.
pub(super) fn number_beside(operand: &Expr, other: &DataType) -> Option<Value> {
    match &operand.kind {
        ExprKind::Literal(Literal { value: Value::Text(text), is_untyped: true, .. })
            if other.is_decimal() =>
        {
            number::exact(text)
        }
        _ => None,
    }
}

/// Computes a constant subtree. A subtree that fails stays as it is: it fails if a record reaches
/// it.
pub(super) fn fold(expr: Expr) -> Expr {
    if expr.is_literal()
        || expr.children().next().is_none()
        || !expr.children().all(Expr::is_literal)
    {
        return expr;
    }
    let Ok(array) = eval::constant(&expr) else { return expr };
    let value = scalar::value_at(&array, 0);
    let scalar = Scalar::new(array);
    match value {
        Some(value) => {
            let kind = ExprKind::Literal(Literal { value, scalar, is_untyped: false });
            Expr { data_type: expr.data_type, kind }
        }
        None => expr,
    }
}
