//! Binds CASE, CAST and calls: functions of the table, and functions that take values of any type.

use std::cmp::Ordering;

use arrow::datatypes::DataType;

use super::coerce::{
    coerce, compare_alike, fold, literal, typed_literal, unify_list, unify_values,
};
use super::operators::{arithmetic, compare};
use super::{Binder, Scope, mismatch};
use crate::expr::functions::{ArgumentType, CONCATENATION, Unresolved};
use crate::expr::{Expr, ExprKind, Literal, cast, functions};
use crate::sql::syntax;
use crate::sql::syntax::{ArithmeticOp, CastTarget, CompareOp, Position};
use crate::value::common::digits_of;
use crate::value::parse::number;
use crate::value::{Value, scalar};
use crate::{ErrorKind, Result};
use sift_files::types::{TIMESTAMP, type_name};

impl Binder<'_> {
    pub(super) fn case(
        &mut self,
        operand: Option<&syntax::Expr>,
        branches: &[(syntax::Expr, syntax::Expr)],
        otherwise: Option<&syntax::Expr>,
        at: Position,
        scope: Scope,
    ) -> Result<Expr> {
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        let operand = operand.map(|operand| self.part(operand, scope)).transpose()?;
        for (condition, result) in branches {
            conditions.push(match operand {
                Some(_) => self.part(condition, scope)?,
                None => self.boolean(condition, "WHEN", scope)?,
            });
            results.push(self.part(result, scope)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.part(otherwise, scope)?,
            None => literal(Value::Null, at)?,
        });
        let operand = match operand {
            None => None,
            Some(operand) => {
                let operand = if operand.is_untyped() {
                    cast_to(operand, &DataType::Utf8, at)?
                } else {
                    operand
                };
                conditions.insert(0, operand);
                if compare_alike(&conditions) {
                    conditions = unify_list(conditions, at, "CASE")?;
                    Some(Box::new(conditions.remove(0)))
                } else {
                    let operand = conditions.remove(0);
                    let equal = |condition| {
                        compare(CompareOp::Equal, operand.clone(), condition, at, "CASE")
                    };
                    conditions = conditions.into_iter().map(equal).collect::<Result<_>>()?;
                    None
                }
            }
        };
        let mut results = unify_values(results, at, "the value of CASE")?;
        let otherwise = results.pop();
        let data_type = otherwise.as_ref().map_or(DataType::Utf8, |expr| expr.data_type.clone());
        let arms =
            conditions.into_iter().zip(results).flat_map(|(condition, result)| [condition, result]);
        let arms = arms.chain(otherwise).collect();
        Ok(Expr { data_type, kind: ExprKind::Case { operand, arms } })
    }
}

/// Binds `CAST(operand AS to)`.
pub(super) fn cast(operand: Expr, to: &CastTarget, at: Position) -> Result<Expr> {
    match to {
        CastTarget::Type(to) => cast_to(operand, to, at),
        CastTarget::Numeric => cast_to_numeric(operand, at),
        CastTarget::Varchar(length) => cut(operand, *length, at),
        CastTarget::Char(length) => call("rtrim", vec![cut(operand, *length, at)?], at),
    }
}

/// Cuts a text to at most `length` characters.
fn cut(operand: Expr, length: u32, at: Position) -> Result<Expr> {
    let text = cast_to(operand, &DataType::Utf8, at)?;
    call("left", vec![text, literal(Value::Integer(length.into()), at)?], at).map(fold)
}

