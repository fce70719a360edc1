//! Evaluating bound expressions over arrays.
//!
//! Contract: every column that the expression reads is present and `rows` long; the value has
//! `rows` values too. Three-valued logic throughout: a null is unknown, and what drops a record is
//! up to the caller. What can fail is evaluated only for the records that need it: a term of a
//! connective where the terms before it have not decided.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Datum, Scalar, new_null_array};
use arrow::compute::kernels::{boolean, cmp};
use arrow::compute::{filter, prep_null_mask_filter, take};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::expr::{Expr, ExprKind, LiteralSet};
use crate::numeric;
use crate::syntax::CompareOp;
use crate::types::{integer_at, text_at, type_name};
use crate::{Error, ErrorKind, Source};

/// Why an expression has no value for some record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem(pub(crate) String);

impl Problem {
    pub(crate) fn out_of_range(data_type: &DataType) -> Self {
        Self(format!("out of range for {}", type_name(data_type)))
    }

    /// The error of a query over `source`, where it is not about one record.
    pub(crate) fn to_error(&self, source: &Source) -> Error {
        Error::new(ErrorKind::Computation, format!("{}: {}", source.name(), self.0))
    }
}

impl From<ArrowError> for Problem {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::DivideByZero => Self("division by zero".to_owned()),
            ArrowError::ArithmeticOverflow(text) => {
                let text = text.strip_prefix("Overflow happened on: ").unwrap_or(&text);
                Self(format!("out of range: {text}"))
            }
            ArrowError::InvalidArgumentError(text) | ArrowError::CastError(text) => {
                Self(format!("out of range: {text}"))
            }
            other => Self(other.to_string()),
        }
    }
}

/// The columns of some records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// By index in the source; those that nobody reads may be absent.
    pub(crate) columns: &'a [Option<ArrayRef>],
    pub(crate) rows: usize,
}

/// A value for each record, or one for all.
#[derive(Clone, Debug)]
enum Evaluated {
    Array(ArrayRef),
    Scalar(Scalar<ArrayRef>),
}

impl Datum for Evaluated {
    fn get(&self) -> (&dyn Array, bool) {
        match self {
            Self::Array(array) => (array.as_ref(), false),
            Self::Scalar(scalar) => scalar.get(),
        }
    }
}

impl Evaluated {
    fn into_array(self, rows: usize) -> Result<ArrayRef, Problem> {
        match self {
            Self::Array(array) => Ok(array),
            Self::Scalar(scalar) => {
                let array = scalar.into_inner();
                if array.is_null(0) {
                    return Ok(new_null_array(array.data_type(), rows));
                }
                let zeros = arrow::array::UInt32Array::from(vec![0; rows]);
                Ok(take(&array, &zeros, None)?)
            }
        }
    }

    /// With floats that compare by value.
    fn comparable(self) -> Self {
        match self {
            Self::Array(array) => Self::Array(numeric::comparable(array)),
            Self::Scalar(scalar) => {
                Self::Scalar(Scalar::new(numeric::comparable(scalar.into_inner())))
            }
        }
    }
}

/// The values of `expr`, one a record.
pub(crate) fn evaluate(expr: &Expr, input: Input<'_>) -> Result<ArrayRef, Problem> {
    evaluated(expr, input)?.into_array(input.rows)
}

/// The values of a predicate.
pub(crate) fn evaluate_boolean(expr: &Expr, input: Input<'_>) -> Result<BooleanArray, Problem> {
    Ok(evaluate(expr, input)?.as_boolean().clone())
}

/// Where a mask is true: null is as good as false.
pub(crate) fn is_true(mask: &BooleanArray) -> BooleanArray {
    match mask.null_count() {
        0 => mask.clone(),
        _ => prep_null_mask_filter(mask),
    }
}

/// The value of an expression without columns, as an array of one.
pub(crate) fn constant(expr: &Expr) -> Result<ArrayRef, Problem> {
    evaluate(expr, Input { columns: &[], rows: 1 })
}

