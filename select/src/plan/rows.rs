//! Binds the rows of an answer: projection, groups, DISTINCT and ORDER BY.
//!
//! Names are resolved as in PostgreSQL: in GROUP BY, a column of the file comes before a name of
//! the answer; in ORDER BY and DISTINCT ON, after it. In all three, an integer is the column of the
//! answer with that number.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::bind::{Binder, Scope, arithmetic, not_grouped};
use super::view::View;
use super::{COLUMNS_MAX, OutputRows, columns, name};
use crate::expr::{Expr, ExprKind, Item};
use crate::gather::group::Grouping;
use crate::gather::sort_order::{SortKey, SortOrder};
use crate::sql::syntax;
use crate::sql::syntax::{Distinct, Position, SelectSyntax};
use crate::value::Value;
use crate::{Error, ErrorKind, Result};
use sift_files::{nesting, types};

/// Binds the clauses after WHERE. `rows_max` is the number of rows that OFFSET and LIMIT want.
pub(super) fn rows(
    binder: &mut Binder<'_>,
    view: &View,
    select: &SelectSyntax,
    rows_max: Option<u64>,
) -> Result<(SchemaRef, OutputRows)> {
    let projected = projected(view, select)?;
    let is_grouped = !select.group_by.is_empty()
        || select.having.is_some()
        || projected.iter().filter_map(Projected::expr).any(has_aggregate)
        || select.order_by.iter().any(|item| has_aggregate(&item.expr))
        || matches!(&select.distinct, Distinct::On(exprs) if exprs.iter().any(has_aggregate));
    if is_grouped {
        binder.keys = group_keys(binder, view, select, &projected)?;
    }
    let scope = |clause| if is_grouped { Scope::Group } else { Scope::Record(clause) };

    let having = select.having.as_ref().map(|having| {
        Ok::<_, Error>(Item {
            expr: binder.boolean(having, "HAVING", scope("this place"))?,
            text: having.to_string(),
        })
    });
    let having = having.transpose()?;
    let mut fields = Vec::with_capacity(projected.len());
    let mut items = Vec::with_capacity(projected.len());
    for projected in &projected {
        let (field, item) = bind_item(binder, view, projected, scope("this place"))?;
        fields.push(field);
        items.push(item);
    }
    let names: Vec<_> = std::iter::zip(&fields, &projected)
        .map(|(field, projected)| Names([Some(field.name().as_str()), projected.name()]))
        .collect();
    let visible = items.len();
    let mut sort = Sort { binder, names: &names, scope: scope("ORDER BY"), items };
    let mut order = sort.order(select, view.source().name(), rows_max)?;
    let mut items = sort.items;

    let mut distinct = matches!(select.distinct, Distinct::All);
    let mut grouping = is_grouped.then(|| {
        let keys = std::mem::take(&mut binder.keys);
        Grouping::new(keys, std::mem::take(&mut binder.aggregates), "GROUP BY")
    });
    if distinct && !is_grouped {
        // equal rows are a group without aggregates
        let to_column = |(index, item): (usize, &Item)| Item {
            expr: Expr { kind: ExprKind::Column(index), data_type: item.expr.data_type.clone() },
            text: item.text.clone(),
        };
        let of_group = items.iter().enumerate().map(to_column).collect();
        let keys = std::mem::replace(&mut items, of_group);
        grouping = Some(Grouping::new(keys, Vec::new(), "DISTINCT"));
        distinct = false;
    }
    let has_star = select.projection.iter().any(|item| matches!(item, syntax::Item::All(_)));
    let has_all = has_star && !view.names_columns();
    if let (None, Some(order)) = (&grouping, &mut order) {
        order.columns = columns(order.keys.iter().map(|key| &items[key.item].expr));
    }
    let order = order.map(Arc::new);
    let mut rows = OutputRows {
        columns: Vec::new(),
        has_all,
        grouping: grouping.map(Arc::new),
        having,
        items,
        visible,
        distinct,
        order,
    };
    rows.columns = columns(rows.of_record());
    Ok((Arc::new(Schema::new(fields)), rows))
}

/// One column of the answer, not yet bound.
enum Projected<'a> {
    /// A column of the file, by `*`.
    Column {
        index: usize,
        at: Position,
    },
    Expr {
        expr: &'a syntax::Expr,
        alias: Option<&'a str>,
    },
}

impl Projected<'_> {
    fn expr(&self) -> Option<&syntax::Expr> {
        match self {
            Self::Column { .. } => None,
            Self::Expr { expr, .. } => Some(expr),
        }
    }

    /// Returns the name that ORDER BY may use in addition to that of its field.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Expr { expr, alias: None } => name::of(expr),
            _ => None,
        }
    }
}

