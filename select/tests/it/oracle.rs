//! Random Selects against SQLite on the same rows.
//!
//! `SIFT_ORACLE_CASES` sets the number of cases, `SIFT_ORACLE_SEED` the first seed. A failure
//! prints the seed of its case, which then fails alone.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql};
use sift_select::{Plan, Select, Source, Value};

use crate::engine::{self, QUICK_RUNS, Run};
use crate::generate::{self, Expr, Generator, Kind};
use crate::table::{Format, Table, iso_date};

const RECORDS: i64 = 100;

/// A value that both engines can have.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    /// Integers, digits of decimals, 0 and 1 for booleans.
    Whole(i128),
    Float(f64),
    /// Texts and ISO dates.
    Text(String),
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Whole(left), Self::Whole(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => left == right,
            _ => false,
        }
    }
}

#[test]
fn predicates_keep_the_same_records() {
    check(1_000_000, 2_000, |generator| {
        let predicate = generator.predicate(5);
        Question {
            items: vec![(same("id"), Kind::Exact(0))],
            filter: Some(predicate),
            limit: random_limit(generator),
            ..Question::default()
        }
    });
}

#[test]
fn projections_have_the_same_values() {
    check(2_000_000, 1_500, |generator| {
        let items = (0..generator.random.usize(1..5)).map(|_| generator.value(5)).collect();
        let filter = generator.random.bool().then(|| generator.predicate(3));
        Question { items, filter, limit: random_limit(generator), ..Question::default() }
    });
}

#[test]
fn aggregates_have_the_same_values() {
    check(3_000_000, 1_500, |generator| {
        let items = (0..generator.random.usize(1..5)).map(|_| aggregate(generator)).collect();
        let filter = (generator.random.u8(0..4) > 0).then(|| generator.predicate(3));
        Question { items, filter, ..Question::default() }
    });
}

#[test]
fn groups_have_the_same_values() {
    check(4_000_000, 1_500, |generator| {
        let keys: Vec<_> = (0..generator.random.usize(1..4)).map(|_| generator.value(2)).collect();
        let mut behind = same(" GROUP BY ");
        behind.list(keys.iter().zip(1..), |(key, _), number| {
            // a lone literal would be the number of a column
            let is_whole = !has_column(key) || generator.random.bool();
            if is_whole { same(&number.to_string()) } else { as_key(key) }
        });
        let mut items = keys;
        items.extend((0..generator.random.usize(0..4)).map(|_| group_aggregate(generator)));
        if generator.random.u8(0..3) == 0 {
            let (aggregate, _) = group_aggregate(generator);
            behind.push(" HAVING ", &aggregate);
            behind.push(" IS NOT NULL", &same(""));
        }
        order_by_all(generator, items.len(), &mut behind);
        let filter = generator.random.bool().then(|| generator.predicate(3));
        Question { items, filter, behind, limit: random_limit(generator), ..Question::default() }
    });
}

#[test]
fn distinct_rows_are_the_same() {
    check(5_000_000, 1_000, |generator| {
        let items: Vec<_> = (0..generator.random.usize(1..4)).map(|_| generator.value(2)).collect();
        let mut behind = same("");
        order_by_all(generator, items.len(), &mut behind);
        let filter = generator.random.bool().then(|| generator.predicate(3));
        let limit = random_limit(generator);
        Question { distinct: "DISTINCT ", items, filter, behind, limit }
    });
}

#[test]
fn rows_come_in_the_same_order() {
    check(6_000_000, 2_000, |generator| {
        let mut items = vec![(same("id"), Kind::Exact(0))];
        items.extend((0..generator.random.usize(0..3)).map(|_| {
            // otherwise a CASE may have the name of its last column, which ORDER BY would use
            let (mut value, kind) = generator.value(3);
            value.push(" AS v", &same(""));
            (value, kind)
        }));
        let mut behind = same(" ORDER BY ");
        let keys = (0..generator.random.usize(1..4)).map(|_| generator.value(2).0);
        // a lone literal would be the number of a column
        let mut keys: Vec<_> = keys.filter(has_column).collect();
        keys.push(same("id"));
        behind.list(keys.iter().zip(1..), |key, _| {
            let mut key = as_key(key);
            key.push(direction(generator), &same(""));
            key
        });
        let filter = generator.random.bool().then(|| generator.predicate(3));
        Question { items, filter, behind, limit: random_limit(generator), ..Question::default() }
    });
}