/// The first record for which `expr` has no value, and why.
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
    let booleans = |array: BooleanArray| Ok(Evaluated::Array(Arc::new(array)));
    match &expr.kind {
        ExprKind::Column(index) => match input.columns.get(*index) {
            Some(Some(column)) => Ok(Evaluated::Array(Arc::clone(column))),
            _ => Err(Problem(format!("column {index} was not decoded"))),
        },
        ExprKind::Literal(literal) => Ok(Evaluated::Scalar(literal.scalar.clone())),
        ExprKind::Cast(operand) => match evaluated(operand, input)? {
            Evaluated::Array(array) => {
                Ok(Evaluated::Array(numeric::cast(&array, &expr.data_type)?))
            }
            Evaluated::Scalar(scalar) => {
                let array = numeric::cast(&scalar.into_inner(), &expr.data_type)?;
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
            match (&left, &right) {
                (Evaluated::Scalar(_), Evaluated::Scalar(_)) => {
                    Ok(Evaluated::Scalar(Scalar::new(value)))
                }
                _ => Ok(Evaluated::Array(value)),
            }
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
        ExprKind::Like { operand, pattern } => {
            let texts = evaluate(operand, input)?;
            booleans(BooleanArray::from_unary(texts.as_string::<i32>(), |text| {
                pattern.matches(text)
            }))
        }
        ExprKind::IsNull(operand) => booleans(boolean::is_null(&evaluate(operand, input)?)?),
    }
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

/// The outcome of two scalars is one value: make it one for each record.
fn stretch(array: BooleanArray, rows: usize) -> Result<Evaluated, Problem> {
    if array.len() == rows {
        return Ok(Evaluated::Array(Arc::new(array)));
    }
    Ok(Evaluated::Scalar(Scalar::new(Arc::new(array))))
}

fn stretched(array: BooleanArray, rows: usize) -> Result<BooleanArray, Problem> {
    Ok(stretch(array, rows)?.into_array(rows)?.as_boolean().clone())
}

#[derive(Clone, Copy)]
enum Connective {
    And,
    Or,
}

impl Connective {
    fn combine(
        self,
        left: &BooleanArray,
        right: &BooleanArray,
    ) -> Result<BooleanArray, ArrowError> {
        match self {
            Self::And => boolean::and_kleene(left, right),
            Self::Or => boolean::or_kleene(left, right),
        }
    }

    /// The records that are not decided: neither false under AND nor true under OR.
    fn undecided(self, values: &BooleanArray) -> BooleanArray {
        let decides = matches!(self, Self::Or);
        values.iter().map(|value| Some(value != Some(decides))).collect()
    }
}

fn connective(
    terms: &[Expr],
    input: Input<'_>,
    connective: Connective,
) -> Result<BooleanArray, Problem> {
    let mut values: Option<BooleanArray> = None;
    for term in terms {
        values = Some(match values {
            None => evaluate_boolean(term, input)?,
            Some(values) => {
                let right = match term.is_fallible() {
                    false => evaluate_boolean(term, input)?,
                    true => evaluate_where(term, input, &connective.undecided(&values))?,
                };
                connective.combine(&values, &right)?
            }
        });
    }
    values.ok_or_else(|| Problem("a connective without terms".to_owned()))
}

/// Evaluates a predicate where `needed` is true; null elsewhere.
fn evaluate_where(
    expr: &Expr,
    input: Input<'_>,
    needed: &BooleanArray,
) -> Result<BooleanArray, Problem> {
    let count = needed.true_count();
    if count == input.rows {
        return evaluate_boolean(expr, input);
    }
    let columns = input
        .columns
        .iter()
        .map(|column| column.as_ref().map(|column| filter(column, needed)).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    let values = evaluate_boolean(expr, Input { columns: &columns, rows: count })?;
    let mut values = values.iter();
    Ok(needed
        .values()
        .iter()
        .map(|needed| if needed { values.next().flatten() } else { None })
        .collect())
}

/// True when equal to one of the list; null when that is unknown because of a null.
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
    let contains = |row| match set {
        LiteralSet::Integers(set) => {
            integer_at(values, row).is_some_and(|value| set.contains(&value))
        }
        LiteralSet::Texts(set) => text_at(values, row).is_some_and(|text| set.contains(text)),
    };
    let in_set = |row| {
        if values.is_null(row) {
            return None;
        }
        match contains(row) {
            false if has_null => None,
            found => Some(found),
        }
    };
    (0..values.len()).map(in_set).collect()
}
