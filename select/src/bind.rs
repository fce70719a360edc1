//! Binding: names become columns, operands are brought to one type, constants are computed.
//!
//! The rules are PostgreSQL's, with two differences that follow from formats being
//! interchangeable: whole numbers of any width compute in 64 bits, and decimals have at most 38
//! digits. A text literal has no type of its own: it takes that of the other operand.

use std::collections::HashSet;

use arrow::array::{Datum, Scalar};
use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::aggregate::Aggregate;
use crate::expr::{Expr, ExprKind, Literal, LiteralSet};
use crate::like::Like;
use crate::plan::Item;
use crate::syntax::{self, ArithmeticOp, Name, Position};
use crate::types::{self, type_name};
use crate::{Error, ErrorKind, Result, Value, View, eval};

/// Shorter lists are compared value by value.
const SET_LENGTH_MIN: usize = 8;

/// What names and parameters mean.
#[derive(Debug)]
pub(crate) struct Binder<'a> {
    pub(crate) view: &'a View,
    /// Names that may qualify a column.
    pub(crate) qualifiers: Vec<&'a Name>,
    pub(crate) parameters: &'a [Value],
    /// Which parameters the text has used.
    pub(crate) used: Vec<bool>,
    pub(crate) scope: Scope,
    /// What the Select groups by.
    pub(crate) keys: Vec<Item>,
    /// The aggregates of the Select so far.
    pub(crate) aggregates: Vec<Aggregate>,
}

/// What the columns of an expression are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of a record. Aggregates may not stand here; in which clause.
    Record(&'static str),
    /// Those of a group: its keys, then its aggregates. Each aggregate is added to those of the
    /// Select and replaced by its column.
    Group,
}

