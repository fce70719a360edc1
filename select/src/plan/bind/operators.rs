//! Binds operators to operands of the types that they take.

use std::collections::HashSet;
use std::fmt;

use arrow::array::Datum;
use arrow::datatypes::DataType;

use super::arithmetic::{Operand, arithmetic as rule};
use super::coerce::{coerce, compare_alike, literal, number_beside, unify, unify_lookup};
use super::{boolean, mismatch};
use crate::expr::functions::{ILIKE, LIKE};
use crate::expr::pattern::Pattern;
use crate::expr::{Expr, ExprKind, Literal, LiteralSet};
use crate::sql::syntax::{ArithmeticOp, CompareOp, PatternLanguage, Position};
use crate::value::{Value, common, scalar};
use crate::{ErrorKind, Result};
use sift_files::types;
use sift_files::types::{INTERVAL, type_name};

/// Shortest list that is looked up in a set; shorter ones are compared value by value.
const SET_LENGTH_MIN: usize = 8;

pub(super) fn negate(operand: Expr, at: Position) -> Result<Expr> {
    let to = match &operand.data_type {
        data_type if data_type.is_integer() => DataType::Int64,
        DataType::Decimal128(..) => operand.data_type.clone(),
        data_type if data_type.is_floating() => DataType::Float64,
        DataType::Interval(_) => INTERVAL,
        other => return Err(mismatch(at, format!("- does not take {}", type_name(other)))),
    };
    let operand =
        coerce(operand, &to).map_err(|found| mismatch(at, format!("- does not take {found}")))?;
    Ok(Expr { data_type: to, kind: ExprKind::Negate(Box::new(operand)) })
}

/// Binds a unary plus, which changes nothing.
pub(super) fn plus(operand: Expr, at: Position) -> Result<Expr> {
    match common::is_number(&operand.data_type) {
        true => Ok(operand),
        false => Err(mismatch(at, format!("+ does not take {}", type_name(&operand.data_type)))),
    }
}

/// Binds `left op right`; `what` is its name in errors.
pub(super) fn compare(
    op: CompareOp,
    left: Expr,
    right: Expr,
    at: Position,
    what: impl fmt::Display,
) -> Result<Expr> {
    let [left, right] = unify([left, right], at, what)?.map(Box::new);
    Ok(boolean(ExprKind::Compare { op, left, right }))
}

pub(super) fn between(operand: Expr, low: Expr, high: Expr, at: Position) -> Result<Expr> {
    let operands = [operand, low, high];
    if compare_alike(&operands) {
        let [operand, low, high] = unify(operands, at, "BETWEEN")?.map(Box::new);
        return Ok(boolean(ExprKind::Between { operand, low, high }));
    }
    let [operand, low, high] = operands;
    let above = compare(CompareOp::GreaterOrEqual, operand.clone(), low, at, "BETWEEN")?;
    let below = compare(CompareOp::LessOrEqual, operand, high, at, "BETWEEN")?;
    Ok(boolean(ExprKind::And(vec![above, below])))
}

pub(super) fn arithmetic(op: ArithmeticOp, left: Expr, right: Expr, at: Position) -> Result<Expr> {
    let refused = |left: &Expr, right: &Expr| {
        let (left, right) = (type_name(&left.data_type), type_name(&right.data_type));
        mismatch(at, format!("{op} does not take {left} and {right}"))
    };
    let untyped_beside = |other: &Expr| match &other.data_type {
        // `date - '1995-01-01'` is the number of days between.
        DataType::Date32 if op == ArithmeticOp::Subtract => DataType::Date32,
        DataType::Timestamp(..) if op == ArithmeticOp::Add => INTERVAL,
        other => other.clone(),
    };
    let is_date = |expr: &Expr| expr.data_type == DataType::Date32;
    let is_unclear = is_date(&left) && right.is_untyped() || left.is_untyped() && is_date(&right);
    if op == ArithmeticOp::Add && is_unclear {
        let message =
            "+ of a date and a text: days or a time? write '7'::integer or INTERVAL '7 days'";
        return Err(mismatch(at, message.to_owned()));
    }
    let typed_beside = |operand: &Expr, other: &Expr| match number_beside(operand, &other.data_type)
    {
        Some(number) => scalar::decimal_of(&number).unwrap_or_else(|| untyped_beside(other)),
        None => untyped_beside(other),
    };
    let to_left = left.is_untyped().then(|| typed_beside(&left, &right));
    let to_right = right.is_untyped().then(|| typed_beside(&right, &left));
    let coerced = |operand: Expr, to: Option<DataType>| match to {
        None => Ok(operand),
        Some(to) => coerce(operand, &to).map_err(|found| {
            mismatch(at, format!("{op} expected {}, got {found}", type_name(&to)))
        }),
    };
    let (left, right) = (coerced(left, to_left)?, coerced(right, to_right)?);

    let Some((left_type, right_type, data_type)) =
        rule(op, &operand_type(&left), &operand_type(&right))
    else {
        return Err(refused(&left, &right));
    };
    let left = coerce(left, &left_type).map_err(|found| mismatch(at, format!("{op}: {found}")))?;
    let right =
        coerce(right, &right_type).map_err(|found| mismatch(at, format!("{op}: {found}")))?;
    Ok(Expr {
        data_type,
        kind: ExprKind::Arithmetic { op, left: Box::new(left), right: Box::new(right) },
    })
}

