//! Expressions, lowered from the parser's tree.

use sqlparser::ast;

use super::cast::lower_cast;
use super::clauses::lower_name;
use super::function::{
    lower_extract, lower_function, lower_operator, lower_position, lower_rounding, lower_substring,
    lower_trim,
};
use super::literal::{lower_escape, lower_interval, lower_typed, lower_value};
use super::position::{START, at, start, unsupported};
use super::syntax::{ArithmeticOp, CompareOp, Expr, ExprKind, PatternLanguage};
use crate::{Error, ErrorKind, Result};

/// Deepest nesting of a bound expression; a chain of one connective counts once.
const DEPTH_MAX: usize = 128;

/// Lowers an expression of a clause.
pub(super) fn lower(expr: &ast::Expr) -> Result<Expr> {
    lower_at(expr, 0)
}

/// Lowers one expression, `depth` levels below its clause.
pub(super) fn lower_at(expr: &ast::Expr, depth: usize) -> Result<Expr> {
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
            let name = lower_name(ident)?;
            Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier: None, name } })
        }
        ast::Expr::CompoundIdentifier(parts) => lower_compound(parts, expr),
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
            let escape = lower_escape(escape_char.as_ref())?;
            lower_match(PatternLanguage::Like, operand, pattern, escape, *negated, depth)
        }
        ast::Expr::ILike { negated, any: false, expr: operand, pattern, escape_char } => {
            let escape = lower_escape(escape_char.as_ref())?;
            lower_match(PatternLanguage::ILike, operand, pattern, escape, *negated, depth)
        }
        ast::Expr::SimilarTo { negated, expr: operand, pattern, escape_char } => {
            let escape = lower_escape(escape_char.as_ref())?;
            lower_match(PatternLanguage::Similar, operand, pattern, escape, *negated, depth)
        }
        ast::Expr::IsNull(operand) => lower_is_null(boxed(operand)?, false),
        ast::Expr::IsNotNull(operand) => lower_is_null(boxed(operand)?, true),
        ast::Expr::IsTrue(operand) => lower_boolean_test(boxed(operand)?, Some(true), false),
        ast::Expr::IsNotTrue(operand) => lower_boolean_test(boxed(operand)?, Some(true), true),
        ast::Expr::IsFalse(operand) => lower_boolean_test(boxed(operand)?, Some(false), false),
        ast::Expr::IsNotFalse(operand) => lower_boolean_test(boxed(operand)?, Some(false), true),
        ast::Expr::IsUnknown(operand) => lower_boolean_test(boxed(operand)?, None, false),
        ast::Expr::IsNotUnknown(operand) => lower_boolean_test(boxed(operand)?, None, true),
        ast::Expr::IsDistinctFrom(left, right) => {
            lower_is_distinct(boxed(left)?, boxed(right)?, false)
        }
        ast::Expr::IsNotDistinctFrom(left, right) => {
            lower_is_distinct(boxed(left)?, boxed(right)?, true)
        }
        ast::Expr::Case { case_token, end_token: _, operand, conditions, else_result } => {
            let operand = operand.as_deref().map(boxed).transpose()?;
            let branches = conditions
                .iter()
                .map(|ast::CaseWhen { condition, result }| Ok((sub(condition)?, sub(result)?)));
            let branches = branches.collect::<Result<_>>()?;
            let otherwise = else_result.as_deref().map(boxed).transpose()?;
            let at = start(case_token.0.span);
            Ok(Expr { at, kind: ExprKind::Case { operand, branches, otherwise } })
        }
        ast::Expr::Cast { kind, expr: operand, data_type, array: false, format } => {
            lower_cast(kind, sub(operand)?, data_type, format.as_ref())
        }
        ast::Expr::Interval(interval) => lower_interval(interval),
        ast::Expr::Function(function) => lower_function(function, depth),
        ast::Expr::Extract { field, syntax: ast::ExtractSyntax::From, expr } => {
            lower_extract(field, expr, depth)
        }
        ast::Expr::Ceil { expr, field } => lower_rounding("ceil", expr, field, depth),
        ast::Expr::Floor { expr, field } => lower_rounding("floor", expr, field, depth),
        ast::Expr::Position { expr, r#in } => lower_position(expr, r#in, depth),
        ast::Expr::Substring { expr, substring_from, substring_for, .. } => {
            lower_substring(expr, substring_from.as_deref(), substring_for.as_deref(), depth)
        }
        ast::Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
            let characters = trim_characters.as_deref();
            lower_trim(*trim_where, trim_what.as_deref(), expr, characters, depth)
        }
        _ => unsupported(at(expr), name_of(expr)),
    }
}