impl Binder<'_> {
    /// Binds any expression.
    pub(crate) fn expr(&mut self, expr: &syntax::Expr) -> Result<Expr> {
        use syntax::ExprKind as Syntax;
        let at = expr.at;
        if let Some(key) = self.key_like(expr) {
            return Ok(key);
        }
        let bound = match &expr.kind {
            Syntax::Column { qualifier, name } => {
                let column = self.column(qualifier.as_ref(), name)?;
                if self.scope == Scope::Group {
                    return self.key(&column).ok_or_else(|| not_grouped(&name.text, at));
                }
                return Ok(column);
            }
            Syntax::Literal(value) => return literal(value.clone(), at),
            Syntax::Parameter(number) => return self.parameter(*number, at),
            Syntax::Not(operand) => {
                let operand = self.boolean(operand, "NOT")?;
                boolean(ExprKind::Not(Box::new(operand)))
            }
            Syntax::And(terms) => boolean(ExprKind::And(self.booleans(terms, "AND")?)),
            Syntax::Or(terms) => boolean(ExprKind::Or(self.booleans(terms, "OR")?)),
            Syntax::Negate(operand) => negate(self.expr(operand)?, at)?,
            Syntax::Compare { op, left, right } => {
                let operands = [self.expr(left)?, self.expr(right)?];
                let [left, right] = unify(operands, at, *op)?;
                boolean(ExprKind::Compare { op: *op, left: Box::new(left), right: Box::new(right) })
            }
            Syntax::Arithmetic { op, left, right } => {
                let left = self.expr(left)?;
                arithmetic(*op, left, self.expr(right)?, at)?
            }
            Syntax::Between { operand, low, high, negated } => {
                let operands = [self.expr(operand)?, self.expr(low)?, self.expr(high)?];
                let [operand, low, high] = unify(operands, at, "BETWEEN")?.map(Box::new);
                negated_if(*negated, boolean(ExprKind::Between { operand, low, high }))
            }
            Syntax::InList { operand, list, negated } => {
                let operand = self.expr(operand)?;
                let list = list.iter().map(|expr| self.expr(expr)).collect::<Result<Vec<_>>>()?;
                negated_if(*negated, in_list(operand, list, at)?)
            }
            Syntax::Like { operand, pattern, escape, negated } => {
                let operand = self.expr(operand)?;
                let pattern = self.expr(pattern)?;
                negated_if(*negated, like(operand, pattern, *escape, at)?)
            }
            Syntax::IsNull { operand, negated } => {
                let operand = self.expr(operand)?;
                negated_if(*negated, boolean(ExprKind::IsNull(Box::new(operand))))
            }
            Syntax::Aggregate(aggregate) => return self.aggregate(aggregate, at),
        };
        Ok(fold(bound))
    }

    /// Binds an expression whose value is a boolean, as `place` needs it.
    pub(crate) fn boolean(&mut self, expr: &syntax::Expr, place: &str) -> Result<Expr> {
        coerce(self.expr(expr)?, &DataType::Boolean)
            .map_err(|found| mismatch(expr.at, format!("{place} needs a boolean, got {found}")))
    }

    fn booleans(&mut self, terms: &[syntax::Expr], place: &str) -> Result<Vec<Expr>> {
        terms.iter().map(|term| self.boolean(term, place)).collect()
    }

    fn column(&self, qualifier: Option<&Name>, name: &Name) -> Result<Expr> {
        if let Some(qualifier) = qualifier
            && !self.qualifiers.iter().any(|known| matches(qualifier, &known.text))
        {
            let message = format!("unknown table `{}` before a column", qualifier.text);
            return Err(qualifier.at.error(ErrorKind::UnknownColumn, message));
        }
        let (index, field) = self.find(name)?;
        Ok(Expr { data_type: field.data_type().clone(), kind: ExprKind::Column(index) })
    }

    /// Whether the name means a column, and one only.
    pub(crate) fn has_column(&self, name: &Name) -> bool {
        self.find(name).is_ok()
    }

    /// Finds a column: by its exact name first, then, unless quoted, without regard to case.
    fn find(&self, name: &Name) -> Result<(usize, &Field)> {
        let fields = self.view.fields();
        if let Some(exact) = fields.clone().find(|(_, field)| *field.name() == name.text) {
            return Ok(exact);
        }
        let mut alike = fields.clone().filter(|(_, field)| matches(name, field.name()));
        match (alike.next(), alike.next()) {
            (Some(only), None) => Ok(only),
            (Some((_, one)), Some((_, other))) => {
                let message = format!(
                    "column `{}` is ambiguous: write \"{}\" or \"{}\"",
                    name.text,
                    one.name(),
                    other.name()
                );
                Err(name.at.error(ErrorKind::UnknownColumn, message))
            }
            (None, _) => {
                let names: Vec<_> =
                    fields.map(|(_, field)| format!("`{}`", field.name())).collect();
                let message =
                    format!("unknown column `{}`; this file has {}", name.text, names.join(", "));
                Err(name.at.error(ErrorKind::UnknownColumn, message))
            }
        }
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

    /// The column of a group that is the same as `expr` of its records.
    pub(crate) fn key(&self, expr: &Expr) -> Option<Expr> {
        let index = self.keys.iter().position(|key| key.expr == *expr)?;
        Some(Expr { data_type: expr.data_type.clone(), kind: ExprKind::Column(index) })
    }

    /// The column of a group that an expression of several parts is.
    fn key_like(&mut self, expr: &syntax::Expr) -> Option<Expr> {
        use syntax::ExprKind::{Aggregate, Column, Literal};
        let has_parts = !matches!(expr.kind, Column { .. } | Literal(_) | Aggregate(_));
        let is_sought = |key: &Item| !matches!(key.expr.kind, ExprKind::Column(_));
        if self.scope != Scope::Group || !has_parts || !self.keys.iter().any(is_sought) {
            return None;
        }
        self.scope = Scope::Record("a key");
        let bound = self.expr(expr);
        self.scope = Scope::Group;
        self.key(&bound.ok()?)
    }

    fn aggregate(&mut self, aggregate: &syntax::Aggregate, at: Position) -> Result<Expr> {
        let syntax::Aggregate { function, distinct, argument, filter } = aggregate;
        if let Scope::Record(place) = self.scope {
            let message = format!("{function} may not stand in {place}");
            return Err(at.error(ErrorKind::Unsupported, message));
        }
        self.scope = Scope::Record("the argument of an aggregate");
        let argument = argument.as_ref().map(|argument| self.expr(argument)).transpose()?;
        self.scope = Scope::Record("FILTER");
        let filter = filter.as_ref().map(|filter| self.boolean(filter, "FILTER")).transpose()?;
        self.scope = Scope::Group;
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

/// A column of the records where only those of groups are.
pub(crate) fn not_grouped(column: &str, at: Position) -> Error {
    let message = format!(
        "column `{column}` stands beside an aggregate or GROUP BY; expected it inside of one"
    );
    at.error(ErrorKind::Unsupported, message)
}

pub(crate) fn matches(name: &Name, known: &str) -> bool {
    if name.quoted { name.text == known } else { name.text.eq_ignore_ascii_case(known) }
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

/// A literal of its own type; NULL is a text until something coerces it.
fn literal(value: Value, at: Position) -> Result<Expr> {
    let data_type = types::type_of(&value);
    typed_literal(&value, &data_type)
        .ok_or_else(|| mismatch(at, format!("the value does not fit {}", type_name(&data_type))))
}

fn typed_literal(value: &Value, data_type: &DataType) -> Option<Expr> {
    let scalar = types::scalar(value, data_type)?;
    let kind = ExprKind::Literal(Literal { value: value.clone(), scalar });
    Some(Expr { data_type: data_type.clone(), kind })
}

/// Brings an expression to a type, if PostgreSQL does so without being asked.
///
/// # Errors
/// What was found instead, for the message.
fn coerce(expr: Expr, to: &DataType) -> std::result::Result<Expr, String> {
    if expr.data_type == *to {
        return Ok(expr);
    }
    if let ExprKind::Literal(Literal { value, .. }) = &expr.kind {
        if let Some(literal) = typed_literal(value, to) {
            return Ok(literal);
        }
        if let Value::Text(text) = value {
            return Err(format!("'{text}', which is no {}", type_name(to)));
        }
    }
    let found = type_name(&expr.data_type);
    let implicit = match (&expr.data_type, to) {
        (from, DataType::Decimal128(..)) => from.is_integer() || from.is_decimal(),
        (from, DataType::Float64) => from.is_numeric() || from.is_decimal(),
        (from, DataType::Int64) => from.is_integer(),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)) => true,
        _ => false,
    };
    if implicit {
        Ok(fold(Expr { data_type: to.clone(), kind: ExprKind::Cast(Box::new(expr)) }))
    } else {
        Err(found)
    }
}

/// Brings an expression to the type that it is compared in. There a literal beyond all decimals is
/// as good as the digits that no decimal has.
fn coerce_compared(expr: Expr, to: &DataType) -> std::result::Result<Expr, String> {
    if let ExprKind::Literal(Literal { value, .. }) = &expr.kind
        && let Some(scalar) = types::beyond(value, to)
    {
        let kind = ExprKind::Literal(Literal { value: value.clone(), scalar });
        return Ok(Expr { data_type: to.clone(), kind });
    }
    coerce(expr, to)
}

/// Brings operands that are to be compared to one type.
fn unify<const N: usize>(
    operands: [Expr; N],
    at: Position,
    what: impl std::fmt::Display,
) -> Result<[Expr; N]> {
    let names = operands.each_ref().map(|operand| type_name(&operand.data_type));
    let target = comparison_type(&operands)
        .ok_or_else(|| mismatch(at, format!("{what} cannot compare {}", names.join(" with "))))?;
    let mut unified = Vec::with_capacity(N);
    for operand in operands {
        unified.push(coerce_compared(operand, &target).map_err(|found| {
            mismatch(at, format!("{what} expected {}, got {found}", type_name(&target)))
        })?);
    }
    unified.try_into().map_err(|_wrong_length| mismatch(at, format!("{what} lost an operand")))
}

/// The type in which operands compare. Literals give way to what is not one where their value
/// allows it, so that columns are compared as they are decoded.
fn comparison_type(operands: &[Expr]) -> Option<DataType> {
    let fixed = operands.iter().filter(|operand| !operand.is_literal());
    let fixed_type = types::common(fixed.map(|operand| operand.data_type.clone()));
    let Some(fixed_type) = fixed_type? else {
        let texts = |operand: &&Expr| !is_untyped(operand);
        let typed = operands.iter().filter(texts).map(|operand| operand.data_type.clone());
        return types::common(typed).map(|common| common.unwrap_or(DataType::Utf8));
    };
    let mut target = fixed_type;
    for operand in operands.iter().filter(|operand| operand.is_literal()) {
        let ExprKind::Literal(Literal { value, .. }) = &operand.kind else { continue };
        let fits =
            types::scalar(value, &target).is_some() || types::beyond(value, &target).is_some();
        if !fits && !is_untyped(operand) {
            target = types::common([target, operand.data_type.clone()])??;
        }
    }
    Some(target)
}

/// Whether it is a text literal or NULL, which take the type of what they stand beside.
fn is_untyped(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Literal(Literal { value: Value::Text(_) | Value::Null, .. }))
}