/// Returns the projection, with the columns of the file in place of `*`.
fn projected<'a>(view: &View, select: &'a SelectSyntax) -> Result<Vec<Projected<'a>>> {
    let all = view.columns();
    let width = |item: &syntax::Item| if let syntax::Item::All(_) = item { all.len() } else { 1 };
    let count = select.projection.iter().map(width).fold(0, usize::saturating_add);
    if count > COLUMNS_MAX {
        let message = format!("{count} columns are selected, at most {COLUMNS_MAX} are");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut projected = Vec::with_capacity(count);
    for item in &select.projection {
        match item {
            syntax::Item::All(at) => {
                projected.extend(all.iter().map(|&index| Projected::Column { index, at: *at }));
            }
            syntax::Item::Expr { expr, alias } => {
                projected.push(Projected::Expr { expr, alias: alias.as_deref() });
            }
        }
    }
    Ok(projected)
}

/// Binds one column of the answer. A plain column of a record keeps its name and whether it may be
/// null.
fn bind_item(
    binder: &mut Binder<'_>,
    view: &View,
    projected: &Projected<'_>,
    scope: Scope,
) -> Result<(FieldRef, Item)> {
    let (expr, text, alias) = match projected {
        Projected::Column { index, at } => {
            let field = view.source().schema().field(*index);
            if !types::is_selectable(field.data_type()) {
                return Err(arithmetic::not_selectable(field, *at));
            }
            let text = field.name().clone();
            let data_type = field.data_type().clone();
            let column = Expr { data_type, kind: ExprKind::Column(*index) };
            let expr = match scope {
                Scope::Record(_) => column,
                Scope::Group => binder.key(&column).ok_or_else(|| not_grouped(&text, *at))?,
            };
            (expr, text, None)
        }
        Projected::Expr { expr, alias } => (binder.expr(expr, scope)?, expr.to_string(), *alias),
    };
    let of_file = match (&expr.kind, scope) {
        (ExprKind::Column(index), Scope::Record(_)) => Some(*index),
        (ExprKind::Column(index), Scope::Group) => match binder.keys.get(*index) {
            Some(Item { expr: Expr { kind: ExprKind::Column(index), .. }, .. }) => Some(*index),
            _ => None,
        },
        _ => None,
    };
    let field = match of_file.and_then(|index| view.source().schema().fields().get(index)) {
        Some(field) => nesting::without_note(field).map_or_else(|| Arc::clone(field), Arc::new),
        None => Arc::new(Field::new(&text, expr.data_type.clone(), true)),
    };
    let is_of_group = matches!(scope, Scope::Group);
    let field = match alias {
        None if !is_of_group => field,
        alias => {
            let field = Arc::unwrap_or_clone(field);
            let nullable = is_of_group || field.is_nullable();
            let field = field.with_nullable(nullable);
            Arc::new(if let Some(alias) = alias { field.with_name(alias) } else { field })
        }
    };
    Ok((field, Item { expr, text }))
}

fn group_keys(
    binder: &mut Binder<'_>,
    view: &View,
    select: &SelectSyntax,
    projected: &[Projected<'_>],
) -> Result<Vec<Item>> {
    let record = Scope::Record("GROUP BY");
    let mut keys: Vec<Item> = Vec::new();
    for expr in &select.group_by {
        let named = match (ordinal(expr, projected.len(), "GROUP BY")?, bare_name(expr)) {
            (Some(number), _) => projected.get(number),
            (None, Some(name)) if !binder.has_column(name) => {
                projected.iter().find(|item| match item {
                    Projected::Expr { alias: Some(alias), .. } => name.matches(alias),
                    _ => false,
                })
            }
            _ => None,
        };
        let key = match named {
            Some(projected) => bind_item(binder, view, projected, record)?.1,
            None => Item { expr: binder.expr(expr, record)?, text: expr.to_string() },
        };
        if keys.iter().all(|known| known.expr != key.expr) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The names of a column of the answer: that of its field, and the one that PostgreSQL gives it.
struct Names<'a>([Option<&'a str>; 2]);

impl Names<'_> {
    fn any(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        self.0.into_iter().flatten().any(is_meant)
    }
}

/// Binds ORDER BY and DISTINCT ON.
struct Sort<'b, 'a> {
    binder: &'b mut Binder<'a>,
    /// The names of the columns of the answer.
    names: &'b [Names<'b>],
    scope: Scope,
    /// The columns of the answer, then those that are only sorted by.
    items: Vec<Item>,
}

