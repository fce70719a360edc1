//! The tables that the cases in `tests/slt` select from.

use sift_select::Value;

use crate::parquet_file::Pages;
use crate::table::{Column, Format, Storage, Table, date, decimal, integer, null, text, timestamp};

/// Returns every table.
pub(crate) fn all() -> Vec<Table> {
    vec![values(), many(), narrow(), events()]
}

/// Makes ten records with NULL, a negative number and an edge case in every column.
pub(crate) fn values() -> Table {
    let column = |name, storage, word| Column { name, storage, word };
    let columns = vec![
        column("id", Storage::LittleInteger { bytes: 8 }, "int64"),
        column("n", Storage::Zoned { digits: 6, scale: 0 }, "int64"),
        column("big", Storage::Integer { bytes: 8 }, "int64"),
        column("price", Storage::Zoned { digits: 9, scale: 2 }, "decimal(9,2)"),
        column("rate", Storage::Packed { bytes: 4, scale: 4 }, "decimal(7,4)"),
        column("wide", Storage::Packed { bytes: 19, scale: 4 }, "decimal(37,4)"),
        column("ratio", Storage::Float { bytes: 8 }, "float64"),
        column("day", Storage::Date, "date"),
        column("name", Storage::Text { bytes: 24 }, "text"),
        column("code", Storage::Text { bytes: 3 }, "text"),
    ];
    let row = |id, n: Option<i64>, big: i64, price: Option<i128>, rate: Option<i128>| {
        vec![
            integer(id),
            n.map_or(Value::Null, integer),
            integer(big),
            price.map_or(Value::Null, |digits| decimal(digits, 2)),
            rate.map_or(Value::Null, |digits| decimal(digits, 4)),
        ]
    };
    let wide = |digits: i128| decimal(digits, 4);
    let float = Value::Float;
    let rows = vec![
        (
            row(1, Some(7), 1, Some(1250), Some(1_0000)),
            [wide(10_000), float(0.5), date("1969-12-31"), text("Ann"), text("a")],
        ),
        (
            row(2, None, i64::MAX, Some(-1250), Some(-1)),
            [wide(-10_000), float(-2.25), date("1970-01-01"), text("Bob, Jr."), text("b")],
        ),
        (
            row(3, Some(-7), i64::MIN, Some(0), None),
            [null(), float(0.1), date("2000-02-29"), text(""), text("A")],
        ),
        (
            row(4, Some(0), -1, None, Some(0)),
            [wide(0), null(), date("1900-03-01"), text("Zoë \"Z\" Ünal"), text("B")],
        ),
        (
            row(5, Some(3), 1 << 53, Some(1), Some(2_5000)),
            [
                wide(9_999_999_999_999_999_999_999_999_999_999_999_999),
                float(1e100),
                null(),
                text("50%_off\\now"),
                text("aa"),
            ],
        ),
        (
            row(6, Some(-2), (1 << 53) + 1, Some(999_999_999), Some(999_9999)),
            [
                wide(-9_999_999_999_999_999_999_999_999_999_999_999_999),
                float(-0.0),
                date("9999-12-31"),
                null(),
                text("ab"),
            ],
        ),
        (
            row(7, Some(999_999), 10, Some(-999_999_999), Some(-999_9999)),
            [wide(1), float(0.0), date("2024-02-29"), text("two\nlines"), null()],
        ),
        (
            row(8, Some(-999_999), 1_000_000_000_000, Some(99), Some(3333)),
            [wide(123_456_789), float(3.0), date("1995-06-17"), text("it's"), text("")],
        ),
        (
            row(9, Some(7), -10, Some(1250), Some(5000)),
            [wide(10_000), float(1e-7), date("1970-01-01"), text("日本語"), text("é")],
        ),
        (row(10, None, 2, None, None), [null(), null(), null(), null(), null()]),
    ];
    let rows = rows.into_iter().map(|(mut row, rest)| {
        row.extend(rest);
        row
    });
    Table { name: "values", columns, rows: rows.collect(), formats: Format::ALL }
}

