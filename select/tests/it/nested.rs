//! Random nested Parquet and Arrow files against the crates that wrote them.
//!
//! `SIFT_NESTED_CASES` sets the number of cases, `SIFT_NESTED_SEED` the first seed. A failure
//! prints the seed of its case, which then fails alone.

/// Random schemas and values.
mod data;
/// Writes files of them, and reads them with the crates that wrote them.
mod files;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Scalar};
use arrow::compute::kernels::cmp;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use fastrand::Rng;
use parquet::data_type::Int32Type;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sift_select::{ParquetKey, ParquetKeys, Source};

use crate::engine::{self, QUICK_RUNS};

/// The key of an encrypted file, and its name.
const KEY: (&str, &[u8]) = ("footer", b"0123456789abcdef");

/// A column that Selects read.
struct Leaf {
    /// The path: `a.b`.
    path: String,
    values: ArrayRef,
}

#[test]
fn nested_files_have_the_values_of_their_writers() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let cases: u64 = number("SIFT_NESTED_CASES").unwrap_or(60);
    let first_seed: u64 = number("SIFT_NESTED_SEED").unwrap_or(1);
    for seed in first_seed..first_seed + cases {
        let mut random = Rng::with_seed(seed);
        let batch = data::batch(&mut random);
        for (name, bytes) in
            [("f.parquet", files::parquet(&batch, &mut random)), ("f.arrow", files::arrow(&batch))]
        {
            let about = format!("SIFT_NESTED_SEED={seed} SIFT_NESTED_CASES=1, {name}");
            let leaves = files::leaves(name, &bytes);
            check(&open(name, &bytes), name, &leaves, &mut random, &about);
        }
    }
}

/// Makes three records of every way to repeat, with columns beside them.
#[test]
fn every_repeated_column_is_refused_and_those_beside_it_are_read() {
    let schema = "message m {
        required int32 id;
        repeated int32 p;
        optional group legacy (LIST) { repeated int32 array; }
        optional group two (LIST) { repeated group array { required int32 x; } }
        repeated group rg { required int32 x; optional group in { required int32 y; } }
        optional group m { repeated group key_value { required int32 key; optional int32 value; } }
        optional group o { repeated int32 in; required int32 beside; }
        required int32 last;
    }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut file = tempfile::tempfile().expect("a file");
    let mut writer =
        SerializedFileWriter::new(&mut file, schema, Arc::default()).expect("a file writer");
    let mut group = writer.next_row_group().expect("a row group");
    let one = Some(&[0, 0, 0][..]);
    type Levels<'a> = Option<&'a [i16]>;
    let columns: [(&[i32], Levels<'_>, Levels<'_>); 11] = [
        (&[1, 2, 3], None, None),
        (&[5, 6, 7], Some(&[1, 1, 0, 1]), Some(&[0, 1, 0, 0])),
        (&[1], Some(&[2, 0, 1]), one),
        (&[1], Some(&[2, 0, 1]), one),
        (&[1, 2], Some(&[1, 0, 1]), one),
        (&[4], Some(&[2, 0, 1]), one),
        (&[9], Some(&[2, 0, 1]), one),
        (&[8], Some(&[3, 0, 1]), one),
        (&[3], Some(&[2, 0, 1]), one),
        (&[10, 30], Some(&[1, 0, 1]), None),
        (&[7, 8, 9], None, None),
    ];
    for (values, definition, repetition) in columns {
        let mut column = group.next_column().expect("a column").expect("one more");
        column.typed::<Int32Type>().write_batch(values, definition, repetition).expect("values");
        column.close().expect("a column");
    }
    group.close().expect("a row group");
    writer.close().expect("a file");
    let source = Arc::new(Source::open("f.parquet", file, None).expect("a source"));
    for run in QUICK_RUNS {
        let ask = |sql: &str| engine::select(&source, sql, &[], *run);
        let rows = |sql: &str| ask(sql).expect(sql).rows;
        let all = "SELECT id, o.beside, last FROM 'f.parquet'";
        assert_eq!(rows(all), ["1, 10, 7", "2, NULL, 8", "3, 30, 9"]);
        assert_eq!(rows("SELECT id FROM 'f.parquet' WHERE o.beside IS NULL"), ["2"]);
        assert_eq!(rows("SELECT count(o.beside), sum(o.beside) FROM 'f.parquet'"), ["2, 40"]);
        for column in ["p", "legacy", "two", "rg", "m.key_value", "o.in"] {
            let error = ask(&format!("SELECT {column} FROM 'f.parquet'")).expect_err(column);
            let message = format!("column `{column}` is a list, which Selects do not read");
            assert!(error.to_string().ends_with(&message), "{error}");
        }
        for column in ["rg.x", "rg.in.y", "m.key_value.key", "legacy.array"] {
            ask(&format!("SELECT \"{column}\" FROM 'f.parquet'")).expect_err(column);
        }
    }
}

