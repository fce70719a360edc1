//! The forms in which a text is read as a value of a type, and the questions that use them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use sift_select::{Descriptor, Error, Source, Value};

use super::columns::create;
use super::psql::Rows;
use super::sift::{ask, quoted};
use super::types::Type;
use crate::engine::Run;
use crate::table::{Column, Format, Storage, Table, date, decimal, integer, null, timestamp};

const RUN: Run = Run::new(1, None);

/// A text and the type that it is read as.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// A number that identifies the case.
    pub(super) id: u64,
    pub(super) of: Type,
    pub(super) text: String,
}

impl Case {
    /// Returns whether the value depends on when it is asked.
    pub(super) fn is_of_the_moment(&self) -> bool {
        let text = self.text.to_lowercase();
        ["now", "today", "tomorrow", "yesterday"].iter().any(|word| text.contains(word))
    }

    /// Returns the text without its digits and the white space around it.
    pub(super) fn shape(&self) -> String {
        let text = self.text.trim_matches([' ', '\t', '\n', '\r', '\u{b}']);
        let mut shape = String::new();
        for char in text.chars() {
            match char {
                '0'..='9' if shape.ends_with('9') => {}
                '0'..='9' => shape.push('9'),
                char if char.is_whitespace() && !char.is_ascii() => shape.push('\u{a0}'),
                char => shape.push(char),
            }
        }
        shape
    }

    /// Returns the question for the value.
    pub(super) fn value(&self) -> String {
        format!("SELECT ({}::{})::text", quoted(&self.text), self.of.sql())
    }

    /// Returns the question that compares a column of the type with the text, which takes its type.
    pub(super) fn comparison(&self) -> String {
        let column = match self.of {
            Type::Boolean => "flag",
            Type::Smallint => "small",
            Type::Integer => "medium",
            Type::Bigint => "large",
            Type::Numeric => "wide",
            Type::Amount => "amount",
            Type::Real => "half",
            Type::Double => "ratio",
            Type::Date => "day",
            Type::Timestamp => "at",
            Type::Interval => "(at - timestamp '2000-01-01 00:00:00')",
        };
        let op = ["=", "<=", "<>", ">"][usize::try_from(self.id % 4).expect("small")];
        let text = quoted(&self.text);
        format!("SELECT id::text FROM typed AS r WHERE {column} {op} {text} ORDER BY r.id")
    }
}

/// The files for the questions to Sift.
pub(super) struct Forms {
    typed: Arc<Source>,
    texts: Arc<Source>,
}

impl Forms {
    pub(super) fn new(cases: &[Case], folder: &Path) -> Self {
        Self { typed: typed().open(folder, Format::Arrow), texts: texts(cases, folder) }
    }

    /// Returns the value by each form that has one.
    pub(super) fn values(&self, case: &Case) -> [(&'static str, Result<Rows, Error>); 3] {
        let (text, of, id) = (quoted(&case.text), case.of.sql(), case.id);
        let constant = format!("SELECT CAST(CAST({text} AS {of}) AS text) FROM 'typed' LIMIT 1");
        let literal = format!("SELECT ({of} {text})::text FROM 'typed' LIMIT 1");
        let column = format!("SELECT t::{of}::text FROM 'texts' WHERE id = {id}");
        [
            ("constant", ask(&self.typed, &constant, RUN)),
            ("literal", ask(&self.typed, &literal, RUN)),
            ("column", ask(&self.texts, &column, RUN)),
        ]
    }

    /// Returns the records that a comparison keeps.
    pub(super) fn compared(&self, case: &Case) -> Result<Rows, Error> {
        ask(&self.typed, &case.comparison().replace(" FROM typed", " FROM 'typed'"), RUN)
    }
}

/// Writes the texts as a column of a file.
fn texts(cases: &[Case], folder: &Path) -> Arc<Source> {
    let line = |case: &Case| format!("{}\n", serde_json::json!({"id": case.id, "t": case.text}));
    let path = folder.join("texts.jsonl");
    std::fs::write(&path, cases.iter().map(line).collect::<String>()).expect("write the texts");
    let descriptor = "format = \"jsonl\"\n[[field]]\nname = \"id\"\ntype = \"int64\"\n\
                      [[field]]\nname = \"t\"\ntype = \"text\"\n";
    let descriptor = Descriptor::parse("texts", descriptor).expect("a descriptor");
    let file = File::open(&path).expect("open the texts");
    Arc::new(Source::open("texts", file, Some(descriptor)).expect("a source"))
}

/// Makes a table with a few values of every type.
fn typed() -> Table {
    let column = |name, storage, word| Column { name, storage, word };
    let columns = vec![
        column("id", Storage::Nowhere, "int64"),
        column("flag", Storage::Nowhere, "boolean"),
        column("small", Storage::Integer { bytes: 2 }, ""),
        column("medium", Storage::LittleInteger { bytes: 4 }, ""),
        column("large", Storage::Nowhere, "int64"),
        column("wide", Storage::Nowhere, "decimal(38,10)"),
        column("amount", Storage::Nowhere, "decimal(7,3)"),
        column("half", Storage::Float { bytes: 4 }, ""),
        column("ratio", Storage::Nowhere, "float64"),
        column("day", Storage::Nowhere, "date"),
        column("at", Storage::Nowhere, "timestamp"),
    ];
    let row = |id, flag, whole: i64, digits: i128, float: f64, time: &str| {
        let day = time.split('T').next().expect("a date");
        vec![
            integer(id),
            Value::Boolean(flag),
            integer(whole.clamp(i16::MIN.into(), i16::MAX.into())),
            integer(whole.clamp(i32::MIN.into(), i32::MAX.into())),
            integer(whole),
            decimal(digits, 10),
            decimal(digits % 10_000_000, 3),
            #[expect(clippy::cast_possible_truncation, reason = "a column of this width")]
            Value::Float((float as f32).into()),
            Value::Float(float),
            date(day),
            timestamp(time),
        ]
    };
    let mut nulls = vec![null(); columns.len()];
    nulls[0] = integer(8);
    let rows = vec![
        row(1, true, 0, 0, 0.0, "2000-01-01T00:00:00"),
        row(2, false, 1, 10_000_000_000, -0.0, "2000-01-02T00:00:00"),
        row(3, true, -1, -15_000_000_000, 0.1, "1999-12-31T23:59:59.999999"),
        row(4, false, i64::MAX, 99_999_999_999_999, f64::INFINITY, "9999-12-31T00:00:00"),
        row(5, true, i64::MIN, -1, f64::NEG_INFINITY, "0001-01-01T12:30:00"),
        row(6, false, 99, 12_345, f64::NAN, "2024-02-29T12:30:00.5"),
        row(7, true, 1000, 5_000_000_000, 1e-45, "2000-02-01T04:05:06"),
        nulls,
    ];
    Table { name: "typed", columns, rows, formats: &[] }
}

/// Returns the statements that make the table of the comparisons in PostgreSQL.
pub(super) fn setup() -> String {
    create(&typed())
}
