//! Texts of each type with the answers that PostgreSQL 15 gave, which need no server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::forms::{Case, Forms};
use super::psql::{Failure, Postgres, Rows};
use super::types::Type;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/postgres_texts.txt");

const HEAD: &str = "\
# Texts, the types that they are read as, and what PostgreSQL 15 makes of them: `= value` or
# `! SQLSTATE`. `?` before an answer: Sift may refuse the text. The random texts are made of these,
# too. Where a line is new, any answer will do; the answers are recorded by
#   SIFT_POSTGRES='host=/run/postgresql user=postgres dbname=postgres' SIFT_POSTGRES_RECORD=1 \\
#       cargo test --workspace --test it postgres::recorded
";

/// The number of texts that are asked about at a time.
const BATCH: usize = 200;

/// A text and the answer of PostgreSQL.
struct Recorded {
    case: Case,
    /// The value as text, or the SQLSTATE.
    answer: Result<String, String>,
    may_refuse: bool,
}

#[test]
fn recorded_texts_have_the_same_values() {
    let mut recorded = read();
    if std::env::var("SIFT_POSTGRES_RECORD").is_ok() {
        record(&Postgres::from_environment().expect("SIFT_POSTGRES"), &mut recorded);
    }
    let scratch = tempfile::tempdir().expect("a folder");
    let mut faults = Vec::new();
    for batch in recorded.chunks_mut(BATCH) {
        let cases: Vec<_> = batch.iter().map(|recorded| recorded.case.clone()).collect();
        let forms = Forms::new(&cases, scratch.path());
        for recorded in batch {
            if std::env::var("SIFT_POSTGRES_RECORD").is_ok() {
                recorded.may_refuse = is_refused(recorded, &forms);
            }
            faults.extend(self::faults(recorded, &forms));
        }
    }
    if std::env::var("SIFT_POSTGRES_RECORD").is_ok() {
        std::fs::write(FILE, text(&recorded)).expect("write the texts");
    }
    let count = faults.len();
    assert!(faults.is_empty(), "{count} answers differ from PostgreSQL's\n{}", faults.join("\n"));
}

/// Returns the forms of a text whose answer is not the recorded one.
fn faults(recorded: &Recorded, forms: &Forms) -> Vec<String> {
    let Recorded { case: Case { of, text, .. }, answer, may_refuse } = recorded;
    let fault = |(form, ours): (&str, Result<Rows, _>)| {
        let is_good = match (answer, &ours) {
            (Ok(value), Ok(rows)) => *rows == [[Some(value.clone())]],
            (Err(_), ours) => ours.is_err(),
            (Ok(_), Err(_)) => *may_refuse || !has_form(*of, form),
        };
        let of = of.sql();
        (!is_good).then(|| format!("{of} {text:?} as a {form}: {answer:?}, Sift {ours:?}"))
    };
    forms.values(&recorded.case).into_iter().filter_map(fault).collect()
}

/// Returns whether Sift reads texts of the type in that form.
fn has_form(of: Type, form: &str) -> bool {
    match form {
        "literal" => matches!(of, Type::Date | Type::Timestamp | Type::Interval),
        // a column has one scale
        "column" => of != Type::Numeric,
        _ => true,
    }
}

/// Returns whether Sift refuses a text that PostgreSQL reads.
fn is_refused(recorded: &Recorded, forms: &Forms) -> bool {
    let [(_, constant), ..] = forms.values(&recorded.case);
    recorded.answer.is_ok() && constant.is_err()
}

/// Returns the texts of a type.
pub(super) fn texts(of: Type) -> &'static [String] {
    static TEXTS: LazyLock<BTreeMap<Type, Vec<String>>> = LazyLock::new(|| {
        let mut texts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Recorded { case, .. } in read() {
            texts.entry(case.of).or_default().push(case.text);
        }
        texts
    });
    &TEXTS[&of]
}

/// Reads the file.
fn read() -> Vec<Recorded> {
    let text = std::fs::read_to_string(FILE).expect(FILE);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut id = 0;
    let recorded = lines.map(|line| {
        id += 1;
        let parts: Vec<_> = line.split('\t').collect();
        let [of, text, answer] = parts[..] else { panic!("three fields: {line}") };
        let of = Type::parse(of).expect(line);
        let case = Case { id, of, text: serde_json::from_str(text).expect(line) };
        let bare = answer.strip_prefix('?').unwrap_or(answer);
        let answer_of = match bare.split_once(' ').expect(line) {
            ("=", value) => Ok(value.to_owned()),
            (_, sqlstate) => Err(sqlstate.to_owned()),
        };
        Recorded { case, answer: answer_of, may_refuse: bare != answer }
    });
    recorded.collect()
}

/// Returns the text of the file.
fn text(recorded: &[Recorded]) -> String {
    let mut text = HEAD.to_owned();
    for Recorded { case: Case { of, text: read, .. }, answer, may_refuse } in recorded {
        let read = serde_json::to_string(read).expect("a text");
        let mark = if *may_refuse { "?" } else { "" };
        let answer = match answer {
            Ok(value) => format!("= {value}"),
            Err(sqlstate) => format!("! {sqlstate}"),
        };
        writeln!(text, "{}\t{read}\t{mark}{answer}", of.sql()).expect("a string");
    }
    text
}

/// Asks PostgreSQL again about each text.
fn record(postgres: &Postgres, recorded: &mut [Recorded]) {
    let questions: Vec<_> = recorded.iter().map(|recorded| recorded.case.value()).collect();
    for (recorded, answer) in recorded.iter_mut().zip(postgres.ask("", &questions)) {
        recorded.answer = match answer {
            Ok(rows) => Ok(rows[0][0].clone().expect("no NULL")),
            Err(Failure { sqlstate, .. }) => Err(sqlstate),
        };
    }
}