fn cast_to(operand: Expr, to: &DataType, at: Position) -> Result<Expr> {
    match &operand.kind {
        ExprKind::Literal(Literal { value: Value::Null, .. }) => {
            return typed_literal(&Value::Null, to)
                .ok_or_else(|| mismatch(at, format!("NULL is not a valid {}", type_name(to))));
        }
        // now it has the type of a text
        ExprKind::Literal(Literal { value, is_untyped: true, .. }) if *to == DataType::Utf8 => {
            return Ok(typed_literal(value, to).unwrap_or(operand));
        }
        _ if operand.data_type == *to => return Ok(operand),
        _ => {}
    }
    if !cast::exists(&operand.data_type, to) {
        let (from, to) = (type_name(&operand.data_type), type_name(to));
        return Err(mismatch(at, format!("there is no cast from {from} to {to}")));
    }
    let text = match &operand.kind {
        ExprKind::Literal(Literal { value: Value::Text(text), .. }) => Some(text.clone()),
        _ => None,
    };
    let bound = fold(Expr { data_type: to.clone(), kind: ExprKind::Cast(Box::new(operand)) });
    match text {
        Some(text) if !bound.is_literal() => {
            Err(mismatch(at, format!("'{text}' is not a valid {}", type_name(to))))
        }
        _ => Ok(bound),
    }
}

fn cast_to_numeric(operand: Expr, at: Position) -> Result<Expr> {
    let to = match (&operand.kind, &operand.data_type) {
        (ExprKind::Literal(Literal { value: Value::Null, .. }), _) => DataType::Decimal128(1, 0),
        (ExprKind::Literal(Literal { value: Value::Text(text), .. }), _) => {
            let number = number::exact(text).and_then(|number| scalar::decimal_of(&number));
            number.ok_or_else(|| mismatch(at, format!("'{text}' is not a decimal")))?
        }
        (_, from) => match digits_of(from) {
            Some((precision, scale)) => DataType::Decimal128(precision, scale.cast_signed()),
            None => {
                let message = format!(
                    "a cast from {} to numeric needs its digits: numeric(precision, scale)",
                    type_name(from)
                );
                return Err(mismatch(at, message));
            }
        },
    };
    cast_to(operand, &to, at)
}

/// Binds a call of the function or operator `name`.
pub(super) fn call(name: &str, arguments: Vec<Expr>, at: Position) -> Result<Expr> {
    let count = arguments.len();
    match (name, count) {
        ("coalesce", 1..) => {
            let operands = unify_values(arguments, at, name)?;
            of_first(operands, ExprKind::Coalesce, at)
        }
        ("greatest" | "least", 1..) => {
            let keep = if name == "least" { Ordering::Less } else { Ordering::Greater };
            let operands = unify_values(arguments, at, name)?;
            of_first(operands, |operands| ExprKind::MinMax { keep, operands }, at)
        }
        ("nullif" | "mod" | "||", 2) => {
            let mut arguments = arguments.into_iter();
            match (arguments.next(), arguments.next()) {
                (Some(left), Some(right)) => of_two(name, left, right, at),
                _ => Err(mismatch(at, format!("{name} lost an argument"))),
            }
        }
        ("substring", 2) if arguments.get(1).is_some_and(Expr::is_untyped) => {
            let message = "substring by a regular expression is not supported";
            Err(at.error(ErrorKind::Unsupported, message))
        }
        ("coalesce" | "greatest" | "least", _) => {
            Err(mismatch(at, format!("{name} takes one or more arguments, got none")))
        }
        ("nullif" | "mod" | "||", _) => {
            Err(mismatch(at, format!("{name} takes two arguments, got {count}")))
        }
        _ => function(name, arguments, at),
    }
}

/// Makes a node of the type of its operands, which all have the same type.
fn of_first(
    operands: Vec<Expr>,
    kind: impl Fn(Vec<Expr>) -> ExprKind,
    at: Position,
) -> Result<Expr> {
    match operands.first().map(|first| first.data_type.clone()) {
        Some(data_type) => Ok(Expr { data_type, kind: kind(operands) }),
        None => Err(mismatch(at, "the arguments were lost".to_owned())),
    }
}

fn of_two(name: &str, left: Expr, right: Expr, at: Position) -> Result<Expr> {
    match name {
        "mod" => arithmetic(ArithmeticOp::Modulo, left, right, at),
        "||" => concatenation(left, right, at),
        _ => nullif(left, right, at),
    }
}

