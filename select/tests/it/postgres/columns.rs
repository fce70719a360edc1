//! The table of all types for random Selects, and tables in PostgreSQL.

use fastrand::Rng;
use sift_select::Value;

use super::sift::quoted;
use crate::table::{self, Column, Storage, Table, date, decimal, integer, null, text, timestamp};

/// The name of each column, and its storage and word in a file.
const COLUMNS: &[(&str, Storage, &str)] = &[
    ("id", Storage::Nowhere, "int64"),
    ("flag", Storage::Nowhere, "boolean"),
    ("small", Storage::Integer { bytes: 2 }, ""),
    ("medium", Storage::LittleInteger { bytes: 4 }, ""),
    ("n", Storage::Nowhere, "int64"),
    ("big", Storage::Nowhere, "int64"),
    ("price", Storage::Nowhere, "decimal(9,2)"),
    ("rate", Storage::Nowhere, "decimal(7,4)"),
    ("wide", Storage::Nowhere, "decimal(24,6)"),
    ("half", Storage::Float { bytes: 4 }, ""),
    ("ratio", Storage::Nowhere, "float64"),
    ("huge", Storage::Nowhere, "float64"),
    ("day", Storage::Nowhere, "date"),
    ("at", Storage::Nowhere, "timestamp"),
    ("t", Storage::Nowhere, "text"),
    ("u", Storage::Nowhere, "text"),
    ("ascii", Storage::Nowhere, "text"),
    ("ti", Storage::Nowhere, "text"),
    ("tn", Storage::Nowhere, "text"),
    ("tf", Storage::Nowhere, "text"),
    ("tb", Storage::Nowhere, "text"),
    ("td", Storage::Nowhere, "text"),
    ("tt", Storage::Nowhere, "text"),
    ("ts", Storage::Nowhere, "text"),
];

const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    2.5,
    3.5,
    -2.5,
    1e-7,
    123_456.789,
    1e15,
    1e16,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.30000000000000004,
    1e100,
];
const HUGE: &[f64] = &[
    f64::MAX,
    -1e308,
    1e-308,
    5e-324,
    1e300,
    f64::MIN_POSITIVE,
    1e39,
    1e-46,
    9.2e18,
    -9.3e18,
    2e9,
];
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "b",
    "ab",
    "aab",
    "A",
    "a b",
    " ab ",
    "é",
    "日本語",
    "it's",
    "50%_off\\now",
    "a\nb",
    "x,y,z",
    "\"q\"",
    "1",
    "-7",
    "2024-02-29",
    "ﬁ",
    "𝄞a",
    "a\tb",
    "true",
    "é́",
    "aa,bb",
    "ß",
    "\u{a0}1",
];
const ASCII: &[&str] =
    &["", "a", "b", "ab", "Hello wORLD", "a_b", "a.b-c d", "AAA", "12", "a%b", "foo bar", "a\nb"];

/// Makes the table of all types.
pub(super) fn all(seed: u64, records: i64) -> Table {
    let columns = COLUMNS.iter().map(|&(name, storage, word)| Column { name, storage, word });
    let mut random = Rng::with_seed(seed);
    let rows = (1..=records).map(|id| row(&mut random, id)).collect();
    Table { name: "rows", columns: columns.collect(), rows, formats: &[] }
}

/// Makes the same rows in the types of text files: every number that is not a decimal has 64 bits.
pub(super) fn broad(table: &Table) -> Table {
    let broad = |column: &Column| {
        let word = match (column.word, column.storage) {
            ("", Storage::Float { .. }) => "float64",
            ("", _) => "int64",
            (word, _) => word,
        };
        Column { word, ..column.clone() }
    };
    let columns = table.columns.iter().map(broad).collect();
    Table { name: "broad_rows", columns, ..table.clone() }
}

fn row(random: &mut Rng, id: i64) -> Vec<Value> {
    let mut row = vec![integer(id)];
    for (name, ..) in &COLUMNS[1..] {
        row.push(if random.u8(0..7) == 0 { null() } else { value(random, name) });
    }
    row
}

