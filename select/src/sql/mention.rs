//! The columns that the text of a Select mentions, before it is bound to a file.
//!
//! The set may have too many columns, never too few. A name counts wherever it may be a column,
//! without regard to case, even if binding finds that it is an alias or not a column at all. `*`
//! mentions every column, `count(*)` none. [`Plan::columns`](crate::plan::Plan::columns) is exact,
//! once there is a plan.

use std::collections::HashSet;

use super::syntax::{Distinct, Expr, ExprKind, Item, Name, SelectSyntax};
use super::{Predicate, Select};

/// The columns that a text mentions.
#[derive(Clone, Debug, Default)]
pub struct Mentions {
    /// True if there is a `*`.
    all: bool,
    /// The names, in lower case.
    names: HashSet<String>,
    /// Names of tables: they qualify a column, but are not objects that contain it.
    tables: Vec<Name>,
}

impl Select {
    /// Returns the columns that the text mentions in any way.
    pub fn mentions(&self) -> Mentions {
        // destructured, so that no clause can be forgotten
        let SelectSyntax {
            distinct,
            projection,
            from,
            alias,
            filter,
            group_by,
            having,
            order_by,
            limit,
            offset,
        } = self.syntax();
        let tables = from.iter().chain(alias).cloned().collect();
        let mut mentions = Mentions { tables, ..Mentions::default() };
        for item in projection {
            match item {
                Item::All(_) => mentions.all = true,
                Item::Expr { expr, alias: _ } => mentions.add(expr),
            }
        }
        let distinct_on = match distinct {
            Distinct::No | Distinct::All => &[][..],
            Distinct::On(exprs) => exprs,
        };
        let single = [filter, having, limit, offset].into_iter().flatten();
        let listed = distinct_on.iter().chain(group_by);
        let ordered = order_by.iter().map(|item| &item.expr);
        single.chain(listed).chain(ordered).for_each(|expr| mentions.add(expr));
        mentions
    }
}

impl Predicate {
    /// Returns the columns that the text mentions in any way.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        mentions.add(self.syntax());
        mentions
    }
}

impl Mentions {
    /// Returns whether the text mentions the column, a member of it, or an object that contains it.
    pub fn column(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.all
            || self.names.contains(&name)
            || self.names.iter().any(|mentioned| are_related(mentioned, &name))
    }

    pub(crate) fn add(&mut self, expr: &Expr) {
        if let ExprKind::Column { qualifier, name } = &expr.kind {
            self.add_name(qualifier.as_ref(), name);
        }
        for child in expr.children() {
            self.add(child);
        }
    }

    /// Adds a name. Its qualifier is a table, or an object that contains the column.
    fn add_name(&mut self, qualifier: Option<&Name>, name: &Name) {
        self.names.insert(name.text.to_lowercase());
        let is_table = |name: &Name| self.tables.iter().any(|table| name.matches(&table.text));
        if let Some(object) = qualifier.filter(|name| !is_table(name)) {
            self.names.insert(name.within(object).text.to_lowercase());
        }
    }
}

/// Returns whether columns with these names, which may be dotted paths, share values: the names are
/// equal, or one is a member of the other. Case counts.
pub fn are_related(a: &str, b: &str) -> bool {
    let is_within = |part: &str, whole: &str| {
        part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    is_within(a, b) || is_within(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(text: &str) -> bool {
        Select::parse(text).unwrap().mentions().column("Card")
    }

    #[test]
    fn every_way_to_mention_a_column() {
        for text in [
            "SELECT * FROM 'f'",
            "SELECT card FROM 'f'",
            "SELECT city, CARD FROM 'f'",
            "SELECT \"card\" FROM 'f'",
            "SELECT t.card FROM 'f' AS t",
            "SELECT city FROM 'f' WHERE card = 1",
            "SELECT city FROM 'f' WHERE pop = 1 OR NOT (pop > 2 AND card IS NULL)",
            "SELECT city FROM 'f' WHERE 7 BETWEEN pop AND card",
            "SELECT city FROM 'f' WHERE 7 IN (1, card)",
            "SELECT city FROM 'f' WHERE city LIKE card",
            "SELECT -(1 + card * 2) FROM 'f'",
            "SELECT count(card) FROM 'f'",
            "SELECT max(card) - 1 FROM 'f'",
            "SELECT max(pop) FILTER (WHERE card > 1) FROM 'f'",
            "SELECT DISTINCT card FROM 'f'",
            "SELECT DISTINCT ON (card) city FROM 'f'",
            "SELECT count(*) FROM 'f' GROUP BY pop, card",
            "SELECT count(*) FROM 'f' HAVING min(card) > 1",
            "SELECT city FROM 'f' ORDER BY pop, -card DESC",
            "SELECT city FROM 'f' LIMIT card",
            "SELECT city FROM 'f' LIMIT 1 OFFSET card",
            "SELECT card.number FROM 'f'",
            "SELECT \"card.number\" FROM 'f'",
            "SELECT t.card.number.last FROM 'f' AS t",
        ] {
            assert!(mentions(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_mention() {
        for text in [
            "SELECT city FROM 'card'",
            "SELECT count(*) FROM 'f'",
            "SELECT city AS card FROM 'f'",
            "SELECT cards, 'card' FROM 'f' AS card WHERE card_no = 1",
            "SELECT card.city FROM 'f' AS card",
            "SELECT who.cards FROM 'f'",
        ] {
            assert!(!mentions(text), "{text}");
        }
    }
}
