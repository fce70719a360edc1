//! Evaluating bound expressions over arrays.
//!
//! Contract: every column that the expression reads is present and has `rows` values; the result
//! has `rows` values too. Logic is three-valued: a null is unknown, and the caller decides whether
//! it drops a record. A fallible term of a connective is evaluated only for the records that the
//! terms before it have not decided.

use std::sync::Arc;

mod dictionary;
mod evaluated;
mod lazy;

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, Scalar};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::zip::zip;
use arrow::compute::kernels::{boolean, cmp};
use arrow::compute::{nullif, prep_null_mask_filter};
use arrow::error::ArrowError;

use super::functions::{Arguments, Function};
use super::problem::Problem;
use super::{Expr, ExprKind, LiteralSet, cast, numeric};
use crate::sql::syntax::CompareOp;
pub(crate) use evaluated::Evaluated;
use lazy::{Connective, case, coalesce, connective};
use sift_files::cancel::spend;
use sift_files::types::{expanded, integer_at, text_at};

/// The number of steps for one node of an expression, in addition to its records.
const NODE_STEPS: usize = 64;

/// The columns of some records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The columns by their index in the source; a column that nobody reads may be `None`, and one
    /// of texts may be a dictionary of texts.
    pub(crate) columns: &'a [Option<ArrayRef>],
    pub(crate) rows: usize,
}

/// Evaluates a key of groups for each record; the texts of a column may be a dictionary.
pub(crate) fn evaluate_key(expr: &Expr, input: Input<'_>) -> Result<ArrayRef, Problem> {
    match &expr.kind {
        ExprKind::Column(index) => column(*index, input).cloned(),
        _ => evaluate(expr, input),
    }
}

/// Evaluates `expr` for each record.
pub(crate) fn evaluate(expr: &Expr, input: Input<'_>) -> Result<ArrayRef, Problem> {
    evaluated(expr, input)?.into_array(input.rows)
}

/// Evaluates a predicate for each record.
pub(crate) fn evaluate_boolean(expr: &Expr, input: Input<'_>) -> Result<BooleanArray, Problem> {
    Ok(evaluate(expr, input)?.as_boolean().clone())
}

/// Repeats one value for `rows` rows.
pub(crate) fn repeated(value: &ArrayRef, rows: usize) -> Result<ArrayRef, Problem> {
    Evaluated::Scalar(Scalar::new(Arc::clone(value))).into_array(rows)
}

/// Returns the mask with false in place of null.
pub(crate) fn is_true(mask: &BooleanArray) -> BooleanArray {
    match mask.null_count() {
        0 => mask.clone(),
        _ => prep_null_mask_filter(mask),
    }
}

/// Evaluates an expression without columns; the array has one value.
pub(crate) fn constant(expr: &Expr) -> Result<ArrayRef, Problem> {
    evaluate(expr, Input { columns: &[], rows: 1 })
}

/// Returns the first record for which `expr` has no value, and the reason.
pub(crate) fn first_problem(expr: &Expr, input: Input<'_>) -> Option<(usize, Problem)> {
    (0..input.rows).find_map(|row| {
        let columns: Vec<_> = input
            .columns
            .iter()
            .map(|column| column.as_ref().map(|column| column.slice(row, 1)))
            .collect();
        let problem = evaluate(expr, Input { columns: &columns, rows: 1 }).err()?;
        Some((row, problem))
    })
}

