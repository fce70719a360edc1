//! Expressions as text: in EXPLAIN and as names of columns that have no alias.

use std::fmt::{self, Display, Formatter};

use super::{Aggregate, CURRENT_DATE, Expr, ExprKind, Name, PatternLanguage};
use crate::value::{Value, scalar};

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "\"{}\"", self.text) } else { f.write_str(&self.text) }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match &self.kind {
            // those with two words have no parentheses
            ExprKind::Clock(name @ (CURRENT_DATE | "current_timestamp" | "localtimestamp")) => {
                f.write_str(name)
            }
            ExprKind::Clock(name) => write!(f, "{name}()"),
            ExprKind::Column { name, .. } => write!(f, "{name}"),
            ExprKind::Literal(value) => literal(value, f),
            ExprKind::Parameter(number) => write!(f, "${number}"),
            ExprKind::Not(operand) => write!(f, "NOT {}", Operand(operand)),
            ExprKind::And(terms) => joined(terms, " AND ", f),
            ExprKind::Or(terms) => joined(terms, " OR ", f),
            ExprKind::Negate(operand) => write!(f, "-{}", Operand(operand)),
            ExprKind::Plus(operand) => write!(f, "+{}", Operand(operand)),
            ExprKind::Compare { op, left, right } => {
                write!(f, "{} {op} {}", Operand(left), Operand(right))
            }
            ExprKind::Arithmetic { op, left, right } => {
                write!(f, "{} {op} {}", Operand(left), Operand(right))
            }
            ExprKind::Between { operand, low, high, negated } => {
                let (operand, low, high) = (Operand(operand), Operand(low), Operand(high));
                write!(f, "{operand} {}BETWEEN {low} AND {high}", not(negated))
            }
            ExprKind::InList { operand, list, negated } => {
                write!(f, "{} {}IN (", Operand(operand), not(negated))?;
                listed(list, f)?;
                f.write_str(")")
            }
            ExprKind::Match { language, operand, pattern, escape, negated } => {
                let (operand, pattern) = (Operand(operand), Operand(pattern));
                if let PatternLanguage::Regex | PatternLanguage::RegexIgnoringCase = language {
                    let not = if *negated { "!" } else { "" };
                    return write!(f, "{operand} {not}{language} {pattern}");
                }
                write!(f, "{operand} {}{language} {pattern}", not(negated))?;
                match escape {
                    Some('\\') => Ok(()),
                    Some(escape) => write!(f, " ESCAPE '{escape}'"),
                    None => f.write_str(" ESCAPE ''"),
                }
            }
            ExprKind::IsNull { operand, negated } => {
                write!(f, "{} IS {}NULL", Operand(operand), not(negated))
            }
            ExprKind::BooleanTest { operand, truth, negated } => {
                let truth = match truth {
                    Some(true) => "TRUE",
                    Some(false) => "FALSE",
                    None => "UNKNOWN",
                };
                write!(f, "{} IS {}{truth}", Operand(operand), not(negated))
            }
            ExprKind::IsDistinct { left, right, negated } => {
                let (left, right) = (Operand(left), Operand(right));
                write!(f, "{left} IS {}DISTINCT FROM {right}", not(negated))
            }
            ExprKind::Case { operand, branches, otherwise } => {
                f.write_str("CASE")?;
                if let Some(operand) = operand {
                    write!(f, " {}", Operand(operand))?;
                }
                for (condition, result) in branches {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            ExprKind::Cast { operand, to } => write!(f, "CAST({operand} AS {to})"),
            ExprKind::Call { name, arguments } => match arguments.as_slice() {
                [left, right] if !name.starts_with(char::is_alphabetic) => {
                    write!(f, "{} {name} {}", Operand(left), Operand(right))
                }
                arguments => {
                    write!(f, "{name}(")?;
                    listed(arguments, f)?;
                    f.write_str(")")
                }
            },
            ExprKind::NoAggregate { name, .. } => write!(f, "{name}()"),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { function, distinct, argument, filter } = self;
        let distinct = if *distinct { "DISTINCT " } else { "" };
        match argument {
            None => write!(f, "{function}(*)")?,
            Some(argument) => write!(f, "{function}({distinct}{argument})")?,
        }
        match filter {
            None => Ok(()),
            Some(filter) => write!(f, " FILTER (WHERE {filter})"),
        }
    }
}

/// An operand of an expression: in parentheses unless it is atomic.
struct Operand<'a>(&'a Expr);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            ExprKind::Column { .. }
            | ExprKind::Literal(_)
            | ExprKind::Parameter(_)
            | ExprKind::Aggregate(_)
            | ExprKind::Case { .. }
            | ExprKind::Cast { .. } => self.0.fmt(f),
            ExprKind::Call { ref name, .. } if name.starts_with(char::is_alphabetic) => {
                self.0.fmt(f)
            }
            _ => write!(f, "({})", self.0),
        }
    }
}

fn joined(terms: &[Expr], separator: &str, f: &mut Formatter<'_>) -> fmt::Result {
    for (i, term) in terms.iter().enumerate() {
        write!(f, "{}{}", if i == 0 { "" } else { separator }, Operand(term))?;
    }
    Ok(())
}

/// Writes a list; of a long list only the start.
fn listed(list: &[Expr], f: &mut Formatter<'_>) -> fmt::Result {
    const SHOWN_MAX: usize = 8;
    for (i, expr) in list.iter().take(SHOWN_MAX).enumerate() {
        write!(f, "{}{expr}", if i == 0 { "" } else { ", " })?;
    }
    match list.len().checked_sub(SHOWN_MAX) {
        Some(more) if more > 0 => write!(f, ", … {more} more"),
        _ => Ok(()),
    }
}

fn literal(value: &Value, f: &mut Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => f.write_str("NULL"),
        Value::Boolean(value) => write!(f, "{value}"),
        Value::Integer(value) => write!(f, "{value}"),
        Value::Float(value) => write!(f, "{value:?}"),
        Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        Value::Binary(bytes) => write!(f, "({} bytes)", bytes.len()),
        Value::Decimal { .. } | Value::Date(_) | Value::Timestamp(_) | Value::Interval(_) => {
            let prefix = match value {
                Value::Date(_) => "DATE ",
                Value::Timestamp(_) => "TIMESTAMP ",
                Value::Interval(_) => "INTERVAL ",
                _ => return f.write_str(&scalar::text_of(value)),
            };
            write!(f, "{prefix}'{}'", scalar::text_of(value))
        }
    }
}