/// Makes so many records that a scan has many morsels, by rules that give the answers: `id` is 1 to
/// 5000, `n` is `id % 100` and NULL in every 10th, `cents` is `id` hundredths, `day` counts from
/// 1992-01-01, `half` is `id / 2`, `word` is w and `id % 7`.
pub(crate) fn many() -> Table {
    let column = |name, storage, word| Column { name, storage, word };
    let columns = vec![
        column("id", Storage::Integer { bytes: 8 }, "int64"),
        column("n", Storage::Zoned { digits: 3, scale: 0 }, "int64"),
        column("cents", Storage::Packed { bytes: 5, scale: 2 }, "decimal(9,2)"),
        column("half", Storage::Float { bytes: 8 }, "float64"),
        column("day", Storage::Date, "date"),
        column("word", Storage::Text { bytes: 3 }, "text"),
    ];
    let Value::Date(first_day) = date("1992-01-01") else { unreachable!() };
    let rows = (1..=5000_i32).map(|id| {
        let n = i64::from(id % 100);
        vec![
            integer(id.into()),
            if id % 10 == 0 { null() } else { integer(n) },
            decimal(id.into(), 2),
            Value::Float(f64::from(id) / 2.0),
            Value::Date(first_day + id),
            text(&format!("w{}", id % 7)),
        ]
    });
    Table { name: "many", columns, rows: rows.collect(), formats: Format::ALL }
}

const NARROW: &[Format] =
    &[Format::Fixed, Format::Parquet(Pages::V1), Format::Parquet(Pages::V2), Format::Arrow];

/// Makes a table of the number types that text files do not have.
pub(crate) fn narrow() -> Table {
    let column = |name, storage| Column { name, storage, word: "" };
    let columns = vec![
        column("id", Storage::LittleInteger { bytes: 1 }),
        column("tiny", Storage::LittleInteger { bytes: 1 }),
        column("small", Storage::Integer { bytes: 2 }),
        column("medium", Storage::LittleInteger { bytes: 4 }),
        column("large", Storage::LittleInteger { bytes: 8 }),
        column("real", Storage::Float { bytes: 4 }),
    ];
    let row = |id, tiny: i8, small: i16, medium: i32, large, real| {
        let whole = [id, tiny.into(), small.into(), medium.into(), large];
        whole.into_iter().map(integer).chain([real]).collect()
    };
    let rows = vec![
        row(1, i8::MAX, i16::MAX, i32::MAX, i64::MAX, Value::Float(0.5)),
        row(2, i8::MIN, i16::MIN, i32::MIN, i64::MIN, Value::Float(-1.5)),
        row(3, 0, 1, 0, 0, null()),
        row(4, -1, -1, -1, -1, Value::Float(f64::from(0.1_f32))),
    ];
    Table { name: "narrow", columns, rows, formats: NARROW }
}

const EVENTS: &[Format] = &[
    Format::Csv,
    Format::Jsonl,
    Format::CsvGzip,
    Format::Parquet(Pages::V1),
    Format::Parquet(Pages::V2),
    Format::Arrow,
];

/// Makes a table of the types that fixed-length records do not have.
pub(crate) fn events() -> Table {
    let column = |name, word| Column { name, storage: Storage::Nowhere, word };
    let columns = vec![column("id", "int64"), column("open", "boolean"), column("at", "timestamp")];
    let row = |id, open: Option<bool>, at: Option<&str>| {
        let open = open.map_or(Value::Null, Value::Boolean);
        vec![integer(id), open, at.map_or(Value::Null, timestamp)]
    };
    let rows = vec![
        row(1, Some(true), Some("1969-12-31T23:59:59.999999")),
        row(2, Some(false), Some("1970-01-01T00:00:00")),
        row(3, None, Some("2024-02-29T12:30:00.5")),
        row(4, Some(true), None),
        row(5, Some(false), Some("2024-02-29T00:00:00")),
        row(6, None, None),
    ];
    Table { name: "events", columns, rows, formats: EVENTS }
}