/// Lowers a qualified column, after its table or the objects that contain it: `t.id`,
/// `address.city`.
fn lower_compound(parts: &[ast::Ident], expr: &ast::Expr) -> Result<Expr> {
    let [qualifier, first, rest @ ..] = parts else {
        return unsupported(at(expr), "a name without parts");
    };
    let mut name = lower_name(first)?;
    for part in rest {
        name = lower_name(part)?.within(&name);
    }
    let qualifier = Some(lower_name(qualifier)?);
    Ok(Expr { at: name.at, kind: ExprKind::Column { qualifier, name } })
}

fn lower_is_null(operand: Box<Expr>, negated: bool) -> Result<Expr> {
    Ok(Expr { at: operand.at, kind: ExprKind::IsNull { operand, negated } })
}

fn lower_boolean_test(operand: Box<Expr>, truth: Option<bool>, negated: bool) -> Result<Expr> {
    Ok(Expr { at: operand.at, kind: ExprKind::BooleanTest { operand, truth, negated } })
}

fn lower_is_distinct(left: Box<Expr>, right: Box<Expr>, negated: bool) -> Result<Expr> {
    Ok(Expr { at: left.at, kind: ExprKind::IsDistinct { left, right, negated } })
}

fn lower_match(
    language: PatternLanguage,
    operand: &ast::Expr,
    pattern: &ast::Expr,
    escape: Option<char>,
    negated: bool,
    depth: usize,
) -> Result<Expr> {
    let operand = Box::new(lower_at(operand, depth + 1)?);
    let pattern = Box::new(lower_at(pattern, depth + 1)?);
    let at = operand.at;
    Ok(Expr { at, kind: ExprKind::Match { language, operand, pattern, escape, negated } })
}

fn lower_binary(
    left: &ast::Expr,
    op: &ast::BinaryOperator,
    right: &ast::Expr,
    depth: usize,
) -> Result<Expr> {
    use ast::BinaryOperator as Op;
    let compare = |op| -> Result<Expr> {
        if is_comparison(left) {
            let message =
                "a comparison stands beside another; expected AND between them, or brackets";
            return Err(at(right).error(ErrorKind::Syntax, message));
        }
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Compare { op, left, right } })
    };
    let arithmetic = |op| -> Result<Expr> {
        let left = Box::new(lower_at(left, depth + 1)?);
        let right = Box::new(lower_at(right, depth + 1)?);
        Ok(Expr { at: left.at, kind: ExprKind::Arithmetic { op, left, right } })
    };
    let regex = |language, negated| lower_match(language, left, right, None, negated, depth);
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
        Op::StringConcat => lower_operator("||", left, right, depth),
        Op::PGExp => lower_operator("^", left, right, depth),
        Op::PGRegexMatch => regex(PatternLanguage::Regex, false),
        Op::PGRegexNotMatch => regex(PatternLanguage::Regex, true),
        Op::PGRegexIMatch => regex(PatternLanguage::RegexIgnoringCase, false),
        Op::PGRegexNotIMatch => regex(PatternLanguage::RegexIgnoringCase, true),
        _ => unsupported(at(right), format!("the operator {op} before this")),
    }
}

fn is_comparison(expr: &ast::Expr) -> bool {
    use ast::BinaryOperator as Op;
    matches!(
        expr,
        ast::Expr::BinaryOp { op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, .. }
    )
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
        (Op::Plus, kind) => ExprKind::Plus(Box::new(Expr { at, kind })),
        (Op::Minus, ExprKind::Literal(value)) if value.is_number() => {
            ExprKind::Literal(value.negated())
        }
        (Op::Minus, kind) => ExprKind::Negate(Box::new(Expr { at, kind })),
        (_, kind) => ExprKind::Not(Box::new(Expr { at, kind })),
    };
    Ok(Expr { at, kind })
}

/// Returns the name of a refused expression, for the message.
fn name_of(expr: &ast::Expr) -> &'static str {
    match expr {
        ast::Expr::Convert { .. } => "CONVERT",
        ast::Expr::Cast { .. } => "CAST to an array",
        ast::Expr::Like { .. } | ast::Expr::ILike { .. } => "LIKE ANY",
        ast::Expr::RLike { .. } => "RLIKE",
        ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } | ast::Expr::Subquery(_) => {
            "a subquery"
        }
        ast::Expr::AnyOp { .. } => "ANY",
        ast::Expr::AllOp { .. } => "ALL",
        ast::Expr::Extract { .. } => "EXTRACT with a comma",
        ast::Expr::Overlay { .. } => "overlay",
        ast::Expr::Collate { .. } => "COLLATE",
        ast::Expr::AtTimeZone { .. } => "AT TIME ZONE",
        ast::Expr::Tuple(_) => "a row of several values",
        ast::Expr::Array(_) => "ARRAY",
        _ => "this expression",
    }
}
