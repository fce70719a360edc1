//! The binder: resolves names to columns, brings operands to one type, and computes constants.
//!
//! The rules are PostgreSQL's, with two differences that follow from formats being interchangeable:
//! integers of any width are computed in 64 bits, and decimals have at most 38 digits. A text
//! literal has no type of its own: it takes that of the other operand.

pub(crate) mod arithmetic;
mod coerce;
mod forms;
mod operators;

use arrow::datatypes::{DataType, Field};

use crate::alike::alike;
use crate::expr::pattern::Pattern;
use crate::expr::{Expr, ExprKind, Item, functions};
use crate::gather::aggregate::Aggregate;
use crate::sql::syntax;
use crate::sql::syntax::{CURRENT_DATE, Name, Position};
use crate::value::Value;
use crate::{Error, ErrorKind, Result};
use coerce::{coerce, fold, literal, unify};
use operators::{arithmetic, between, compare, in_list, matching, negate, plus};
use sift_files::calendar::DAY_MICROS;
use sift_files::cancel::spend;
use sift_files::io::waiting::Waiting;
use sift_files::{nesting, types};

/// The columns that names can mean, with their indices in the source.
#[derive(Debug)]
pub(crate) struct BindableColumns<'a> {
    pub(crate) listed: Vec<(usize, &'a Field)>,
    /// The column with the path of the file, if there is one. `*` does not list it.
    pub(crate) path: Option<(usize, &'a Field)>,
    /// True if later records may have other columns than the first ones.
    pub(crate) are_inferred: bool,
}

impl<'a> BindableColumns<'a> {
    fn fields(&self) -> impl Iterator<Item = (usize, &'a Field)> + Clone {
        self.listed.iter().copied()
    }
}

/// Binds the expressions of one Select.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    columns: BindableColumns<'a>,
    /// Names that may qualify a column.
    qualifiers: Vec<&'a Name>,
    parameters: &'a [Value],
    waiting: Waiting,
    /// True for each parameter that the text has used.
    used: Vec<bool>,
    /// The microseconds since 1970-01-01 that `now()` is.
    now: i64,
    /// The expressions that the Select groups by.
    pub(crate) keys: Vec<Item>,
    /// The aggregates of the Select so far.
    pub(crate) aggregates: Vec<Aggregate>,
}

/// The meaning of the columns in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The columns of a record, in this clause. It may not have aggregates.
    Record(&'static str),
    /// The columns of a group: its keys, then its aggregates. Each aggregate is added to those of
    /// the Select and replaced by its column.
    Group,
}

impl<'a> Binder<'a> {
    /// Makes a binder for a text in which the columns may be qualified by `qualifiers`.
    pub(crate) fn new(
        columns: BindableColumns<'a>,
        qualifiers: Vec<&'a Name>,
        parameters: &'a [Value],
        waiting: Waiting,
    ) -> Self {
        let used = vec![false; parameters.len()];
        let (keys, aggregates) = (Vec::new(), Vec::new());
        Self { columns, qualifiers, parameters, waiting, used, now: 0, keys, aggregates }
    }

    /// Sets the time of the Select, in microseconds since 1970-01-01.
    pub(crate) fn at(self, now: i64) -> Self {
        Self { now, ..self }
    }

    /// Returns the number of the first parameter that no expression has used, from 1.
    pub(crate) fn unused_parameter(&self) -> Option<usize> {
        Some(self.used.iter().position(|used| !used)? + 1)
    }

    /// Binds an expression whose values are rows, keys or arguments.
    pub(crate) fn expr(&mut self, expr: &syntax::Expr, scope: Scope) -> Result<Expr> {
        let bound = self.part(expr, scope)?;
        if let DataType::Interval(_) = bound.data_type {
            let message = "an interval that is not part of an expression is not supported; \
                           extract a field of it or cast it to text";
            return Err(expr.at.error(ErrorKind::Unsupported, message));
        }
        Ok(bound)
    }