fn value(random: &mut Rng, column: &str) -> Value {
    let mut pick = |texts: &[&str]| text(random.choice(texts).expect("texts"));
    match column {
        "t" | "u" => pick(TEXTS),
        "ascii" => pick(ASCII),
        "ti" => pick(&["0", "7", " -3 ", "+40", "007", "12", "-1"]),
        "tn" => pick(&["0", "1.5", " -2.50", "+.5", "7.", "1e2", "100", "-0.005", "12.345"]),
        "tf" => pick(&["0", "1.5", "NaN", "-inf", " Infinity ", "1e-7", "-0", "2.5e3", "0.1"]),
        "tb" => pick(&["t", "false", " yes", "NO", "1", "off", "on"]),
        "td" => pick(&["2024-02-29", " 1999-12-31", "2000-1-1", "1970-01-01", "0001-01-01"]),
        "tt" => pick(&[
            "2024-02-29 12:30:00.5",
            "1999-12-31 23:59:59",
            "2000-01-01",
            "1970-01-01 00:00",
        ]),
        "ts" => pick(&[
            "1 day",
            "-1:30",
            "1 month 2 days",
            "2 weeks",
            "00:00:00.5",
            "1 year -3 days",
            "0",
        ]),
        "flag" => Value::Boolean(random.bool()),
        "small" => {
            integer(random.choice([0, 1, -1, 7, 100, -30, 32_767, -32_768]).expect("numbers"))
        }
        "medium" => integer(
            random.choice([0, 1, -3, 12, 1_000, -99, 46_341, 2_147_483_647]).expect("numbers"),
        ),
        "n" => integer(random.i64(-9..=9) * random.choice([1, 1, 10]).expect("numbers")),
        "big" => integer(
            random
                .choice([i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1, 3_000_000_000, -1])
                .expect("numbers"),
        ),
        "price" => {
            decimal(random.i128(-300..=300) * random.choice([1, 25, 100]).expect("numbers"), 2)
        }
        "rate" => {
            decimal(random.i128(-30..=30) * random.choice([1, 500, 10_000]).expect("numbers"), 4)
        }
        "wide" => decimal(
            random.i128(-9..=9)
                * random.choice([1, 500_000, 1_000_000, 123_456_789_012_345]).expect("numbers"),
            6,
        ),
        #[expect(clippy::cast_possible_truncation, reason = "a column of this width")]
        "half" => {
            Value::Float((random.choice(&FLOATS[..16]).copied().expect("floats") as f32).into())
        }
        "ratio" => Value::Float(random.choice(FLOATS).copied().expect("floats")),
        "huge" => Value::Float(random.choice(HUGE).copied().expect("floats")),
        "day" => date(
            random
                .choice([
                    "2024-02-29",
                    "1999-12-31",
                    "2000-01-01",
                    "0001-01-01",
                    "9999-12-31",
                    "1969-12-31",
                    "2023-01-01",
                    "2020-12-31",
                ])
                .expect("days"),
        ),
        _ => timestamp(
            random
                .choice([
                    "2024-02-29T12:30:00.5",
                    "1999-12-31T23:59:59.999999",
                    "2000-01-01T00:00:00",
                    "1969-12-31T12:00:00",
                    "2024-01-31T00:00:00",
                    "1970-01-01T00:00:00.000001",
                    "0001-01-01T00:00:00",
                ])
                .expect("times"),
        ),
    }
}

/// Returns the statements that make the same table in PostgreSQL for one session.
pub(super) fn create(table: &Table) -> String {
    let column = |column: &Column| format!("{} {}", column.name, sql_type(column));
    let field = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        value => quoted(&table::plain(value)),
    };
    let row =
        |row: &Vec<Value>| format!("({})", row.iter().map(field).collect::<Vec<_>>().join(", "));
    let columns: Vec<_> = table.columns.iter().map(column).collect();
    let rows: Vec<_> = table.rows.iter().map(row).collect();
    let (name, columns, rows) = (table.name, columns.join(", "), rows.join(",\n"));
    format!("CREATE TEMP TABLE {name} ({columns});\nINSERT INTO {name} VALUES {rows};")
}

fn sql_type(column: &Column) -> String {
    match (column.word, column.storage) {
        ("", Storage::Integer { .. }) => "smallint".to_owned(),
        ("", Storage::LittleInteger { .. }) => "integer".to_owned(),
        ("", _) => "real".to_owned(),
        ("int64", _) => "bigint".to_owned(),
        ("float64", _) => "double precision".to_owned(),
        (word, _) => word.replace("decimal", "numeric"),
    }
}