fn negate(operand: Expr, at: Position) -> Result<Expr> {
    let to = match &operand.data_type {
        data_type if data_type.is_integer() => DataType::Int64,
        DataType::Decimal128(..) => operand.data_type.clone(),
        data_type if data_type.is_floating() => DataType::Float64,
        DataType::Utf8 if is_untyped(&operand) => DataType::Int64,
        other => return Err(mismatch(at, format!("- does not take {}", type_name(other)))),
    };
    let operand =
        coerce(operand, &to).map_err(|found| mismatch(at, format!("- does not take {found}")))?;
    Ok(Expr { data_type: to, kind: ExprKind::Negate(Box::new(operand)) })
}

fn arithmetic(op: ArithmeticOp, left: Expr, right: Expr, at: Position) -> Result<Expr> {
    let refused = |left: &Expr, right: &Expr| {
        let (left, right) = (type_name(&left.data_type), type_name(&right.data_type));
        mismatch(at, format!("{op} does not take {left} and {right}"))
    };
    let untyped_beside = |other: &Expr| match &other.data_type {
        // `date - '1995-01-01'` is the number of days between.
        DataType::Date32 if op == ArithmeticOp::Subtract => DataType::Date32,
        DataType::Date32 => DataType::Int64,
        other => other.clone(),
    };
    let to_left = is_untyped(&left).then(|| untyped_beside(&right));
    let to_right = is_untyped(&right).then(|| untyped_beside(&left));
    let coerced = |operand: Expr, to: Option<DataType>| match to {
        None => Ok(operand),
        Some(to) => coerce(operand, &to).map_err(|found| {
            mismatch(at, format!("{op} expected {}, got {found}", type_name(&to)))
        }),
    };
    let (left, right) = (coerced(left, to_left)?, coerced(right, to_right)?);

    let Some((left_type, right_type, data_type)) =
        types::arithmetic(op, &operand_type(&left), &operand_type(&right))
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

/// The type of an operand, for a whole-number literal as narrow as its digits: `price * 2` needs
/// one digit more than `price`, not nineteen.
fn operand_type(expr: &Expr) -> types::Operand {
    let digits = match &expr.kind {
        ExprKind::Literal(Literal { value: Value::Integer(value), .. }) => {
            Some(value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1))
        }
        _ => None,
    };
    types::Operand {
        data_type: expr.data_type.clone(),
        whole_digits: digits.and_then(|digits| u8::try_from(digits).ok()),
    }
}

