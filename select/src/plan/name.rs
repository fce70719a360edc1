//! The name that PostgreSQL gives a column of an answer without alias: ORDER BY may use it.
//!
//! Source: `FigureColname` in PostgreSQL's `parse_target.c`.

use arrow::datatypes::DataType;

use crate::sql::syntax::{CastTarget, Expr, ExprKind};
use crate::value::Value;

/// A name, and whether it takes precedence over the name of an outer expression.
struct Found<'a> {
    name: &'a str,
    is_strong: bool,
}

/// Returns the name of an expression as a column of an answer.
pub(super) fn of(expr: &Expr) -> Option<&str> {
    find(expr).map(|found| found.name)
}

fn find(expr: &Expr) -> Option<Found<'_>> {
    let strong = |name| Some(Found { name, is_strong: true });
    let weak = |name| Some(Found { name, is_strong: false });
    match &expr.kind {
        ExprKind::Column { name, .. } => strong(&name.text),
        ExprKind::Call { name, .. } if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            strong(name)
        }
        ExprKind::Clock(name) => strong(name),
        ExprKind::Aggregate(aggregate) => strong(aggregate.function.name()),
        ExprKind::Cast { operand, to } => {
            find(operand).filter(|found| found.is_strong).or_else(|| weak(type_name(to)))
        }
        ExprKind::Case { otherwise, .. } => {
            let inner = otherwise.as_deref().and_then(find).filter(|found| found.is_strong);
            inner.or_else(|| weak("case"))
        }
        ExprKind::Literal(Value::Date(_)) => weak("date"),
        ExprKind::Literal(Value::Timestamp(_)) => weak("timestamp"),
        ExprKind::Literal(Value::Interval(_)) => weak("interval"),
        _ => None,
    }
}

fn type_name(to: &CastTarget) -> &'static str {
    match to {
        CastTarget::Numeric | CastTarget::Type(DataType::Decimal128(..)) => "numeric",
        CastTarget::Varchar(_) => "varchar",
        CastTarget::Char(_) => "bpchar",
        CastTarget::Type(data_type) => match data_type {
            DataType::Boolean => "bool",
            DataType::Int16 => "int2",
            DataType::Int32 => "int4",
            DataType::Int64 => "int8",
            DataType::Float32 => "float4",
            DataType::Float64 => "float8",
            DataType::Date32 => "date",
            DataType::Interval(_) => "interval",
            DataType::Utf8 => "text",
            _ => "timestamp",
        },
    }
}
