//! Differences, grouped by their kind.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sift_select::Error;

use super::psql::{Failure, Rows};

/// The most examples that are shown of a kind.
const EXAMPLES_MAX: usize = 100;

/// The relation of two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relation {
    /// Both have a value, but not the same.
    OtherValue,
    /// Sift has a value, PostgreSQL an error.
    NoError,
    /// Sift refuses a question that PostgreSQL answers.
    Refused,
}

/// The results of a run.
#[derive(Default)]
pub(super) struct Report {
    asked: usize,
    excused: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<(Relation, String), BTreeMap<String, (usize, String)>>,
}

impl Report {
    /// Records the differences between an answer of PostgreSQL and Sift's answers to the same
    /// question in some forms; `kind` groups the differences.
    pub(super) fn compare(
        &mut self,
        theirs: &Result<Rows, Failure>,
        ours: &[(&str, Result<Rows, Error>)],
        kind: &str,
        question: &str,
        shape: &str,
    ) {
        let mut differences: BTreeMap<_, (String, Vec<&str>)> = BTreeMap::new();
        for (form, ours) in ours {
            self.asked += 1;
            if let Some(relation) = relation(theirs, ours) {
                let text = difference(theirs, ours);
                let difference = differences.entry((relation, ours.as_ref().ok()));
                difference.or_insert_with(|| (text, Vec::new())).1.push(form);
            }
        }
        for ((relation, _), (text, forms)) in differences {
            let kind = format!("{kind}: {}", forms.join(", "));
            self.add(relation, &kind, shape, format!("{question}\n        {text}"));
        }
    }

    /// Counts an accepted difference.
    pub(super) fn excuse(&mut self, reason: &'static str) {
        self.asked += 1;
        *self.excused.entry(reason).or_default() += 1;
    }

    /// Records an example of a kind; the shortest of each shape stays.
    pub(super) fn add(&mut self, relation: Relation, kind: &str, shape: &str, example: String) {
        let shapes = self.kinds.entry((relation, kind.to_owned())).or_default();
        let (count, shortest) =
            shapes.entry(shape.to_owned()).or_insert_with(|| (0, example.clone()));
        *count += 1;
        if example.len() < shortest.len() {
            *shortest = example;
        }
    }

    /// Returns the kinds for which `wanted` is true; `None` if there are none.
    pub(super) fn text(
        &self,
        wanted: impl Fn(Relation) -> bool,
        examples: usize,
    ) -> Option<String> {
        let mut text = String::new();
        for ((relation, kind), shapes) in &self.kinds {
            if !wanted(*relation) {
                continue;
            }
            let count: usize = shapes.values().map(|(count, _)| count).sum();
            let _ = writeln!(text, "{relation:?}, {kind}: {count} of {} questions", self.asked);
            let mut shapes: Vec<_> = shapes.values().collect();
            shapes.sort_by_key(|(_, example)| example.len());
            for (count, example) in shapes.iter().take(examples) {
                let _ = writeln!(text, "  {count} x {example}");
            }
        }
        (!text.is_empty()).then_some(text)
    }

    /// Prints what Sift refuses, and fails if anything else differs.
    pub(super) fn finish(self) {
        if let Some(refused) = self.text(|relation| relation == Relation::Refused, EXAMPLES_MAX) {
            println!("{refused}");
        }
        for (reason, count) in &self.excused {
            println!("{count} answers differ: {reason}");
        }
        println!("{} questions", self.asked);
        if let Some(wrong) = self.text(|relation| relation != Relation::Refused, EXAMPLES_MAX) {
            panic!("answers differ from PostgreSQL's\n{wrong}");
        }
    }
}

/// Returns the difference of the answers, if there is one.
fn relation(theirs: &Result<Rows, Failure>, ours: &Result<Rows, Error>) -> Option<Relation> {
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) if theirs == ours => None,
        (Err(_), Err(_)) => None,
        (Ok(_), Ok(_)) => Some(Relation::OtherValue),
        (Err(_), Ok(_)) => Some(Relation::NoError),
        (Ok(_), Err(_)) => Some(Relation::Refused),
    }
}

fn difference(theirs: &Result<Rows, Failure>, ours: &Result<Rows, Error>) -> String {
    let theirs = match theirs {
        Ok(rows) => shown(rows),
        Err(Failure { sqlstate, message }) => format!("error {sqlstate} {message}"),
    };
    let ours = match ours {
        Ok(rows) => shown(rows),
        Err(error) => format!("{:?}: {error}", error.kind()),
    };
    format!("PostgreSQL {theirs}\n        Sift       {ours}")
}

fn shown(rows: &Rows) -> String {
    let field =
        |field: &Option<String>| field.as_ref().map_or("NULL".to_owned(), |f| format!("{f:?}"));
    let rows: Vec<_> =
        rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join(", ")).collect();
    rows.join("; ")
}
