//! Calls, lowered: aggregates, functions, and the forms of functions with keywords inside.

use sqlparser::ast;

use super::expr::lower_at;
use super::position::{START, at, refuse, start, unsupported};
use super::syntax::{Aggregate, AggregateFunction, CURRENT_DATE, Expr, ExprKind};
use crate::value::Value;
use crate::{ErrorKind, Result};

/// Functions whose value is the date of the Select, or its time.
const CLOCKS: &[&str] = &[
    CURRENT_DATE,
    "now",
    "current_timestamp",
    "localtimestamp",
    "statement_timestamp",
    "transaction_timestamp",
];

/// Functions whose value depends on the time or the user of the call.
const NOT_IMMUTABLE: &[&str] = &[
    "current_time",
    "localtime",
    "clock_timestamp",
    "timeofday",
    "random",
    "current_user",
    "session_user",
    "user",
];

pub(super) fn lower_function(function: &ast::Function, depth: usize) -> Result<Expr> {
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
    let name = ident.value.to_ascii_lowercase();
    if NOT_IMMUTABLE.contains(&name.as_str()) {
        let message = format!(
            "{name} is not supported: an answer depends on the file and the time of the Select only; \
             send the value as a parameter"
        );
        return Err(here.error(ErrorKind::Unsupported, message));
    }
    refuse(here, *uses_odbc_syntax, "the ODBC form of a call")?;
    refuse(here, !matches!(parameters, ast::FunctionArguments::None), "a parametric function")?;
    refuse(here, null_treatment, "IGNORE or RESPECT NULLS")?;
    refuse(here, over, "OVER (a window)")?;
    refuse(here, within_group, "WITHIN GROUP")?;
    if let Some(clock) = CLOCKS.iter().find(|clock| **clock == name) {
        let has_arguments =
            matches!(args, ast::FunctionArguments::List(list) if !list.args.is_empty());
        refuse(here, has_arguments, &format!("{name} with arguments"))?;
        refuse(here, filter, &format!("FILTER of {name}"))?;
        return Ok(Expr { at: here, kind: ExprKind::Clock(clock) });
    }
    let ast::FunctionArguments::List(list) = args else {
        return unsupported(here, format!("{name} without a list of arguments"));
    };
    let ast::FunctionArgumentList { duplicate_treatment, args, clauses } = list;
    refuse(here, clauses, &format!("a clause inside {name}"))?;
    let Some(aggregate) = aggregate_function(&name) else {
        // only calls of aggregates have these parts
        let is_aggregate_form = duplicate_treatment.is_some()
            || filter.is_some()
            || matches!(args[..], [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]);
        if is_aggregate_form {
            let part = match (duplicate_treatment, filter) {
                (Some(_), _) => "DISTINCT or ALL inside",
                (None, Some(_)) => "FILTER of",
                (None, None) => "a named argument or * of",
            };
            return Ok(Expr { at: here, kind: ExprKind::NoAggregate { name, part } });
        }
        let arguments = args.iter().map(|argument| match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument)) => {
                lower_at(argument, depth + 1)
            }
            _ => unsupported(here, format!("a named argument or * of {name}")),
        });
        let arguments = arguments.collect::<Result<_>>()?;
        return Ok(Expr { at: here, kind: ExprKind::Call { name, arguments } });
    };
    let distinct = matches!(duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
    let argument = match args.as_slice() {
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)]
            if aggregate == AggregateFunction::Count && !distinct =>
        {
            None
        }
        [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))] => {
            Some(Box::new(lower_at(argument, depth + 1)?))
        }
        _ => {
            let message = format!("{aggregate} takes one expression");
            return Err(here.error(ErrorKind::TypeMismatch, message));
        }
    };
    let filter = filter.as_deref().map(|filter| lower_at(filter, depth + 1)).transpose()?;
    let filter = filter.map(Box::new);
    let aggregate = Aggregate { function: aggregate, distinct, argument, filter };
    Ok(Expr { at: here, kind: ExprKind::Aggregate(aggregate) })
}

