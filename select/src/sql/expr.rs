//! Expressions, lowered from the parser's tree.

use sqlparser::ast;

use super::clauses::lower_name;
use super::place::{START, at, refuse, start, unsupported};
use crate::syntax::{
    Aggregate, AggregateFunction, ArithmeticOp, CompareOp, Expr, ExprKind, Position,
};
use crate::{Error, ErrorKind, Result, Value};

/// Deepest nesting of a bound expression; a chain of one connective counts once.
const DEPTH_MAX: usize = 128;

/// An expression of a clause.
pub(super) fn lower(expr: &ast::Expr) -> Result<Expr> {
    lower_at(expr, 0)
}

/// Lowers one expression, `depth` levels below its clause.
fn lower_at(expr: &ast::Expr, depth: usize) -> Result<Expr> {
    // Spans of whole subtrees are computed by recursion: ask only nodes known to be shallow.
    if depth > DEPTH_MAX {
        let message = format!("the expression is nested deeper than {DEPTH_MAX} levels");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let sub = |expr: &ast::Expr| lower_at(expr, depth + 1);
    let boxed = |expr: &ast::Expr| sub(expr).map(Box::new);
    match expr {
        ast::Expr::Nested(inner) => sub(inner),
        ast::Expr::Identifier(ident) => {
            let name = lower_name(ident);
            Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier: None, name } })
        }
        ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [qualifier, name] => {
                let (qualifier, name) = (Some(lower_name(qualifier)), lower_name(name));
                Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier, name } })
            }
            _ => unsupported(at(expr), "a name of more than two parts"),
        },
        ast::Expr::Value(value) => lower_value(value),
        ast::Expr::TypedString(typed) => lower_typed(typed),
        ast::Expr::BinaryOp { left, op, right } => lower_binary(left, op, right, depth),
        ast::Expr::UnaryOp { op, expr: operand } => lower_unary(*op, operand, depth),
        ast::Expr::Between { expr: operand, negated, low, high } => {
            let (operand, low, high) = (boxed(operand)?, boxed(low)?, boxed(high)?);
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::Between { operand, low, high, negated: *negated } })
        }
        ast::Expr::InList { expr: operand, list, negated } => {
            let operand = boxed(operand)?;
            let list = list.iter().map(sub).collect::<Result<_>>()?;
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::InList { operand, list, negated: *negated } })
        }
        ast::Expr::Like { negated, any: false, expr: operand, pattern, escape_char } => {
            let (operand, pattern) = (boxed(operand)?, boxed(pattern)?);
            let escape = lower_escape(escape_char.as_ref())?;
            let at = operand.at;
            Ok(Expr { at, kind: ExprKind::Like { operand, pattern, escape, negated: *negated } })
        }
        ast::Expr::IsNull(operand) => lower_is_null(boxed(operand)?, false),
        ast::Expr::IsNotNull(operand) => lower_is_null(boxed(operand)?, true),
        ast::Expr::Function(function) => lower_function(function, depth),
        _ => unsupported(at(expr), name_of(expr)),
    }
}

fn lower_is_null(operand: Box<Expr>, negated: bool) -> Result<Expr> {
    Ok(Expr { at: operand.at, kind: ExprKind::IsNull { operand, negated } })
}

fn lower_binary(
    left: &ast::Expr,
    op: &ast::BinaryOperator,
    right: &ast::Expr,
    depth: usize,
) -> Result<Expr> {
    use ast::BinaryOperator as Op;
    let compare = |op| -> Result<Expr> {
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Compare { op, left, right } })
    };
    let arithmetic = |op| -> Result<Expr> {
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Arithmetic { op, left, right } })
    };
    match op {
        Op::And => lower_chain(left, op, right, depth, ExprKind::And),
        Op::Or => lower_chain(left, op, right, depth, ExprKind::Or),
        Op::Eq => compare(CompareOp::Equal),
        Op::NotEq => compare(CompareOp::NotEqual),
        Op::Lt => compare(CompareOp::Less),
        Op::LtEq => compare(CompareOp::LessOrEqual),
        Op::Gt => compare(CompareOp::Greater),
        Op::GtEq => compare(CompareOp::GreaterOrEqual),
        Op::Plus => arithmetic(ArithmeticOp::Add),
        Op::Minus => arithmetic(ArithmeticOp::Subtract),
        Op::Multiply => arithmetic(ArithmeticOp::Multiply),
        Op::Divide => arithmetic(ArithmeticOp::Divide),
        Op::Modulo => arithmetic(ArithmeticOp::Modulo),
        _ => unsupported(at(right), format!("the operator {op} before this")),
    }
}

/// Flattens a chain of one connective without recursing along it: the parser's tree leans left
/// and is as deep as the chain is long.
fn lower_chain(
    left: &ast::Expr,
    connective: &ast::BinaryOperator,
    right: &ast::Expr,
    depth: usize,
    kind: fn(Vec<Expr>) -> ExprKind,
) -> Result<Expr> {
    let mut terms = vec![right];
    let mut rest = left;
    while let ast::Expr::BinaryOp { left, op, right } = rest {
        if op != connective {
            break;
        }
        terms.push(right);
        rest = left;
    }
    terms.push(rest);
    let terms = terms
        .into_iter()
        .rev()
        .map(|term| lower_at(term, depth + 1))
        .collect::<Result<Vec<_>>>()?;
    let at = terms.first().map_or(START, |term| term.at);
    Ok(Expr { at, kind: kind(terms) })
}