/// Binds `nullif`: the left, unless both are equal. As in PostgreSQL, a 32-bit float or a date on
/// the left keeps its type, though it is compared as another type.
fn nullif(left: Expr, right: Expr, at: Position) -> Result<Expr> {
    let is_real = |expr: &Expr| expr.data_type == DataType::Float32;
    let is_date = left.data_type == DataType::Date32 && right.data_type == TIMESTAMP;
    if is_real(&left) && !is_real(&right) || is_date {
        let equal = compare(CompareOp::Equal, left.clone(), right, at, "nullif")?;
        let (null, data_type) = (literal(Value::Null, at)?, left.data_type.clone());
        let arms = vec![equal, cast_to(null, &data_type, at)?, left];
        return Ok(Expr { data_type, kind: ExprKind::Case { operand: None, arms } });
    }
    let wide = |expr: Expr| match is_real(&right) && digits_of(&left.data_type).is_some() {
        true => cast_to(expr, &DataType::Float64, at),
        false => Ok(expr),
    };
    let operands = vec![wide(left.clone())?, wide(right.clone())?];
    let mut operands = unify_values(operands, at, "nullif")?.into_iter().map(Box::new);
    match (operands.next(), operands.next()) {
        (Some(left), Some(right)) => {
            let data_type = left.data_type.clone();
            Ok(Expr { data_type, kind: ExprKind::NullIf { left, right } })
        }
        _ => Err(mismatch(at, "nullif lost an argument".to_owned())),
    }
}

/// Binds `||` of a text and another value; a chain of them becomes one call.
fn concatenation(left: Expr, right: Expr, at: Position) -> Result<Expr> {
    if left.data_type != DataType::Utf8 && right.data_type != DataType::Utf8 {
        let (left, right) = (type_name(&left.data_type), type_name(&right.data_type));
        return Err(mismatch(at, format!("|| needs a text, got {left} and {right}")));
    }
    let right = cast_to(right, &DataType::Utf8, at)?;
    let arguments = match left.kind {
        ExprKind::Call { function, mut arguments } if *function == CONCATENATION => {
            arguments.push(right);
            arguments
        }
        _ => vec![cast_to(left, &DataType::Utf8, at)?, right],
    };
    Ok(Expr {
        data_type: DataType::Utf8,
        kind: ExprKind::Call { function: &CONCATENATION, arguments },
    })
}

fn function(name: &str, arguments: Vec<Expr>, at: Position) -> Result<Expr> {
    let function = functions::resolve(name, &arguments).map_err(|unresolved| match unresolved {
        Unresolved::Name(message) => at.error(ErrorKind::UnknownFunction, message),
        Unresolved::Arguments(message) => mismatch(at, message),
    })?;
    let mut bound = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.into_iter().enumerate() {
        let takes = function.takes(index).unwrap_or(ArgumentType::AnyAsText);
        let to = takes.target(&argument).map_or(DataType::Utf8, |(to, _)| to);
        bound.push(match takes {
            ArgumentType::AnyAsText => as_text(argument, at)?,
            _ => coerce(argument, &to)
                .map_err(|found| mismatch(at, format!("{name} expected {takes}, got {found}")))?,
        });
    }
    let data_type = function.gives.data_type(&bound);
    let data_type = data_type.map_err(|complaint| mismatch(at, format!("{name}: {complaint}")))?;
    Ok(Expr { data_type, kind: ExprKind::Call { function, arguments: bound } })
}

/// Casts a value to the text that concat uses: a boolean becomes one letter.
fn as_text(argument: Expr, at: Position) -> Result<Expr> {
    let is_boolean = argument.data_type == DataType::Boolean && !argument.is_untyped();
    match is_boolean {
        true => cut(argument, 1, at),
        false => cast_to(argument, &DataType::Utf8, at),
    }
}