/// Returns whether an expression is more than literals: it has the name of a column outside of
/// quotes.
fn has_column(expr: &Expr) -> bool {
    expr.ours.split('\'').step_by(2).any(|part| part.contains(char::is_lowercase))
}

/// Makes an expression that SQLite does not take as the number of a column, because SQLite folds
/// constants first.
fn as_key(expr: &Expr) -> Expr {
    Expr { ours: expr.ours.clone(), theirs: format!("coalesce({}, NULL)", expr.theirs) }
}

/// Makes an aggregate with everything that may be in it and after it.
fn group_aggregate(generator: &mut Generator) -> (Expr, Kind) {
    let (mut expr, kind) = aggregate(generator);
    if generator.random.u8(0..3) == 0 && !expr.ours.contains('*') {
        let distinct = |text: &str| text.replacen('(', "(DISTINCT ", 1);
        expr = Expr { ours: distinct(&expr.ours), theirs: distinct(&expr.theirs) };
    }
    if generator.random.u8(0..3) == 0 {
        expr.push(" FILTER (WHERE ", &generator.predicate(2));
        expr.push(")", &same(""));
    }
    (expr, kind)
}

/// Orders by every column, each in a random direction.
fn order_by_all(generator: &mut Generator, columns: usize, behind: &mut Expr) {
    behind.push(" ORDER BY ", &same(""));
    behind.list((1..=columns).zip(1..), |column, _| {
        same(&format!("{column}{}", direction(generator)))
    });
}

/// Chooses a direction, with the order of NULL, because the engines have different defaults.
fn direction(generator: &mut Generator) -> &'static str {
    let all = [" NULLS FIRST", " ASC NULLS LAST", " DESC NULLS FIRST", " DESC NULLS LAST"];
    all[generator.random.usize(0..all.len())]
}

/// A Select in both dialects.
struct Question {
    distinct: &'static str,
    items: Vec<(Expr, Kind)>,
    filter: Option<Expr>,
    /// GROUP BY, HAVING and ORDER BY.
    behind: Expr,
    limit: Option<(u64, u64)>,
}

impl Default for Question {
    fn default() -> Self {
        let behind = same("");
        Self { distinct: "", items: Vec::new(), filter: None, behind, limit: None }
    }
}

impl Expr {
    fn push(&mut self, text: &str, expr: &Self) {
        self.ours += &format!("{text}{}", expr.ours);
        self.theirs += &format!("{text}{}", expr.theirs);
    }

    /// Adds a list, separated by commas.
    fn list<T>(
        &mut self,
        items: impl Iterator<Item = (T, usize)>,
        mut write: impl FnMut(T, usize) -> Self,
    ) {
        for (item, number) in items {
            self.push(if number == 1 { "" } else { ", " }, &write(item, number));
        }
    }
}

impl Question {
    fn text(&self, side: fn(&Expr) -> &str, from: &str) -> String {
        let items: Vec<_> = self.items.iter().map(|(expr, _)| side(expr)).collect();
        let mut text = format!("SELECT {}{} FROM {from}", self.distinct, items.join(", "));
        if let Some(filter) = &self.filter {
            text += &format!(" WHERE {}", side(filter));
        }
        text += side(&self.behind);
        if let Some((limit, offset)) = self.limit {
            text += &format!(" LIMIT {limit} OFFSET {offset}");
        }
        text
    }
}

fn same(text: &str) -> Expr {
    Expr { ours: text.to_owned(), theirs: text.to_owned() }
}

fn random_limit(generator: &mut Generator) -> Option<(u64, u64)> {
    let random = &mut generator.random;
    (random.u8(0..4) == 0).then(|| (random.u64(0..40), random.u64(0..20)))
}

fn aggregate(generator: &mut Generator) -> (Expr, Kind) {
    let call = |function: &str, operand: Expr| Expr {
        ours: format!("{function}({})", operand.ours),
        theirs: format!("{function}({})", operand.theirs),
    };
    match generator.random.u8(0..6) {
        0 => (same("count(*)"), Kind::Exact(0)),
        1 => (call("count", generator.value(3).0), Kind::Exact(0)),
        2 | 3 => {
            let (operand, scale) = generator.summand(3);
            (call("sum", operand), Kind::Exact(scale))
        }
        which => {
            let (operand, kind) = loop {
                let (operand, kind) = generator.value(3);
                if kind != Kind::Boolean {
                    break (operand, kind);
                }
            };
            (call(if which == 4 { "min" } else { "max" }, operand), kind)
        }
    }
}