impl Sort<'_, '_> {
    /// Returns the order of the rows; `source` is the name of their source.
    fn order(
        &mut self,
        select: &SelectSyntax,
        source: &str,
        rows_max: Option<u64>,
    ) -> Result<Option<SortOrder>> {
        let visible = self.items.len();
        let mut on = Vec::new();
        if let Distinct::On(exprs) = &select.distinct {
            for expr in exprs {
                let item = self.item(expr, "DISTINCT ON")?;
                if !on.contains(&item) {
                    on.push(item);
                }
            }
        }
        let mut keys: Vec<SortKey> = Vec::new();
        for syntax::OrderItem { expr, descending, nulls_first } in &select.order_by {
            let item = self.item(expr, "ORDER BY")?;
            if item >= visible && matches!(select.distinct, Distinct::All) {
                let message =
                    format!("ORDER BY {expr}: with DISTINCT it has to be a selected column");
                return Err(expr.at.error(ErrorKind::Unsupported, message));
            }
            let is_first = keys.iter().all(|key| on.contains(&key.item));
            if keys.len() < on.len() && is_first && !on.contains(&item) {
                let message = format!("ORDER BY {expr}: the expressions of DISTINCT ON come first");
                return Err(expr.at.error(ErrorKind::Unsupported, message));
            }
            if keys.iter().all(|key| key.item != item) {
                let options = SortOptions { descending: *descending, nulls_first: *nulls_first };
                keys.push(SortKey { item, options });
            }
        }
        for item in &on {
            if keys.iter().all(|key| key.item != *item) {
                let options = SortOptions { descending: false, nulls_first: false };
                keys.push(SortKey { item: *item, options });
            }
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let name = |index: usize| format!("{index}");
        let columns = self.items.iter().enumerate();
        let mut columns: Vec<_> = columns
            .map(|(index, item)| Field::new(name(index), item.expr.data_type.clone(), true))
            .collect();
        columns.push(Field::new("position", DataType::UInt64, false));
        let schema = Arc::new(Schema::new(columns));
        let source = source.to_owned();
        let distinct = on.len();
        Ok(Some(SortOrder { source, keys, distinct, rows_max, columns: Vec::new(), schema }))
    }

    /// Returns the index of the item that ORDER BY or DISTINCT ON means.
    fn item(&mut self, expr: &syntax::Expr, clause: &str) -> Result<usize> {
        let Self { binder, names, scope, items } = self;
        if let Some(number) = ordinal(expr, names.len(), clause)? {
            return Ok(number);
        }
        if let Some(name) = bare_name(expr) {
            let is_exact = |names: &Names<'_>| names.any(|known| known == name.text);
            let has_exact = names.iter().any(is_exact);
            let is_named = |names: &Names<'_>| match has_exact {
                true => is_exact(names),
                false => names.any(|known| name.matches(known)),
            };
            let mut named = (0..names.len()).filter(|index| is_named(&names[*index]));
            if let Some(first) = named.next() {
                if named.any(|other| items[other].expr != items[first].expr) {
                    let message = format!("{clause} {name}: several columns have this name");
                    return Err(expr.at.error(ErrorKind::UnknownColumn, message));
                }
                return Ok(first);
            }
        }
        let bound = binder.expr(expr, *scope)?;
        if let Some(known) = items.iter().position(|item| item.expr == bound) {
            return Ok(known);
        }
        items.push(Item { expr: bound, text: expr.to_string() });
        Ok(items.len() - 1)
    }
}

/// Returns the index of the column that an integer stands for. Other literals without a type of
/// their own are errors.
fn ordinal(expr: &syntax::Expr, columns: usize, clause: &str) -> Result<Option<usize>> {
    let syntax::ExprKind::Literal(value) = &expr.kind else { return Ok(None) };
    let number = match value {
        Value::Date(_) | Value::Timestamp(_) => return Ok(None),
        Value::Integer(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    match number.filter(|number| (1..=columns).contains(number)) {
        Some(number) => Ok(Some(number - 1)),
        None => {
            let message = format!(
                "{clause} {expr}: expected an expression, or the number of a selected column, \
                 1 to {columns}"
            );
            Err(expr.at.error(ErrorKind::Unsupported, message))
        }
    }
}

fn bare_name(expr: &syntax::Expr) -> Option<&syntax::Name> {
    match &expr.kind {
        syntax::ExprKind::Column { qualifier: None, name } => Some(name),
        _ => None,
    }
}

fn has_aggregate(expr: &syntax::Expr) -> bool {
    matches!(expr.kind, syntax::ExprKind::Aggregate(_))
        || expr.children().into_iter().any(has_aggregate)
}