fn aggregate_function(name: &str) -> Option<AggregateFunction> {
    Some(match name {
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        "avg" => AggregateFunction::Avg,
        _ => return None,
    })
}

/// Makes the call of a special form, at the position of its first argument.
fn call<const N: usize>(name: &str, arguments: [&ast::Expr; N], depth: usize) -> Result<Expr> {
    let arguments: Vec<_> = arguments
        .into_iter()
        .map(|argument| lower_at(argument, depth + 1))
        .collect::<Result<_>>()?;
    let at = arguments.first().map_or(START, |first| first.at);
    Ok(Expr { at, kind: ExprKind::Call { name: name.to_owned(), arguments } })
}

/// Lowers the operator `name`, which is a function.
pub(super) fn lower_operator(
    name: &str,
    left: &ast::Expr,
    right: &ast::Expr,
    depth: usize,
) -> Result<Expr> {
    call(name, [left, right], depth)
}

/// Lowers `EXTRACT(field FROM expr)`.
pub(super) fn lower_extract(
    field: &ast::DateTimeField,
    expr: &ast::Expr,
    depth: usize,
) -> Result<Expr> {
    let mut extract = call("extract", [expr], depth)?;
    if let ExprKind::Call { arguments, .. } = &mut extract.kind {
        let field = field.to_string().to_ascii_lowercase();
        let field = ExprKind::Literal(Value::Text(field.trim_matches('\'').to_owned()));
        arguments.insert(0, Expr { at: extract.at, kind: field });
    }
    Ok(extract)
}

/// Lowers `ceil` and `floor`. The parser also knows them with a unit or a scale, which is refused.
pub(super) fn lower_rounding(
    name: &str,
    expr: &ast::Expr,
    field: &ast::CeilFloorKind,
    depth: usize,
) -> Result<Expr> {
    let call = call(name, [expr], depth)?;
    let plain = ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime);
    refuse(call.at, *field != plain, &format!("{name} with a unit or scale"))?;
    Ok(call)
}

/// Lowers `substring(expr FROM from FOR length)` and the form with commas.
pub(super) fn lower_substring(
    expr: &ast::Expr,
    from: Option<&ast::Expr>,
    length: Option<&ast::Expr>,
    depth: usize,
) -> Result<Expr> {
    match (from, length) {
        (Some(from), Some(length)) => call("substring", [expr, from, length], depth),
        (Some(from), None) => call("substring", [expr, from], depth),
        (None, Some(length)) => {
            let mut substring = call("substring", [expr, length], depth)?;
            if let ExprKind::Call { arguments, .. } = &mut substring.kind {
                let one = ExprKind::Literal(Value::Integer(1));
                arguments.insert(1, Expr { at: substring.at, kind: one });
            }
            Ok(substring)
        }
        (None, None) => {
            let message = "substring takes a text, where it starts and how long it is";
            Err(lower_at(expr, depth + 1)?.at.error(ErrorKind::TypeMismatch, message))
        }
    }
}

/// Lowers `trim(BOTH characters FROM expr)` and the form with a comma.
pub(super) fn lower_trim(
    side: Option<ast::TrimWhereField>,
    what: Option<&ast::Expr>,
    expr: &ast::Expr,
    characters: Option<&[ast::Expr]>,
    depth: usize,
) -> Result<Expr> {
    let name = match side {
        None | Some(ast::TrimWhereField::Both) => "btrim",
        Some(ast::TrimWhereField::Leading) => "ltrim",
        Some(ast::TrimWhereField::Trailing) => "rtrim",
    };
    match (what, characters) {
        (Some(what), None) | (None, Some([what])) => call(name, [expr, what], depth),
        (None, None) => call(name, [expr], depth),
        _ => unsupported(lower_at(expr, depth + 1)?.at, "trim of more than one set of characters"),
    }
}

/// Lowers `position(what IN expr)`.
pub(super) fn lower_position(what: &ast::Expr, expr: &ast::Expr, depth: usize) -> Result<Expr> {
    call("strpos", [expr, what], depth)
}
