//! A query: the text of a Select with its parameters, and a builder that composes it.

use crate::value::Value;

/// The text of a Select and the values of its parameters. The first parameter is `$1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

impl Query {
    /// Makes a query from the text of a Select.
    #[must_use]
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new() }
    }

    /// Adds the value of the next parameter.
    #[must_use]
    pub fn parameter(mut self, value: impl Into<Value>) -> Self {
        self.parameters.push(value.into());
        self
    }

    /// Returns the text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the values of the parameters.
    #[must_use]
    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }
}

impl From<&str> for Query {
    fn from(sql: &str) -> Self {
        Self::new(sql)
    }
}

impl From<String> for Query {
    fn from(sql: String) -> Self {
        Self::new(sql)
    }
}

impl From<&Query> for Query {
    fn from(query: &Query) -> Self {
        query.clone()
    }
}

/// Composes a Select over one file.
///
/// Expressions are texts of the Select grammar. Values from outside belong into parameters, never
/// into these texts.
///
/// ```
/// use sift_client::{Query, Select};
///
/// let select = Select::from("sales/orders.dat")
///     .columns(["id", "price * 2 AS double"])
///     .filter("price > $1")
///     .order_by("price DESC")
///     .limit(10)
///     .parameter(12.5);
/// assert_eq!(
///     Query::from(select).sql(),
///     "SELECT id, price * 2 AS double FROM 'sales/orders.dat' WHERE price > $1 \
///      ORDER BY price DESC LIMIT 10"
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Select {
    file: String,
    distinct: bool,
    columns: Vec<String>,
    filters: Vec<String>,
    group_by: Vec<String>,
    having: Vec<String>,
    order_by: Vec<String>,
    limit: Option<u64>,
    offset: Option<u64>,
    parameters: Vec<Value>,
}

impl Select {
    /// Begins a Select of all records of a file, with all columns.
    pub fn from(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            distinct: false,
            columns: Vec::new(),
            filters: Vec::new(),
            group_by: Vec::new(),
            having: Vec::new(),
            order_by: Vec::new(),
            limit: None,
            offset: None,
            parameters: Vec::new(),
        }
    }

    /// Adds columns: names, or expressions with or without `AS`. By default, all columns are
    /// selected.
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns.extend(columns.into_iter().map(Into::into));
        self
    }

    /// Adds a condition. A record has to meet all conditions.
    pub fn filter(mut self, condition: impl Into<String>) -> Self {
        self.filters.push(condition.into());
        self
    }

    /// Selects only one of several equal records.
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// Adds an expression to group by. The answer has one record for each group.
    pub fn group_by(mut self, expression: impl Into<String>) -> Self {
        self.group_by.push(expression.into());
        self
    }

    /// Adds a condition on groups. A group has to meet all conditions.
    pub fn having(mut self, condition: impl Into<String>) -> Self {
        self.having.push(condition.into());
        self
    }

    /// Adds an expression to order by, with or without `ASC` or `DESC`.
    pub fn order_by(mut self, expression: impl Into<String>) -> Self {
        self.order_by.push(expression.into());
        self
    }

    /// Selects at most this number of records.
    pub fn limit(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    /// Leaves out this number of records at the start.
    pub fn offset(mut self, records: u64) -> Self {
        self.offset = Some(records);
        self
    }

    /// Adds the value of the next parameter. The first parameter is `$1`.
    pub fn parameter(mut self, value: impl Into<Value>) -> Self {
        self.parameters.push(value.into());
        self
    }
}

impl From<Select> for Query {
    fn from(select: Select) -> Self {
        let columns = match select.columns.as_slice() {
            [] => "*".to_owned(),
            columns => columns.join(", "),
        };
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        let mut sql = format!("SELECT {distinct}{columns}");
        clause(&mut sql, &format!("FROM {}", quote_file(&select.file)));
        conditions(&mut sql, "WHERE", &select.filters);
        if !select.group_by.is_empty() {
            clause(&mut sql, &format!("GROUP BY {}", select.group_by.join(", ")));
        }
        conditions(&mut sql, "HAVING", &select.having);
        if !select.order_by.is_empty() {
            clause(&mut sql, &format!("ORDER BY {}", select.order_by.join(", ")));
        }
        if let Some(limit) = select.limit {
            clause(&mut sql, &format!("LIMIT {limit}"));
        }
        if let Some(offset) = select.offset {
            clause(&mut sql, &format!("OFFSET {offset}"));
        }
        Self { sql, parameters: select.parameters }
    }
}

fn conditions(sql: &mut String, word: &str, conditions: &[String]) {
    match conditions {
        [] => {}
        [condition] => clause(sql, &format!("{word} {condition}")),
        all => clause(sql, &format!("{word} ({})", all.join(") AND ("))),
    }
}

/// Adds a clause. If the text before it may end with a comment, the clause begins a new line.
fn clause(sql: &mut String, clause: &str) {
    sql.push(if sql.contains("--") { '\n' } else { ' ' });
    sql.push_str(clause);
}

/// Quotes a file's name for FROM: puts it in apostrophes, and doubles apostrophes in it.
#[must_use]
pub fn quote_file(file: &str) -> String {
    format!("'{}'", file.replace('\'', "''"))
}

/// Quotes a column's name for an expression, which is needed if it is not a plain word: puts it in
/// quotation marks, and doubles quotation marks in it.
#[must_use]
pub fn quote_column(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(select: Select, sql: &str) {
        assert_eq!(Query::from(select).sql(), sql);
    }

    #[test]
    fn clauses() {
        check(Select::from("a.csv"), "SELECT * FROM 'a.csv'");
        check(Select::from("a").columns(["x"]).columns(["y AS z"]), "SELECT x, y AS z FROM 'a'");
        check(Select::from("a").filter("x OR y"), "SELECT * FROM 'a' WHERE x OR y");
        check(
            Select::from("a").filter("x OR y").filter("z"),
            "SELECT * FROM 'a' WHERE (x OR y) AND (z)",
        );
        check(
            Select::from("a").distinct().columns(["x"]).group_by("x").group_by("y").having("x > 1"),
            "SELECT DISTINCT x FROM 'a' GROUP BY x, y HAVING x > 1",
        );
        check(
            Select::from("a").order_by("x").order_by("y DESC").limit(0).offset(u64::MAX),
            "SELECT * FROM 'a' ORDER BY x, y DESC LIMIT 0 OFFSET 18446744073709551615",
        );
    }

    #[test]
    fn names_cannot_leave_their_quotation_marks() {
        check(Select::from("it's"), "SELECT * FROM 'it''s'");
        check(Select::from("x' OR ''='"), "SELECT * FROM 'x'' OR ''''='''");
        check(Select::from("a\\'"), "SELECT * FROM 'a\\'''");
        assert_eq!(quote_column("a \"b\""), "\"a \"\"b\"\"\"");
    }

    #[test]
    fn a_comment_does_not_swallow_the_limit() {
        check(
            Select::from("a").filter("x -- why").limit(5),
            "SELECT * FROM 'a' WHERE x -- why\nLIMIT 5",
        );
    }
}