fn evaluated(expr: &Expr, input: Input<'_>) -> Result<Evaluated, Problem> {
    if let Some(value) = dictionary::evaluate(expr, input) {
        return Ok(value);
    }
    spend(input.rows + NODE_STEPS)?;
    let booleans = |array: BooleanArray| Ok(Evaluated::Array(Arc::new(array)));
    match &expr.kind {
        ExprKind::Column(index) => Ok(Evaluated::Array(expanded(column(*index, input)?)?)),
        ExprKind::Literal(literal) => Ok(Evaluated::Scalar(literal.scalar.clone())),
        ExprKind::Cast(operand) => match evaluated(operand, input)? {
            Evaluated::Array(array) => Ok(Evaluated::Array(cast::cast(&array, &expr.data_type)?)),
            Evaluated::Scalar(scalar) => {
                let array = cast::cast(&scalar.into_inner(), &expr.data_type)?;
                Ok(Evaluated::Scalar(Scalar::new(array)))
            }
        },
        ExprKind::Not(operand) => booleans(boolean::not(&evaluate_boolean(operand, input)?)?),
        ExprKind::And(terms) => booleans(connective(terms, input, Connective::And)?),
        ExprKind::Or(terms) => booleans(connective(terms, input, Connective::Or)?),
        ExprKind::Negate(operand) => {
            let operand = evaluate(operand, input)?;
            Ok(Evaluated::Array(numeric::negate(&operand)?))
        }
        ExprKind::Compare { op, left, right } => {
            let left = evaluated(left, input)?.comparable();
            let right = evaluated(right, input)?.comparable();
            stretch(compare(*op, &left, &right)?, input.rows)
        }
        ExprKind::Arithmetic { op, left, right } => {
            let (left, right) = (evaluated(left, input)?, evaluated(right, input)?);
            let value = numeric::arithmetic(*op, &left, &right, &expr.data_type)?;
            Ok(Evaluated::of(&[left, right], value))
        }
        ExprKind::Between { operand, low, high } => {
            let operand = evaluated(operand, input)?.comparable();
            let low = evaluated(low, input)?.comparable();
            let high = evaluated(high, input)?.comparable();
            let from = stretched(compare(CompareOp::GreaterOrEqual, &operand, &low)?, input.rows)?;
            let to = stretched(compare(CompareOp::LessOrEqual, &operand, &high)?, input.rows)?;
            booleans(boolean::and_kleene(&from, &to)?)
        }
        ExprKind::InList { operand, list } => booleans(in_list(operand, list, input)?),
        ExprKind::InSet { operand, set, has_null } => {
            booleans(in_set(&evaluate(operand, input)?, set, *has_null))
        }
        ExprKind::Match { operand, pattern } => {
            booleans(pattern.mask(evaluate(operand, input)?.as_string())?)
        }
        ExprKind::IsNull(operand) => booleans(boolean::is_null(&evaluate(operand, input)?)?),
        ExprKind::BooleanTest { operand, truth } => {
            booleans(boolean_test(&evaluate_boolean(operand, input)?, *truth)?)
        }
        ExprKind::IsDistinct { left, right } => {
            let left = evaluated(left, input)?.comparable();
            let right = evaluated(right, input)?.comparable();
            stretch(cmp::distinct(&left, &right)?, input.rows)
        }
        ExprKind::Case { operand, arms } => case(operand.as_deref(), arms, expr, input),
        ExprKind::Coalesce(operands) => coalesce(operands, expr, input),
        ExprKind::NullIf { left, right } => {
            let (left, right) = (evaluate(left, input)?, evaluated(right, input)?);
            let values = numeric::comparable(Arc::clone(&left));
            let equal = cmp::eq(&values, &right.comparable())?;
            Ok(Evaluated::Array(nullif(&left, &equal)?))
        }
        ExprKind::MinMax { keep, operands } => min_max(*keep, operands, input),
        ExprKind::Call { function, arguments } => call(function, arguments, expr, input),
    }
}

fn column(index: usize, input: Input<'_>) -> Result<&ArrayRef, Problem> {
    let column = input.columns.get(index).and_then(Option::as_ref);
    column.ok_or_else(|| Problem(format!("column {index} was not decoded")))
}

fn call(
    function: &Function,
    arguments: &[Expr],
    expr: &Expr,
    input: Input<'_>,
) -> Result<Evaluated, Problem> {
    let values = arguments
        .iter()
        .map(|argument| evaluated(argument, input))
        .collect::<Result<Vec<_>, _>>()?;
    let rows = if Evaluated::are_constant(&values) { 1 } else { input.rows };
    let value = (function.kernel)(&Arguments::new(&values, rows, &expr.data_type))?;
    Ok(Evaluated::of(&values, value))
}