fn in_list(operand: Expr, list: Vec<Expr>, at: Position) -> Result<Expr> {
    let mut operands = vec![operand];
    operands.extend(list);
    let names: Vec<_> = operands.iter().map(|operand| type_name(&operand.data_type)).collect();
    let target = comparison_type(&operands)
        .ok_or_else(|| mismatch(at, format!("IN cannot compare {}", first_names(&names))))?;
    let mut coerced = operands.into_iter().map(|operand| {
        coerce_compared(operand, &target).map_err(|found| {
            mismatch(at, format!("IN expected {}, got {found}", type_name(&target)))
        })
    });
    let Some(operand) = coerced.next().transpose()?.map(Box::new) else {
        return Err(mismatch(at, "IN lost its operand".to_owned()));
    };
    let list = coerced.collect::<Result<Vec<_>>>()?;
    Ok(boolean(match literal_set(&list) {
        Some((set, has_null)) => ExprKind::InSet { operand, set, has_null },
        None => ExprKind::InList { operand, list },
    }))
}

fn first_names(names: &[String]) -> String {
    let mut distinct: Vec<&str> = names.iter().map(String::as_str).collect();
    distinct.dedup();
    distinct.join(" with ")
}

/// The values of a long list of literals of a type that hashes as it compares.
fn literal_set(list: &[Expr]) -> Option<(LiteralSet, bool)> {
    if list.len() < SET_LENGTH_MIN {
        return None;
    }
    let mut has_null = false;
    let mut integers = HashSet::new();
    let mut texts = HashSet::new();
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

fn like(operand: Expr, pattern: Expr, escape: Option<char>, at: Position) -> Result<Expr> {
    let text = |expr: Expr| {
        coerce(expr, &DataType::Utf8)
            .map_err(|found| mismatch(at, format!("LIKE needs utf8, got {found}")))
    };
    let (operand, pattern) = (text(operand)?, text(pattern)?);
    let value = match &pattern.kind {
        ExprKind::Literal(Literal { value, .. }) => value,
        _ => {
            return Err(at.error(
                ErrorKind::Unsupported,
                "a LIKE pattern that is no constant is not supported",
            ));
        }
    };
    let Value::Text(text) = value else {
        // NULL as pattern: the answer is NULL whatever the text.
        return typed_literal(&Value::Null, &DataType::Boolean)
            .ok_or_else(|| mismatch(at, "LIKE NULL".to_owned()));
    };
    let pattern = Like::new(text, escape).ok_or_else(|| {
        mismatch(at, format!("the LIKE pattern '{text}' ends in its escape character"))
    })?;
    Ok(boolean(ExprKind::Like { operand: Box::new(operand), pattern }))
}

/// Computes a constant subtree. One that fails stays as it is: it fails if a record reaches it.
fn fold(expr: Expr) -> Expr {
    if expr.is_literal()
        || expr.children().next().is_none()
        || !expr.children().all(Expr::is_literal)
    {
        return expr;
    }
    let Ok(array) = eval::constant(&expr) else { return expr };
    let value = types::value_at(&array, 0);
    let scalar = Scalar::new(array);
    match value {
        Some(value) => {
            Expr { data_type: expr.data_type, kind: ExprKind::Literal(Literal { value, scalar }) }
        }
        None => expr,
    }
}