/// Returns the type of an operand. An integer literal has only its own digits: `price * 2` needs
/// one digit more than `price`, not nineteen.
fn operand_type(expr: &Expr) -> Operand {
    let digits = match &expr.kind {
        ExprKind::Literal(Literal { value: Value::Integer(value), .. }) => {
            Some(value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1))
        }
        _ => None,
    };
    Operand {
        data_type: expr.data_type.clone(),
        whole_digits: digits.and_then(|digits| u8::try_from(digits).ok()),
    }
}

pub(super) fn in_list(operand: Expr, list: Vec<Expr>, at: Position) -> Result<Expr> {
    let mut operands = vec![operand];
    operands.extend(list);
    if !operands.iter().skip(1).all(Expr::is_literal) && !compare_alike(&operands) {
        let operand = operands.remove(0);
        let (constants, others): (Vec<_>, Vec<_>) =
            operands.into_iter().partition(Expr::is_literal);
        let mut terms = Vec::with_capacity(others.len() + 1);
        if !constants.is_empty() {
            terms.push(in_list(operand.clone(), constants, at)?);
        }
        for other in others {
            terms.push(compare(CompareOp::Equal, operand.clone(), other, at, "IN")?);
        }
        return Ok(boolean(ExprKind::Or(terms)));
    }
    let mut list = unify_lookup(operands, at)?;
    let operand = Box::new(list.remove(0));
    Ok(boolean(match literal_set(&list) {
        Some((set, has_null)) => ExprKind::InSet { operand, set, has_null },
        None => ExprKind::InList { operand, list },
    }))
}

/// Returns the values of a long list of literals, if their type hashes as it compares.
fn literal_set(list: &[Expr]) -> Option<(LiteralSet, bool)> {
    if list.len() < SET_LENGTH_MIN {
        return None;
    }
    let mut has_null = false;
    let mut integers = HashSet::default();
    let mut texts = HashSet::default();
    for expr in list {
        let ExprKind::Literal(Literal { scalar, .. }) = &expr.kind else { return None };
        let (array, _) = scalar.get();
        if array.is_null(0) {
            has_null = true;
        } else if let Some(text) = types::text_at(array, 0) {
            texts.insert(text.to_owned());
        } else {
            integers.insert(types::integer_at(array, 0)?);
        }
    }
    let set =
        if texts.is_empty() { LiteralSet::Integers(integers) } else { LiteralSet::Texts(texts) };
    Some((set, has_null))
}

pub(super) fn matching(
    language: PatternLanguage,
    operand: Expr,
    pattern: Expr,
    escape: Option<char>,
    at: Position,
) -> Result<Expr> {
    let text = |expr: Expr| {
        coerce(expr, &DataType::Utf8)
            .map_err(|found| mismatch(at, format!("{language} needs text, got {found}")))
    };
    let (operand, pattern) = (text(operand)?, text(pattern)?);
    if let ExprKind::Literal(Literal { value: Value::Text(pattern), .. }) = &pattern.kind {
        let pattern =
            Pattern::new(language, pattern, escape).map_err(|complaint| mismatch(at, complaint))?;
        return Ok(boolean(ExprKind::Match { operand: Box::new(operand), pattern }));
    }
    let function = match language {
        PatternLanguage::ILike => &ILIKE,
        // a NULL is not compiled as a pattern
        _ if language == PatternLanguage::Like || pattern.is_literal() => &LIKE,
        _ => {
            let message =
                format!("a pattern of {language} that is not a constant is not supported");
            return Err(at.error(ErrorKind::Unsupported, message));
        }
    };
    let escape = literal(Value::Text(escape.into_iter().collect()), at)?;
    Ok(boolean(ExprKind::Call { function, arguments: vec![operand, pattern, escape] }))
}