fn open(name: &str, bytes: &[u8]) -> Arc<Source> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("write the file");
    let key = ParquetKey::new(KEY.1).ok_or_else(|| "no such key".to_owned());
    let keys = ParquetKeys::new([(KEY.0.to_owned(), key)].into());
    Arc::new(Source::open_with_keys(name, file, None, &keys).expect("a source"))
}

/// Checks every column, then some of them with predicates on others.
fn check(source: &Arc<Source>, name: &str, leaves: &[Leaf], random: &mut Rng, about: &str) {
    let ask = |items: &str, filter: &str, random: &mut Rng| {
        let sql = format!("SELECT {items} FROM '{name}'{filter}");
        let run = QUICK_RUNS[random.usize(0..QUICK_RUNS.len())];
        let answer = engine::select(source, &sql, &[], run);
        let answer = answer.unwrap_or_else(|error| panic!("{about}: {error}\n{sql}"));
        (sql, answer.rows)
    };
    let quoted = |leaf: &Leaf| format!("\"{}\"", leaf.path);
    let all: Vec<String> = leaves.iter().map(quoted).collect();
    let rows = leaves.first().map_or(0, |leaf| leaf.values.len());
    let (sql, got) = ask(&all.join(", "), "", random);
    assert_rows(&got, &lines(leaves, 0..rows), about, &sql);
    for _ in 0..8 {
        let terms: Vec<Term> =
            (0..random.usize(1..3)).filter_map(|_| Term::random(leaves, random)).collect();
        let texts: Vec<&str> = terms.iter().map(|term| term.text.as_str()).collect();
        let filter = match texts.as_slice() {
            [] => String::new(),
            texts => format!(" WHERE {}", texts.join(" AND ")),
        };
        let kept = || (0..rows).filter(|row| terms.iter().all(|term| term.keeps[*row]));
        let wanted = random.usize(0..leaves.len());
        let items = format!("{}, {}", all[0], all[wanted]);
        let (sql, got) = ask(&items, &filter, random);
        let pair = [&leaves[0], &leaves[wanted]];
        assert_rows(&got, &lines(pair, kept()), about, &sql);
        let (sql, got) = ask(&format!("count(*), count({})", all[wanted]), &filter, random);
        let values = kept().filter(|row| leaves[wanted].values.is_valid(*row)).count();
        assert_rows(&got, &[format!("{}, {values}", kept().count())], about, &sql);
    }
}

fn assert_rows(got: &[String], expected: &[String], about: &str, sql: &str) {
    assert_eq!(got.len(), expected.len(), "{about}: rows of\n{sql}");
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "{about}: row {row} of\n{sql}");
    }
}

/// Returns the rows of the answer in the notation of the engine.
fn lines<'a>(
    leaves: impl IntoIterator<Item = &'a Leaf>,
    rows: impl Iterator<Item = usize>,
) -> Vec<String> {
    let leaves: Vec<&Leaf> = leaves.into_iter().collect();
    let line = |row| {
        let cells = leaves.iter().map(|leaf| engine::cell(&leaf.values, row));
        cells.collect::<Vec<_>>().join(", ")
    };
    rows.map(line).collect()
}

/// A term of WHERE, and the rows for which it is true.
struct Term {
    text: String,
    keeps: Vec<bool>,
}

impl Term {
    /// Makes a term; `None` if the column that was chosen has no value to compare with.
    fn random(leaves: &[Leaf], random: &mut Rng) -> Option<Self> {
        let leaf = &leaves[random.usize(0..leaves.len())];
        let (path, values) = (format!("\"{}\"", leaf.path), &leaf.values);
        let is_null = |row: usize| values.is_null(row);
        let operator = random.usize(0..8);
        if operator < 2 || *values.data_type() == DataType::Binary {
            let negated = random.bool();
            let text = format!("{path} IS {}NULL", if negated { "NOT " } else { "" });
            let keeps = (0..values.len()).map(|row| is_null(row) != negated).collect();
            return Some(Self { text, keeps });
        }
        let valid: Vec<usize> = (0..values.len()).filter(|row| !is_null(*row)).collect();
        let row = *valid.get(random.usize(0..valid.len().max(1)))?;
        let scalar = Scalar::new(values.slice(row, 1));
        let (word, compared) = match operator {
            2 => ("<", cmp::lt(values, &scalar)),
            3 => ("<=", cmp::lt_eq(values, &scalar)),
            4 => (">", cmp::gt(values, &scalar)),
            5 => (">=", cmp::gt_eq(values, &scalar)),
            6 => ("<>", cmp::neq(values, &scalar)),
            _ => ("=", cmp::eq(values, &scalar)),
        };
        let compared = compared.expect("types that compare");
        let options = FormatOptions::default();
        let formatter = ArrayFormatter::try_new(values, &options).expect("a formatter");
        let literal = formatter.value(row).to_string().replace('\'', "''");
        let keeps = compared.iter().map(|kept| kept == Some(true)).collect();
        Some(Self { text: format!("{path} {word} '{literal}'"), keeps })
    }
}
