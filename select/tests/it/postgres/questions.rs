//! Random Selects over a table of all types.

use std::sync::Arc;

use sift_select::{Error, ErrorKind, Source};

use super::columns::{self, create};
use super::grammar::Grammar;
use super::known::{Compared, agree, excuse};
use super::psql::{Postgres, Rows};
use super::report::Report;
use super::sift::ask;
use super::{cases, first_seed};
use crate::engine::{QUICK_RUNS, Run};
use crate::parquet_file::Pages;
use crate::table::{Format, Table};

const RECORDS: i64 = 60;

/// The number of questions that are asked at a time.
const BATCH: usize = 500;

const FORMATS: &[Format] = &[Format::Arrow, Format::Parquet(Pages::V1), Format::Parquet(Pages::V2)];

/// Formats with fewer types, with and without indexes.
const BROAD_FORMATS: &[Format] = &[Format::Csv, Format::CsvGzip];

const KINDS: &[&str] = &["bool", "int", "dec", "float", "real", "text", "date", "time", "span"];

/// The name of a table, and the files with its rows.
type Files = (&'static str, Vec<Arc<Source>>);

/// A Select; `rows` is a placeholder for the table.
struct Question {
    seed: u64,
    form: &'static str,
    sql: String,
    columns: Vec<Compared>,
}

#[test]
fn random_selects_have_the_same_answers() {
    let postgres = Postgres::from_environment();
    let first_seed = first_seed();
    let seeds: Vec<_> = (first_seed..first_seed + cases(&postgres)).collect();
    let table = columns::all(1, RECORDS);
    let broad = columns::broad(&table);
    let scratch = tempfile::tempdir().expect("a folder");
    let open = |table: &Table, format: &Format| table.open_each(scratch.path(), *format);
    let sources = FORMATS.iter().flat_map(|format| open(&table, format)).collect();
    let broad_sources = BROAD_FORMATS.iter().flat_map(|format| open(&broad, format)).collect();
    let files = [(table.name, sources), (broad.name, broad_sources)];
    let setup = format!("{}\n{}", create(&table), create(&broad));
    let mut report = Report::default();
    for seeds in seeds.chunks(BATCH) {
        let questions: Vec<_> = seeds.iter().map(|seed| question(*seed)).collect();
        match &postgres {
            Some(postgres) => compare(postgres, &setup, &questions, &files, &mut report),
            None => questions.iter().for_each(|question| check_alike(question, &files)),
        }
    }
    report.finish();
}

/// Compares the answers with PostgreSQL's; each question takes the next file and run.
fn compare(
    postgres: &Postgres,
    setup: &str,
    questions: &[Question],
    files: &[Files; 2],
    report: &mut Report,
) {
    let turn = |question: &Question| usize::try_from(question.seed / 8).expect("small");
    let about = |question: &Question| question.about(files[turn(question) % 2].0);
    let texts: Vec<_> = questions.iter().map(about).collect();
    for (question, theirs) in questions.iter().zip(postgres.ask(setup, &texts)) {
        let Question { seed, form, sql, columns } = question;
        let (turn, sources) = (turn(question) / 2, &files[turn(question) % 2].1);
        let source = &sources[turn % sources.len()];
        let ours = question.ask(source, QUICK_RUNS[turn / sources.len() % QUICK_RUNS.len()]);
        if let Some(reason) = excuse(sql, &theirs, &ours) {
            report.excuse(reason);
            continue;
        }
        let ours = match (&theirs, ours) {
            (Ok(theirs), Ok(ours)) if agree(columns, theirs, &ours) => Ok(theirs.clone()),
            (_, ours) => ours,
        };
        let about = format!("SIFT_POSTGRES_SEED={seed} {:?}\n        {sql}", source.format());
        // failures at a record are reported separately from refusals
        let when = match &ours {
            Err(error) if error.kind() == ErrorKind::Computation => "at a record",
            _ => "",
        };
        report.compare(&theirs, &[(when, ours)], form, &about, sql);
    }
}

/// Checks without PostgreSQL that every two files and ways to run have the same answer.
fn check_alike(question: &Question, files: &[Files; 2]) {
    for (_, sources) in files {
        let mut answers = sources.iter().zip(QUICK_RUNS.iter().cycle()).map(|(source, run)| {
            let answer = question.ask(source, *run);
            (source.format(), answer.ok())
        });
        let (first, expected) = answers.next().expect("a file");
        for (other, answer) in answers {
            let Question { seed, sql, .. } = question;
            assert_eq!(answer, expected, "{other} and {first}, SIFT_POSTGRES_SEED={seed} {sql}");
        }
    }
}

impl Question {
    /// Returns the Select over a table.
    fn about(&self, table: &str) -> String {
        self.sql.replace(" FROM rows", &format!(" FROM {table}"))
    }

    fn ask(&self, source: &Arc<Source>, run: Run) -> Result<Rows, Error> {
        ask(source, &self.about("'rows'"), run)
    }
}

fn question(seed: u64) -> Question {
    let mut grammar = Grammar::new(seed, matches!(seed % 8, 2 | 3));
    let question = match seed % 8 {
        0 => predicate(&mut grammar),
        1 => projection(&mut grammar),
        2 | 3 => one_value(&mut grammar),
        4 => aggregates(&mut grammar),
        5 => groups(&mut grammar),
        6 => distinct(&mut grammar),
        _ => order(&mut grammar),
    };
    Question { seed, ..question }
}

fn depth(grammar: &mut Grammar) -> u8 {
    grammar.random.choice([1, 1, 2, 2, 3]).expect("a depth")
}

/// Makes the key of an ORDER BY: a column of the table, which PostgreSQL would otherwise take for
/// one of the answer.
fn key(expr: &str) -> String {
    let is_column = expr.chars().all(char::is_lowercase) && expr != "false";
    if is_column { format!("r.{expr}") } else { expr.to_owned() }
}

/// Makes an expression of any type, and the way to compare its text.
fn value(grammar: &mut Grammar) -> (String, &'static str, Compared) {
    let kind = grammar.pick(KINDS);
    let depth = depth(grammar);
    let compared = if kind == "dec" { Compared::AsDecimal } else { Compared::Exactly };
    (grammar.expr(kind, depth), kind, compared)
}

fn filter(grammar: &mut Grammar) -> String {
    match grammar.random.u8(0..3) {
        0 => format!(" WHERE {}", grammar.expr("bool", 2)),
        _ => String::new(),
    }
}

fn limit(grammar: &mut Grammar) -> String {
    let random = &mut grammar.random;
    match random.u8(0..5) {
        0 => format!(" LIMIT {} OFFSET {}", random.u8(0..40), random.u8(0..20)),
        1 => format!(" FETCH FIRST {} ROWS ONLY", random.u8(1..9)),
        _ => String::new(),
    }
}

fn direction(grammar: &mut Grammar) -> &'static str {
    grammar.pick(&["", "", " ASC", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
}

fn predicate(grammar: &mut Grammar) -> Question {
    let depth = depth(grammar);
    let predicate = grammar.expr("bool", depth);
    let sql =
        format!("SELECT id::text FROM rows AS r WHERE {predicate} ORDER BY r.id{}", limit(grammar));
    Question { seed: 0, form: "WHERE", sql, columns: vec![Compared::Exactly] }
}

fn projection(grammar: &mut Grammar) -> Question {
    let (expr, _, compared) = value(grammar);
    let filter = filter(grammar);
    let sql = format!(
        "SELECT id::text, ({expr})::text FROM rows AS r{filter} ORDER BY r.id{}",
        limit(grammar)
    );
    Question { seed: 0, form: "SELECT", sql, columns: vec![Compared::Exactly, compared] }
}

/// Makes a Select of one value of one record, which may be an error.
fn one_value(grammar: &mut Grammar) -> Question {
    let (expr, _, compared) = match grammar.random.u8(0..12) {
        0 => {
            let form = grammar.pick(&[
                "({dec} / {dec})",
                "({int} / {dec})",
                "({dec} / {int})",
                "({dec} / 7)",
            ]);
            (grammar.fill(form, "dec", 1), "dec", Compared::Nearly)
        }
        _ => value(grammar),
    };
    let id = grammar.random.i64(1..=RECORDS);
    let sql = format!("SELECT ({expr})::text FROM rows AS r WHERE id = {id}");
    Question { seed: 0, form: "one value", sql, columns: vec![compared] }
}

/// Makes a call of an aggregate.
fn aggregate(grammar: &mut Grammar) -> (String, Compared) {
    let distinct = grammar.pick(&["", "", "DISTINCT "]);
    let (call, compared) = match grammar.random.u8(0..8) {
        0 => ("count(*)".to_owned(), Compared::Exactly),
        1 => (format!("count({distinct}{})", value(grammar).0), Compared::Exactly),
        2 => (format!("sum({distinct}{})", grammar.expr("int", 2)), Compared::Exactly),
        3 => (format!("sum({distinct}{})", grammar.expr("dec", 2)), Compared::AsDecimal),
        4 => {
            let of = grammar.pick(&["int", "dec", "float"]);
            let function = if of == "float" { grammar.pick(&["sum", "avg"]) } else { "avg" };
            (format!("{function}({distinct}{})", grammar.expr(of, 1)), Compared::Nearly)
        }
        _ => {
            let (expr, kind, compared) = loop {
                let value = value(grammar);
                if !["bool", "span"].contains(&value.1) {
                    break value;
                }
            };
            let is_float = ["float", "real"].contains(&kind);
            let compared = if is_float { Compared::AsGroup } else { compared };
            (format!("{}({expr})", grammar.pick(&["min", "max"])), compared)
        }
    };
    let filter = match grammar.random.u8(0..5) {
        0 => format!(" FILTER (WHERE {})", grammar.expr("bool", 1)),
        _ => String::new(),
    };
    (format!("({call}{filter})::text"), compared)
}

fn aggregates(grammar: &mut Grammar) -> Question {
    let (expr, compared) = aggregate(grammar);
    let sql = format!("SELECT {expr} FROM rows AS r{}", filter(grammar));
    Question { seed: 0, form: "aggregate", sql, columns: vec![compared] }
}

fn groups(grammar: &mut Grammar) -> Question {
    let (key, kind, compared) = value(grammar);
    let (expr, of_aggregate) = aggregate(grammar);
    let filter = filter(grammar);
    let order = format!("{}{}", self::key(&key), direction(grammar));
    // equal intervals have several texts
    let (first, compared) = match kind {
        "span" => ("count(*)::text".to_owned(), Compared::Exactly),
        "float" | "real" => (format!("({key})::text"), Compared::AsGroup),
        _ => (format!("({key})::text"), compared),
    };
    let sql =
        format!("SELECT {first}, {expr} FROM rows AS r{filter} GROUP BY {key} ORDER BY {order}");
    Question { seed: 0, form: "GROUP BY", sql, columns: vec![compared, of_aggregate] }
}

fn distinct(grammar: &mut Grammar) -> Question {
    let (expr, kind, _) = value(grammar);
    let expr = key(&expr);
    let filter = filter(grammar);
    let order = direction(grammar);
    let sql = match kind {
        "dec" | "float" | "real" | "span" => {
            format!(
                "SELECT DISTINCT ON ({expr}) id::text FROM rows AS r{filter} ORDER BY {expr}{order}, r.id"
            )
        }
        _ => format!("SELECT DISTINCT ({expr})::text FROM rows AS r{filter} ORDER BY 1{order}"),
    };
    Question { seed: 0, form: "DISTINCT", sql, columns: vec![Compared::Exactly] }
}

fn order(grammar: &mut Grammar) -> Question {
    let keys: Vec<_> = (0..grammar.random.u8(1..3))
        .map(|_| format!("{}{}", key(&value(grammar).0), direction(grammar)))
        .collect();
    let (keys, filter, limit) = (keys.join(", "), filter(grammar), limit(grammar));
    // the bare name is that of the column of the answer, which is a text
    let last = grammar.pick(&["r.id", "r.id", "r.id", "id"]);
    let sql = format!("SELECT id::text FROM rows AS r{filter} ORDER BY {keys}, {last}{limit}");
    Question { seed: 0, form: "ORDER BY", sql, columns: vec![Compared::Exactly] }
}
