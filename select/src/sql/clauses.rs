//! The clauses of a SELECT, destructured field by field, so that no field can be ignored.

use sqlparser::ast;

use super::expr::lower;
use super::position::{Positions, START, at, refuse, start, unsupported};
use super::syntax::{Distinct, Expr, ExprKind, Item, Name, OrderItem, Position, SelectSyntax};
use crate::value::Value;
use crate::{Error, ErrorKind, Result};

/// Lowers a query that consists of one SELECT.
pub(super) fn lower_query(query: ast::Query, positions: &Positions) -> Result<SelectSyntax> {
    let here = START;
    let ast::Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    if let Some(with) = with {
        return unsupported(at(&with), "WITH");
    }
    refuse(here, &locks, "FOR UPDATE or SHARE")?;
    refuse(here, &for_clause, "FOR")?;
    refuse(here, &settings, "SETTINGS")?;
    refuse(here, &format_clause, "FORMAT")?;
    refuse(here, &pipe_operators, "a pipe operator")?;
    let select = match *body {
        ast::SetExpr::Select(select) => *select,
        ast::SetExpr::Query(query) => return unsupported(at(&*query), "a SELECT in parentheses"),
        ast::SetExpr::SetOperation { op, right, .. } => return unsupported(at(&*right), op),
        ast::SetExpr::Values(_) => return unsupported(here, "VALUES"),
        ast::SetExpr::Table(_) => return unsupported(here, "TABLE"),
        _ => return unsupported(here, "anything but SELECT"),
    };
    let mut syntax = lower_select(select, positions)?;
    if let Some(order_by) = order_by {
        syntax.order_by = lower_order_by(order_by)?;
    }
    (syntax.limit, syntax.offset) = match limit_clause {
        None => (None, None),
        Some(ast::LimitClause::LimitOffset { limit, offset, limit_by }) => {
            refuse(limit_by.first().map_or(here, at), &limit_by, "LIMIT BY")?;
            let offset = offset.map(|ast::Offset { value, rows: _ }| value);
            (limit.as_ref().map(lower).transpose()?, offset.as_ref().map(lower).transpose()?)
        }
        Some(ast::LimitClause::OffsetCommaLimit { offset, .. }) => {
            return unsupported(
                at(&offset),
                "LIMIT offset, count; use LIMIT count OFFSET offset, it",
            );
        }
    };
    if let Some(fetch) = fetch {
        if let Some(limit) = &syntax.limit {
            let message = "LIMIT stands beside FETCH FIRST; expected one of them";
            return Err(limit.at.error(ErrorKind::Syntax, message));
        }
        syntax.limit = Some(lower_fetch(fetch, positions.end)?);
    }
    Ok(syntax)
}

fn lower_order_by(order_by: ast::OrderBy) -> Result<Vec<OrderItem>> {
    let here = at(&order_by);
    let ast::OrderBy { kind, interpolate } = order_by;
    refuse(here, &interpolate, "INTERPOLATE")?;
    let ast::OrderByKind::Expressions(items) = kind else {
        return unsupported(here, "ORDER BY ALL");
    };
    let lowered = items.into_iter().map(|item| {
        let ast::OrderByExpr { expr, options, with_fill } = item;
        let expr = lower(&expr)?;
        refuse(expr.at, &with_fill, "WITH FILL")?;
        let descending = options.asc == Some(false);
        // NULL counts as greater than every value
        let nulls_first = options.nulls_first.unwrap_or(descending);
        Ok(OrderItem { expr, descending, nulls_first })
    });
    lowered.collect()
}

/// Returns the number after FETCH FIRST; 1 if there is none. `end` is the end of the text.
fn lower_fetch(fetch: ast::Fetch, end: Position) -> Result<Expr> {
    let ast::Fetch { with_ties, percent, quantity } = fetch;
    let quantity = quantity.as_ref().map(lower).transpose()?;
    let here = quantity.as_ref().map_or(end, |quantity| quantity.at);
    refuse(here, with_ties, "WITH TIES")?;
    refuse(here, percent, "FETCH FIRST in percent")?;
    let one = Expr { at: here, kind: ExprKind::Literal(Value::Integer(1)) };
    Ok(quantity.unwrap_or(one))
}