/// Evaluates IS TRUE, IS FALSE or, for `None`, IS UNKNOWN.
fn boolean_test(values: &BooleanArray, truth: Option<bool>) -> Result<BooleanArray, ArrowError> {
    match truth {
        None => boolean::is_null(values),
        Some(true) => Ok(certain(values.clone())),
        Some(false) => Ok(certain(boolean::not(values)?)),
    }
}

/// Returns the mask with false in place of null.
fn certain(mask: BooleanArray) -> BooleanArray {
    if mask.null_count() == 0 { mask } else { prep_null_mask_filter(&mask) }
}

/// Evaluates row-wise LEAST or GREATEST; nulls are ignored.
fn min_max(keep: Ordering, operands: &[Expr], input: Input<'_>) -> Result<Evaluated, Problem> {
    let op = if keep == Ordering::Less { CompareOp::Less } else { CompareOp::Greater };
    let mut best: Option<ArrayRef> = None;
    for operand in operands {
        let value = evaluate(operand, input)?;
        best = Some(match best {
            None => value,
            Some(best) => {
                let known = numeric::comparable(Arc::clone(&best));
                let found = numeric::comparable(Arc::clone(&value));
                let better = certain(compare(op, &found, &known)?);
                let better = boolean::or(&better, &boolean::is_null(&best)?)?;
                zip(&better, &value, &best)?
            }
        });
    }
    best.map(Evaluated::Array).ok_or_else(|| Problem("an extreme of nothing".to_owned()))
}

fn compare(op: CompareOp, left: &dyn Datum, right: &dyn Datum) -> Result<BooleanArray, ArrowError> {
    match op {
        CompareOp::Equal => cmp::eq(left, right),
        CompareOp::NotEqual => cmp::neq(left, right),
        CompareOp::Less => cmp::lt(left, right),
        CompareOp::LessOrEqual => cmp::lt_eq(left, right),
        CompareOp::Greater => cmp::gt(left, right),
        CompareOp::GreaterOrEqual => cmp::gt_eq(left, right),
    }
}

/// Wraps the result of a comparison: two scalars give one value, which holds for every record.
fn stretch(array: BooleanArray, rows: usize) -> Result<Evaluated, Problem> {
    if array.len() == rows {
        return Ok(Evaluated::Array(Arc::new(array)));
    }
    Ok(Evaluated::Scalar(Scalar::new(Arc::new(array))))
}

fn stretched(array: BooleanArray, rows: usize) -> Result<BooleanArray, Problem> {
    Ok(stretch(array, rows)?.into_array(rows)?.as_boolean().clone())
}

/// Returns true if the operand equals one of the list; null if that is unknown because of a null.
fn in_list(operand: &Expr, list: &[Expr], input: Input<'_>) -> Result<BooleanArray, Problem> {
    let operand = evaluated(operand, input)?.comparable();
    let mut found = BooleanArray::from(vec![false; input.rows]);
    for expr in list {
        let equal = compare(CompareOp::Equal, &operand, &evaluated(expr, input)?.comparable())?;
        found = boolean::or_kleene(&found, &stretched(equal, input.rows)?)?;
    }
    Ok(found)
}

fn in_set(values: &ArrayRef, set: &LiteralSet, has_null: bool) -> BooleanArray {
    let found = match set {
        LiteralSet::Integers(set) => BooleanBuffer::collect_bool(values.len(), |row| {
            integer_at(values, row).is_some_and(|value| set.contains(&value))
        }),
        LiteralSet::Texts(set) => BooleanBuffer::collect_bool(values.len(), |row| {
            text_at(values, row).is_some_and(|text| set.contains(text))
        }),
    };
    let unknown = has_null.then(|| NullBuffer::new(found.clone()));
    BooleanArray::new(found, NullBuffer::union(values.nulls(), unknown.as_ref()))
}