    /// Binds any part of an expression.
    fn part(&mut self, expr: &syntax::Expr, scope: Scope) -> Result<Expr> {
        use syntax::ExprKind as Syntax;
        let at = expr.at;
        if let Some(key) = self.key_like(expr, scope) {
            return Ok(key);
        }
        let bound = match &expr.kind {
            Syntax::Column { qualifier, name } => {
                let column = self.column(qualifier.as_ref(), name)?;
                if scope == Scope::Group {
                    return self.key(&column).ok_or_else(|| not_grouped(&name.text, at));
                }
                return Ok(column);
            }
            Syntax::Literal(value) => return literal(value.clone(), at),
            Syntax::Clock(name) => return literal(self.clock(name), at),
            Syntax::Parameter(number) => return self.parameter(*number, at),
            Syntax::Not(operand) => {
                let operand = self.boolean(operand, "NOT", scope)?;
                boolean(ExprKind::Not(Box::new(operand)))
            }
            Syntax::And(terms) => boolean(ExprKind::And(self.booleans(terms, "AND", scope)?)),
            Syntax::Or(terms) => boolean(ExprKind::Or(self.booleans(terms, "OR", scope)?)),
            Syntax::Negate(operand) => negate(self.part(operand, scope)?, at)?,
            Syntax::Plus(operand) => plus(self.part(operand, scope)?, at)?,
            Syntax::Compare { op, left, right } => {
                let left = self.part(left, scope)?;
                compare(*op, left, self.part(right, scope)?, at, *op)?
            }
            Syntax::Arithmetic { op, left, right } => {
                let left = self.part(left, scope)?;
                arithmetic(*op, left, self.part(right, scope)?, at)?
            }
            Syntax::Between { operand, low, high, negated } => {
                let (operand, low) = (self.part(operand, scope)?, self.part(low, scope)?);
                negated_if(*negated, between(operand, low, self.part(high, scope)?, at)?)
            }
            Syntax::InList { operand, list, negated } => {
                let operand = self.part(operand, scope)?;
                let list =
                    list.iter().map(|expr| self.part(expr, scope)).collect::<Result<Vec<_>>>()?;
                negated_if(*negated, in_list(operand, list, at)?)
            }
            Syntax::Match { language, operand, pattern, escape, negated } => {
                if Pattern::takes_long(*language) {
                    self.waiting.check()?;
                }
                let operand = self.part(operand, scope)?;
                let pattern = self.part(pattern, scope)?;
                negated_if(*negated, matching(*language, operand, pattern, *escape, at)?)
            }
            Syntax::IsNull { operand, negated } => {
                let operand = self.part(operand, scope)?;
                negated_if(*negated, boolean(ExprKind::IsNull(Box::new(operand))))
            }
            Syntax::BooleanTest { operand, truth, negated } => {
                let operand =
                    Box::new(self.boolean(operand, "IS TRUE, FALSE or UNKNOWN", scope)?);
                negated_if(*negated, boolean(ExprKind::BooleanTest { operand, truth: *truth }))
            }
            Syntax::IsDistinct { left, right, negated } => {
                let operands = [self.part(left, scope)?, self.part(right, scope)?];
                let [left, right] = unify(operands, at, "IS DISTINCT FROM")?.map(Box::new);
                negated_if(*negated, boolean(ExprKind::IsDistinct { left, right }))
            }
            Syntax::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), at, scope)?
            }
            Syntax::Cast { operand, to } => forms::cast(self.part(operand, scope)?, to, at)?,
            Syntax::Call { name, arguments } => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.part(argument, scope))
                    .collect::<Result<_>>()?;
                forms::call(name, arguments, at)?
            }
            Syntax::NoAggregate { name, part } => return Err(no_aggregate(name, part, at)),
            Syntax::Aggregate(aggregate) => return self.aggregate(aggregate, at, scope),
        };
        Ok(fold(bound))
    }

    /// Returns the time of the Select in UTC, or its date.
    fn clock(&self, name: &str) -> Value {
        match name {
            CURRENT_DATE => Value::Date(i32::try_from(self.now / DAY_MICROS).unwrap_or(i32::MAX)),
            _ => Value::Timestamp(self.now),
        }
    }

    /// Binds a boolean expression; `place` is the construct that needs it, for errors.
    pub(crate) fn boolean(
        &mut self,
        expr: &syntax::Expr,
        place: &str,
        scope: Scope,
    ) -> Result<Expr> {
        coerce(self.part(expr, scope)?, &DataType::Boolean)
            .map_err(|found| mismatch(expr.at, format!("{place} needs a boolean, got {found}")))
    }

    fn booleans(&mut self, terms: &[syntax::Expr], place: &str, scope: Scope) -> Result<Vec<Expr>> {
        terms.iter().map(|term| self.boolean(term, place, scope)).collect()
    }

    fn column(&self, qualifier: Option<&Name>, name: &Name) -> Result<Expr> {
        let is_table = |name: &Name| self.qualifiers.iter().any(|known| name.matches(&known.text));
        let (index, field) = match qualifier {
            Some(qualifier) if !is_table(qualifier) => {
                // then it may be an object that contains the column
                self.look_up(&name.within(qualifier))?.ok_or_else(|| {
                    let message = format!("unknown table `{}` before a column", qualifier.text);
                    qualifier.at.error(ErrorKind::UnknownColumn, message)
                })?
            }
            _ => self.find(name)?,
        };
        if !types::is_selectable(field.data_type()) {
            return Err(arithmetic::not_selectable(field, name.at));
        }
        Ok(Expr { data_type: field.data_type().clone(), kind: ExprKind::Column(index) })
    }

    /// Returns whether the name means exactly one column.
    pub(crate) fn has_column(&self, name: &Name) -> bool {
        self.find(name).is_ok()
    }

    /// Finds a column.
    fn find(&self, name: &Name) -> Result<(usize, &Field)> {
        self.look_up(name)?.ok_or_else(|| self.unknown(name))
    }

    /// Finds a column, if there is one: by its exact name first, then, unless quoted, without
    /// regard to case. `"a.b"` is first the column with that name, `a.b` first the member `b` of
    /// `a`.
    fn look_up(&self, name: &Name) -> Result<Option<(usize, &Field)>> {
        // the number of names multiplied by the number of columns may be large
        spend(self.columns.listed.len() + self.keys.len())?;
        let alike = self.columns.fields().filter(|(_, field)| name.matches(field.name()));
        let alike: Vec<(usize, &Field)> = alike.collect();
        let fit =
            |field: &Field| (*field.name() == name.text, nesting::has_parts(field, &name.lengths));
        let is_better = |(ours, theirs): ((bool, bool), (bool, bool))| {
            ours != theirs && ours.0 >= theirs.0 && ours.1 >= theirs.1
        };
        let best = alike.iter().find(|(index, field)| {
            let mut others = alike.iter().filter(|(other, _)| other != index);
            others.all(|(_, other)| is_better((fit(field), fit(other))))
        });
        match best {
            Some(best) => Ok(Some(*best)),
            None if alike.is_empty() => Ok(self.path_column(name)),
            None => Err(ambiguous(name, &alike)),
        }
    }

    fn unknown(&self, name: &Name) -> Error {
        let names = self.columns.fields().map(|(_, field)| format!("`{}`", field.name()));
        let names = match names.collect::<Vec<_>>().join(", ") {
            names if names.is_empty() => "no columns".to_owned(),
            names => names,
        };
        // also if no member is such a column, because nobody may learn which members there are
        let hint = match self.columns.are_inferred {
            true => {
                "; a member that is not in the first records is a column if a descriptor declares it"
            }
            false => "",
        };
        let alike =
            alike(&name.text, self.columns.fields().map(|(_, field)| field.name().as_str()));
        let meant = alike.map(|names| format!("; did you mean {names}?")).unwrap_or_default();
        let message = format!("unknown column `{}`; this file has {names}{hint}{meant}", name.text);
        name.at.error(ErrorKind::UnknownColumn, message)
    }

    /// Returns the column with the path of the file, which nothing lists.
    fn path_column(&self, name: &Name) -> Option<(usize, &Field)> {
        self.columns.path.filter(|(_, field)| name.matches(field.name()))
    }

    fn parameter(&mut self, number: usize, at: Position) -> Result<Expr> {
        let count = self.parameters.len();
        let Some(value) = self.parameters.get(number - 1) else {
            let message = format!("parameter ${number} has no value; {count} came with the Select");
            return Err(at.error(ErrorKind::Parameter, message));
        };
        self.used[number - 1] = true;
        literal(value.clone(), at)
    }

    /// Returns the column of a group that equals `expr` for its records.
    pub(crate) fn key(&self, expr: &Expr) -> Option<Expr> {
        let index = self.keys.iter().position(|key| key.expr == *expr)?;
        Some(Expr { data_type: expr.data_type.clone(), kind: ExprKind::Column(index) })
    }

    /// Returns the column of a group that equals an expression with operands.
    fn key_like(&mut self, expr: &syntax::Expr, scope: Scope) -> Option<Expr> {
        use syntax::ExprKind::{Aggregate, Column, Literal};
        let has_parts = !matches!(expr.kind, Column { .. } | Literal(_) | Aggregate(_));
        let is_sought = |key: &Item| !matches!(key.expr.kind, ExprKind::Column(_));
        if scope != Scope::Group || !has_parts || !self.keys.iter().any(is_sought) {
            return None;
        }
        let bound = self.expr(expr, Scope::Record("a key"));
        self.key(&bound.ok()?)
    }

    fn aggregate(
        &mut self,
        aggregate: &syntax::Aggregate,
        at: Position,
        scope: Scope,
    ) -> Result<Expr> {
        let syntax::Aggregate { function, distinct, argument, filter } = aggregate;
        if let Scope::Record(place) = scope {
            let message = format!("{function} may not stand in {place}");
            return Err(at.error(ErrorKind::Unsupported, message));
        }
        let record = Scope::Record("the argument of an aggregate");
        let argument = argument.as_ref().map(|argument| self.expr(argument, record)).transpose()?;
        let record = Scope::Record("FILTER");
        let filter = filter.as_ref().map(|filter| self.boolean(filter, "FILTER", record));
        let filter = filter.transpose()?;
        let text = aggregate.to_string();
        let bound = Aggregate::new(*function, *distinct, argument, filter, text)
            .map_err(|found| mismatch(at, format!("{function} does not take {found}")))?;
        let known = self.aggregates.iter().position(|aggregate| *aggregate == bound);
        let index = known.unwrap_or(self.aggregates.len());
        let data_type = bound.data_type().clone();
        if known.is_none() {
            self.aggregates.push(bound);
        }
        Ok(Expr { data_type, kind: ExprKind::Column(self.keys.len() + index) })
    }
}