fn lower_select(select: ast::Select, positions: &Positions) -> Result<SelectSyntax> {
    let here = start(select.select_token.0.span);
    let ast::Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        mut from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    let distinct = match distinct {
        None | Some(ast::Distinct::All) => Distinct::No,
        Some(ast::Distinct::Distinct) => Distinct::All,
        Some(ast::Distinct::On(exprs)) => Distinct::On(lower_list(&exprs)?),
    };
    let group_by = match &group_by {
        ast::GroupByExpr::All(_) => return unsupported(here, "GROUP BY ALL"),
        ast::GroupByExpr::Expressions(exprs, modifiers) => {
            refuse(here, modifiers, "a modifier of GROUP BY")?;
            lower_list(exprs)?
        }
    };
    let having = having.as_ref().map(lower).transpose()?;
    refuse(here, &optimizer_hints, "an optimizer hint")?;
    refuse(here, &select_modifiers, "a modifier of SELECT")?;
    refuse(here, &top, "TOP; use LIMIT, it")?;
    refuse(here, &exclude, "EXCLUDE")?;
    refuse(here, &into, "INTO")?;
    refuse(here, &lateral_views, "LATERAL VIEW")?;
    refuse(here, &prewhere, "PREWHERE")?;
    refuse(here, &connect_by, "CONNECT BY")?;
    refuse(here, &cluster_by, "CLUSTER BY")?;
    refuse(here, &distribute_by, "DISTRIBUTE BY")?;
    refuse(here, &sort_by, "SORT BY")?;
    refuse(here, &named_window, "WINDOW")?;
    refuse(here, &qualify, "QUALIFY")?;
    refuse(here, &value_table_mode, "SELECT AS")?;
    refuse(here, flavor != ast::SelectFlavor::Standard, "SELECT after FROM")?;

    if from.len() > 1 {
        return unsupported(positions.from, "a second file (a join)");
    }
    let table = from.pop().map(|table| lower_table(table, positions.from)).transpose()?;
    let (from, alias) = table.map_or((None, None), |(from, alias)| (Some(from), alias));
    let projection = projection.iter().map(lower_item).collect::<Result<Vec<_>>>()?;
    if projection.is_empty() {
        return Err(here.error(ErrorKind::Syntax, "nothing is selected; expected columns or *"));
    }
    if let Some(Item::All(at)) = projection.iter().find(|item| matches!(item, Item::All(_)))
        && from.is_none()
    {
        return Err(at.error(ErrorKind::Syntax, "* without FROM; expected FROM 'file'"));
    }
    let filter = selection.as_ref().map(lower).transpose()?;
    Ok(SelectSyntax {
        distinct,
        projection,
        from,
        alias,
        filter,
        group_by,
        having,
        order_by: Vec::new(),
        limit: None,
        offset: None,
    })
}

fn lower_list(exprs: &[ast::Expr]) -> Result<Vec<Expr>> {
    exprs.iter().map(lower).collect()
}

fn lower_table(table: ast::TableWithJoins, here: Position) -> Result<(Name, Option<Name>)> {
    if !table.joins.is_empty() {
        return unsupported(here, "a join");
    }
    let ast::TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = table.relation
    else {
        return unsupported(here, "a subquery or table function in FROM");
    };
    refuse(here, &args, "a table function in FROM")?;
    refuse(here, &with_hints, "WITH hints")?;
    refuse(here, &version, "AS OF")?;
    refuse(here, with_ordinality, "WITH ORDINALITY")?;
    refuse(here, &partitions, "PARTITION")?;
    refuse(here, &json_path, "a path after the file")?;
    refuse(here, &sample, "TABLESAMPLE")?;
    refuse(here, &index_hints, "an index hint")?;
    let alias = match alias {
        None => None,
        Some(ast::TableAlias { explicit: _, name, columns, at: None }) if columns.is_empty() => {
            Some(lower_name(&name)?)
        }
        Some(alias) => {
            return unsupported(start(alias.name.span), "a column list after the alias");
        }
    };
    let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
        let message =
            format!("{name} is not a file name; write the path in quotes: FROM 'folder/file'");
        return Err(here.error(ErrorKind::Unsupported, message));
    };
    let ast::Ident { value, quote_style, span: _ } = ident;
    let (text, quoted) = (value.clone(), quote_style.is_some());
    Ok((Name { lengths: vec![text.len()], text, quoted, at: here }, alias))
}

/// Lowers the name of a column or table. The parser accepts a text as a name, too.
pub(super) fn lower_name(ident: &ast::Ident) -> Result<Name> {
    let ast::Ident { value, quote_style, span } = ident;
    if *quote_style == Some('\'') {
        let message = format!("the text '{value}' is not a name; expected the like of \"{value}\"");
        // the parser does not report its position
        return Err(Error::new(ErrorKind::Syntax, message));
    }
    let (text, quoted, at) = (value.clone(), quote_style.is_some(), start(*span));
    Ok(Name { lengths: vec![text.len()], text, quoted, at })
}

fn lower_item(item: &ast::SelectItem) -> Result<Item> {
    match item {
        ast::SelectItem::UnnamedExpr(expr) => Ok(Item::Expr { expr: lower(expr)?, alias: None }),
        ast::SelectItem::ExprWithAlias { expr, alias } => {
            Ok(Item::Expr { expr: lower(expr)?, alias: Some(lower_name(alias)?.text) })
        }
        ast::SelectItem::Wildcard(options) => {
            if *options == ast::WildcardAdditionalOptions::default() {
                Ok(Item::All(at(item)))
            } else {
                unsupported(at(item), "an option of *")
            }
        }
        ast::SelectItem::ExprWithAliases { .. } => unsupported(at(item), "a list of aliases"),
        ast::SelectItem::QualifiedWildcard(..) => unsupported(at(item), "a qualified *; use *, it"),
    }
}