fn lower_unary(op: ast::UnaryOperator, operand: &ast::Expr, depth: usize) -> Result<Expr> {
    use ast::UnaryOperator as Op;
    if !matches!(op, Op::Plus | Op::Minus | Op::Not) {
        return unsupported(at(operand), format!("the operator {op} before this"));
    }
    let operand = lower_at(operand, depth + 1)?;
    let at = operand.at;
    let kind = match (op, operand.kind) {
        (Op::Plus, kind) => kind,
        (Op::Minus, ExprKind::Literal(value)) if value.is_number() => {
            ExprKind::Literal(value.negated())
        }
        (Op::Minus, kind) => ExprKind::Negate(Box::new(Expr { at, kind })),
        (_, kind) => ExprKind::Not(Box::new(Expr { at, kind })),
    };
    Ok(Expr { at, kind })
}

fn lower_value(value: &ast::ValueWithSpan) -> Result<Expr> {
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

fn lower_typed(typed: &ast::TypedString) -> Result<Expr> {
    let ast::TypedString { data_type, value, uses_odbc_syntax } = typed;
    let at = start(value.span);
    refuse(at, *uses_odbc_syntax, "the ODBC form of a literal")?;
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return unsupported(at, "this form of a literal");
    };
    let value = match data_type {
        ast::DataType::Date => Value::date(text),
        ast::DataType::Timestamp(None, ast::TimezoneInfo::None) => Value::timestamp(text),
        _ => return unsupported(at, format!("a literal of type {data_type}")),
    };
    match value {
        Some(value) => Ok(Expr { at, kind: ExprKind::Literal(value) }),
        None => {
            let expected = match data_type {
                ast::DataType::Date => "YYYY-MM-DD",
                _ => "YYYY-MM-DD HH:MM:SS",
            };
            let message = format!("'{text}' is not a {data_type}; expected {expected}");
            Err(at.error(ErrorKind::TypeMismatch, message))
        }
    }
}

fn lower_escape(escape: Option<&ast::ValueWithSpan>) -> Result<Option<char>> {
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

fn lower_function(function: &ast::Function, depth: usize) -> Result<Expr> {
    let ast::Function {
        name,
        uses_odbc_syntax,
        parameters,
        args,
        filter,
        null_treatment,
        over,
        within_group,
    } = function;
    let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
        return unsupported(at(name), format!("the function {name}"));
    };
    let here = start(ident.span);
    let function = match ident.value.to_ascii_lowercase().as_str() {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        "avg" => AggregateFunction::Avg,
        _ => {
            let message = format!(
                "unknown function `{}`; there are count, sum, min, max and avg",
                ident.value
            );
            return Err(here.error(ErrorKind::UnknownFunction, message));
        }
    };
    refuse(here, *uses_odbc_syntax, "the ODBC form of a call")?;
    refuse(here, !matches!(parameters, ast::FunctionArguments::None), "a parametric function")?;
    refuse(here, null_treatment, "IGNORE or RESPECT NULLS")?;
    refuse(here, over, "OVER (a window)")?;
    refuse(here, within_group, "WITHIN GROUP")?;
    let ast::FunctionArguments::List(list) = args else {
        return unsupported(here, format!("{function} without a list of arguments"));
    };
    let ast::FunctionArgumentList { duplicate_treatment, args, clauses } = list;
    let distinct = matches!(duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
    refuse(here, clauses, &format!("a clause inside {function}"))?;
    let argument = match args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]
            if function == AggregateFunction::Count && !distinct =>
        {
            None
        }
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))] => {
            Some(Box::new(lower_at(argument, depth + 1)?))
        }
        _ => {
            let message = format!("{function} takes one expression");
            return Err(here.error(ErrorKind::TypeMismatch, message));
        }
    };
    let filter = filter.as_deref().map(|filter| lower_at(filter, depth + 1)).transpose()?;
    let filter = filter.map(Box::new);
    let aggregate = Aggregate { function, distinct, argument, filter };
    Ok(Expr { at: here, kind: ExprKind::Aggregate(aggregate) })
}

/// What a refused expression is called.
fn name_of(expr: &ast::Expr) -> &'static str {
    match expr {
        ast::Expr::Cast { .. } | ast::Expr::Convert { .. } => "CAST",
        ast::Expr::Case { .. } => "CASE",
        ast::Expr::ILike { .. } => "ILIKE",
        ast::Expr::Like { .. } => "LIKE ANY",
        ast::Expr::SimilarTo { .. } => "SIMILAR TO",
        ast::Expr::RLike { .. } => "RLIKE",
        ast::Expr::IsTrue(_)
        | ast::Expr::IsNotTrue(_)
        | ast::Expr::IsFalse(_)
        | ast::Expr::IsNotFalse(_)
        | ast::Expr::IsUnknown(_)
        | ast::Expr::IsNotUnknown(_) => "IS TRUE, FALSE or UNKNOWN",
        ast::Expr::IsDistinctFrom(..) | ast::Expr::IsNotDistinctFrom(..) => "IS DISTINCT FROM",
        ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } | ast::Expr::Subquery(_) => {
            "a subquery"
        }
        ast::Expr::AnyOp { .. } => "ANY",
        ast::Expr::AllOp { .. } => "ALL",
        ast::Expr::Extract { .. } => "EXTRACT",
        ast::Expr::Ceil { .. } => "ceil",
        ast::Expr::Floor { .. } => "floor",
        ast::Expr::Position { .. } => "position",
        ast::Expr::Substring { .. } => "substring",
        ast::Expr::Trim { .. } => "trim",
        ast::Expr::Overlay { .. } => "overlay",
        ast::Expr::Collate { .. } => "COLLATE",
        ast::Expr::AtTimeZone { .. } => "AT TIME ZONE",
        ast::Expr::Interval(_) => "INTERVAL",
        ast::Expr::Tuple(_) => "a row of several values",
        ast::Expr::Array(_) => "ARRAY",
        _ => "this expression",
    }
}