/// Makes the error of a name that several columns have.
fn ambiguous(name: &Name, alike: &[(usize, &Field)]) -> Error {
    let mut names: Vec<String> = alike.iter().map(|(_, field)| nesting::quoted(field)).collect();
    names.sort_unstable();
    names.dedup();
    let remedy = if names.len() == alike.len() {
        format!("write {}", names.join(" or "))
    } else {
        format!("{} columns have this name; rename them, or select all by `*`", alike.len())
    };
    let message = format!("column `{}` is ambiguous: {remedy}", name.text);
    name.at.error(ErrorKind::UnknownColumn, message)
}

/// Makes the error of a call in a form that only aggregates have.
fn no_aggregate(name: &str, part: &str, at: Position) -> Error {
    match functions::misspelled(name) {
        Some(message) => at.error(ErrorKind::UnknownFunction, message),
        None => at.error(ErrorKind::Unsupported, format!("{part} {name} is not supported")),
    }
}

/// Makes the error of a column of the records in a place for columns of groups.
pub(crate) fn not_grouped(column: &str, at: Position) -> Error {
    let message = format!(
        "column `{column}` stands beside an aggregate or GROUP BY; expected it inside of one"
    );
    at.error(ErrorKind::Unsupported, message)
}

fn mismatch(at: Position, message: String) -> Error {
    at.error(ErrorKind::TypeMismatch, message)
}

fn boolean(kind: ExprKind) -> Expr {
    Expr { data_type: DataType::Boolean, kind }
}

fn negated_if(negated: bool, expr: Expr) -> Expr {
    if negated { boolean(ExprKind::Not(Box::new(expr))) } else { expr }
}