/// Asks both engines the questions of consecutive seeds.
fn check(first_seed: u64, cases: u64, question: impl Fn(&mut Generator) -> Question) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let cases = number("SIFT_ORACLE_CASES").unwrap_or(cases);
    let first_seed = number("SIFT_ORACLE_SEED").unwrap_or(first_seed);

    let table = generate::table(first_seed, RECORDS);
    let scratch = tempfile::tempdir().expect("a folder");
    let sources = Format::ALL.iter().flat_map(|format| table.open_each(scratch.path(), *format));
    let sources: Vec<_> = sources.collect();
    let oracle = load(&table);

    for seed in first_seed..first_seed + cases {
        let question = question(&mut Generator::new(seed));
        let ours = question.text(|expr| &expr.ours, "'rows'");
        let theirs = question.text(|expr| &expr.theirs, "rows");
        let expected = ask_sqlite(&oracle, &theirs);
        // each question takes the next source and run
        let turn = usize::try_from(seed - first_seed).expect("small");
        let source = &sources[turn % sources.len()];
        let run = QUICK_RUNS[turn / sources.len() % QUICK_RUNS.len()];
        let got = ask_sift(source, &ours, run);
        let place = format!("SIFT_ORACLE_SEED={seed} SIFT_ORACLE_CASES=1, {run:?}");
        let about = format!("{place}\nours   {ours}\ntheirs {theirs}\n{}", source.format());
        assert_eq!(got.len(), expected.len(), "records\n{about}\n{got:?}\n{expected:?}");
        for (row, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_eq!(got, expected, "row {row} of the answer\n{about}");
        }
    }
}

fn load(table: &Table) -> Connection {
    let connection = Connection::open_in_memory().expect("SQLite");
    let statements = "PRAGMA case_sensitive_like = ON;
        CREATE TABLE rows (id INTEGER, i INTEGER, j INTEGER, d INTEGER, e INTEGER, f REAL, t TEXT,
            s TEXT, u TEXT);";
    connection.execute_batch(statements).expect("a table");
    for row in &table.rows {
        let cells: Vec<Box<dyn ToSql>> = row.iter().map(to_sqlite).collect();
        connection
            .execute(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rusqlite::params_from_iter(cells),
            )
            .expect("a row");
    }
    connection
}

fn to_sqlite(value: &Value) -> Box<dyn ToSql> {
    match value {
        Value::Integer(value) => Box::new(*value),
        Value::Decimal { digits, .. } => Box::new(i64::try_from(*digits).expect("few digits")),
        Value::Float(value) => Box::new(*value),
        Value::Date(days) => Box::new(iso_date(*days)),
        Value::Text(text) => Box::new(text.clone()),
        _ => Box::new(rusqlite::types::Null),
    }
}

fn ask_sqlite(connection: &Connection, sql: &str) -> Vec<Vec<Cell>> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cell = |column| match row.get_ref_unwrap(column) {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(value) => Cell::Whole(value.into()),
            ValueRef::Real(value) => Cell::Float(value),
            ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).expect("UTF-8")),
            ValueRef::Blob(_) => panic!("a blob"),
        };
        Ok((0..columns).map(cell).collect())
    });
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

fn ask_sift(source: &Arc<Source>, sql: &str, run: Run) -> Vec<Vec<Cell>> {
    let batches = Select::parse(sql)
        .and_then(|select| Plan::new(&select, Arc::clone(source), &[]))
        .and_then(|plan| engine::collect(plan, run))
        .unwrap_or_else(|error| panic!("{:?}: {error}\n{sql}", error.kind()));
    batches.iter().flat_map(rows).collect()
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Cell>> {
    let row = |row| batch.columns().iter().map(|array| from_arrow(array, row)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn from_arrow(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Whole(array.as_boolean().value(row).into()),
        DataType::Int64 => Cell::Whole(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::Decimal128(..) => Cell::Whole(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Cell::Text(iso_date(array.as_primitive::<Date32Type>().value(row))),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        other => panic!("no column has the type {other}"),
    }
}
