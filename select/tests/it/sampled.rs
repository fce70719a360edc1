//! The first records determine the types: a later value is read as it would have been read among
//! them, or it is an error that names the remedy.

use std::fmt::Write;
use std::sync::Arc;

use fastrand::Rng;
use sift_select::{BuildOptions, ErrorKind, Source};

use crate::bad_data::Data;
use crate::engine::{self, QUICK_RUNS, RUNS};

/// The length of a field that is so long that the sample has 16 records.
const PADDING_BYTES: usize = 64 << 10;

/// The number of records after the first, with usual values.
const USUAL_RECORDS: usize = 20;

/// A column of usual values, with one other value.
struct Column {
    usual: &'static [&'static str],
    odd: String,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Csv,
    Json,
}

impl Format {
    /// Makes a file with the odd record first or last. Its `id` is 1; that of the others is 0.
    fn file(self, columns: &[Column], is_first: bool) -> Data {
        let padding = "p".repeat(PADDING_BYTES);
        let usual = |record: usize| -> Vec<&str> {
            columns.iter().map(|column| column.usual[record % column.usual.len()]).collect()
        };
        let odd: Vec<&str> = columns.iter().map(|column| column.odd.as_str()).collect();
        let mut records: Vec<_> = (0..USUAL_RECORDS).map(|record| ("0", usual(record))).collect();
        records.insert(if is_first { 0 } else { USUAL_RECORDS }, ("1", odd));
        let mut text = String::new();
        if let Self::Csv = self {
            text.push_str("padding,id");
            (0..columns.len()).for_each(|column| write!(text, ",c{column}").expect("memory"));
            text.push('\n');
        }
        for (id, values) in records {
            match self {
                Self::Csv => {
                    write!(text, "{padding},{id}").expect("memory");
                    values.iter().for_each(|value| write!(text, ",{value}").expect("memory"));
                }
                Self::Json => {
                    write!(text, "{{\"padding\":\"{padding}\",\"id\":{id}").expect("memory");
                    for (column, value) in values.iter().enumerate() {
                        write!(text, ",\"c{column}\":{value}").expect("memory");
                    }
                    text.push('}');
                }
            }
            text.push('\n');
        }
        let name = if let Self::Csv = self { "f.csv" } else { "f.jsonl" };
        Data::new(name, text, None)
    }
}

/// Returns type and value of a column in the odd record.
fn odd_value(source: &Arc<Source>, column: usize) -> Result<(String, String), String> {
    let sql = format!("SELECT c{column} FROM 'f' WHERE id = 1");
    let answer = engine::select(source, &sql, &[], RUNS[0]).map_err(|error| error.to_string())?;
    let [value] = &answer.rows[..] else { panic!("{sql}: {answer:?}") };
    let (_, data_type) = answer.columns.split_once(' ').expect("a name and a type");
    Ok((data_type.to_owned(), value.clone()))
}

/// Returns whether two values are equal, as texts or as numbers.
fn are_equal(early: &str, late: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    early == late
        || match (number(early), number(late)) {
            (Some(a), Some(b)) => a == b || a.is_nan() && b.is_nan(),
            _ => false,
        }
}

fn check(format: Format, columns: &[Column]) {
    let early = format.file(columns, true).open().expect("a source");
    let late = format.file(columns, false).open().expect("a source");
    let index = late.build_index(&BuildOptions::default()).expect("an index");
    let indexed = Arc::new(late.with_index(index));
    let mut read = 0;
    for (number, column) in columns.iter().enumerate() {
        let what = format!("{format:?}, {:?} after {:?}", column.odd, column.usual);
        let result = odd_value(&late, number);
        assert_eq!(odd_value(&indexed, number), result, "{what}");
        let (early, (late_type, late)) = match (odd_value(&early, number), result) {
            (Ok((_, early)), Ok(late)) => (early, late),
            (_, Err(error)) => {
                assert!(
                    error.contains("by the first records; declare the field"),
                    "{what}: {error}"
                );
                continue;
            }
            (Err(error), Ok(late)) => panic!("{what}: {late:?} and {error}"),
        };
        // a text is as written
        let written = late_type == "text" && late == format!("'{}'", column.odd.trim_matches('"'));
        assert!(written || are_equal(&early, &late), "{what}: {early} and {late}");
        read += 1;
    }
    assert!(read > columns.len() / 10, "{read} of {} were read", columns.len());
}

const ODD: &[&str] = &[
    "00501",
    "501",
    "+5",
    "-0",
    "-00",
    " 501",
    "501 ",
    "1e5",
    "1E+5",
    "1_000",
    "1,000",
    "0x10",
    "5.",
    "1.",
    "007.50",
    "0.5",
    ".5",
    "-.5",
    "+1.5",
    "1.5",
    "1.50",
    "1.500",
    "1.505",
    "-",
    "+",
    ".",
    "NaN",
    "nan",
    "-NaN",
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "infinity",
    "-Infinity",
    "infinite",
    "1e400",
    "-1e400",
    "1e-400",
    "0e0",
    "t",
    "TRUE",
    "True",
    "false",
    "yes",
    "1",
    "0",
    "2024-1-5",
    "2024-01-05",
    "2024-02-30",
    "2024-01-05 00:00:00",
    "2024-01-05T00:00:00Z",
    "2024-01-05T00:00:00z",
    "2024-01-05 00:00:00.5",
    "2024-01-05 00:00:00.1234567",
    "2024-01-05T00:00:00+02:00",
    "2024-01-05 24:00:00",
    "20240105",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
    "100000000000000000000000000000000000000",
    "99999999999999999999999999999999999999",
    "1234567890123456789012345678901234567890",
    "0.1234567890123456789012345678901234567890",
    "12345678901234567.25",
    "123456789012345678.25",
    "x",
    "null",
    "NULL",
    "\u{661}",
    "½",
];

/// Makes a text that differs from another in some characters.
fn altered(random: &mut Rng, text: &str) -> String {
    const ALPHABET: &[u8] = b"0000011579+-.eEinfaNT Z:_x";
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..3) {
        let at = random.usize(..=chars.len());
        let char = char::from(ALPHABET[random.usize(..ALPHABET.len())]);
        match random.usize(..3) {
            0 => chars.insert(at, char),
            1 if at < chars.len() => chars[at] = char,
            _ if at < chars.len() => drop(chars.remove(at)),
            _ => {}
        }
    }
    chars.into_iter().collect()
}

/// Returns the given texts and some that are similar to them.
fn odd_texts(random: &mut Rng, given: &[&str], altered_texts: usize) -> Vec<String> {
    let mut altered_text = |_| {
        let place = random.usize(..given.len());
        altered(random, given[place])
    };
    let altered: Vec<String> = (0..altered_texts).map(&mut altered_text).collect();
    given.iter().map(|text| (*text).to_owned()).chain(altered).collect()
}

#[test]
fn a_csv_value_is_the_same_early_and_late_or_an_error() {
    const USUAL: &[&[&str]] = &[
        &["1", "23", "-4"],
        &["99999999999999999999", "1"],
        &["1.50", "-2.25"],
        &["0.5", "2.25"],
        &["1e3", "NaN"],
        &["true", "False"],
        &["2024-02-29", "1999-12-31"],
        &["2024-02-29 10:00:00", "1999-12-31T23:59:59.25Z"],
        &["x", "12"],
        &[""],
    ];
    let seed = 4711;
    let mut random = Rng::with_seed(seed);
    let texts = odd_texts(&mut random, ODD, 500);
    let texts =
        texts.into_iter().filter(|text| !text.contains([',', '"', '\n']) && !text.is_empty());
    for text in texts.collect::<Vec<_>>().chunks(50) {
        let columns = text
            .iter()
            .flat_map(|odd| USUAL.iter().map(|usual| Column { usual, odd: odd.clone() }));
        check(Format::Csv, &columns.collect::<Vec<_>>());
    }
}

#[test]
fn a_json_value_is_the_same_early_and_late_or_an_error() {
    const USUAL: &[&[&str]] = &[
        &["1", "23", "-4"],
        &["99999999999999999999", "1"],
        &["1.50", "-2.25"],
        &["0.5", "2.25"],
        &["true", "false"],
        &["\"2024-02-29\"", "\"1999-12-31\""],
        &["\"2024-02-29 10:00:00\"", "\"1999-12-31T23:59:59.25Z\""],
        &["\"x\"", "\"12\""],
        &["null"],
    ];
    let mut random = Rng::with_seed(815);
    let numbers = [
        "1.0",
        "1e3",
        "-0",
        "-0.0",
        "1.50e0",
        "1.505",
        "0e9",
        "1e400",
        "1e-400",
        "15e-1",
        "9223372036854775808",
        "123456789012345678901234567890123456789",
        "1e38",
        "1E+2",
    ];
    let is_number = |text: &String| {
        let magnitude = text.strip_prefix('-').unwrap_or(text);
        let starts = magnitude.starts_with(|char: char| char.is_ascii_digit());
        let is_code = magnitude.len() > 1
            && magnitude.starts_with('0')
            && magnitude.as_bytes()[1].is_ascii_digit();
        let is_open =
            magnitude.contains(".e") || magnitude.contains(".E") || magnitude.ends_with('.');
        starts && !is_code && !is_open && text.parse::<f64>().is_ok()
    };
    let numbers = odd_texts(&mut random, &numbers, 600).into_iter().filter(is_number);
    let strings = odd_texts(&mut random, ODD, 150).into_iter().map(|text| format!("\"{text}\""));
    let others = ["true", "false", "null", "[]", "[1]", "{}", "{\"x\":1}"].map(str::to_owned);
    let all: Vec<String> = numbers.chain(strings).chain(others).collect();
    for text in all.chunks(50) {
        let columns = text
            .iter()
            .flat_map(|odd| USUAL.iter().map(|usual| Column { usual, odd: odd.clone() }));
        check(Format::Json, &columns.collect::<Vec<_>>());
    }
}

/// Makes a file with ten thousand usual values, then one other value.
fn late(usual: &str, odd: &str, descriptor: Option<&'static str>) -> Data {
    Data::new("f.csv", format!("v\n{}{odd}\n", format!("{usual}\n").repeat(10_000)), descriptor)
}

#[test]
fn codes_do_not_lose_what_makes_them_one() {
    for (usual, odd, data_type) in [
        ("501", "00501", "bigint"),
        ("501", "+501", "bigint"),
        ("501", "-01", "bigint"),
        ("1.50", "007.50", "numeric(18,2)"),
        ("1.50", "+1.50", "numeric(18,2)"),
        ("1e3", "007.5", "double precision"),
        ("1e3", "1e400", "double precision"),
        ("501", "NaN", "bigint"),
        ("1.50", "inf", "numeric(18,2)"),
    ] {
        let data = late(usual, odd, None);
        let bytes = 2 + 10_000 * (usual.len() + 1);
        let message = format!(
            "f.csv: record 10001 (byte {bytes}), field `v`: '{odd}' is not {data_type}, the type by the first records; declare the field's type in f.csv.toml"
        );
        let source = data.open().expect("a source");
        for run in QUICK_RUNS {
            for sql in ["SELECT max(v) FROM 'f'", "SELECT count(*) FROM 'f' WHERE v IS NULL"] {
                let error = engine::select(&source, sql, &[], *run).expect_err(sql);
                assert_eq!((error.kind(), error.to_string()), (ErrorKind::Record, message.clone()));
            }
            let answer = engine::select(&source, "SELECT count(*) FROM 'f'", &[], *run);
            assert_eq!(answer.expect("no value is asked for").rows, ["10001"]);
        }
    }
    let early = Data::new("f.csv", "v\n00501\n10001\n", None);
    early.answers("SELECT v FROM 'f'", &["'00501'", "'10001'"]);
}

#[test]
fn declared_numbers_may_have_signs_and_zeros() {
    let int64 = Some("[[field]]\nname = \"v\"\ntype = \"int64\"\n");
    let decimal = Some("[[field]]\nname = \"v\"\ntype = \"decimal(9,2)\"\n");
    let float64 = Some("[[field]]\nname = \"v\"\ntype = \"float64\"\n");
    let file = |text, descriptor| Data::new("f.csv", text, descriptor);
    file("v\n00501\n+5\n-007\n", int64).answers("SELECT v FROM 'f'", &["501", "5", "-7"]);
    file("v\n007.5\n+5\n5.\n", decimal).answers("SELECT v FROM 'f'", &["7.50", "5.00", "5.00"]);
    file("v\n007.5\n+5\nNaN\n-inf\n", float64)
        .answers("SELECT v FROM 'f'", &["7.5", "5.0", "NaN", "-inf"]);
    file("v\n1e400\n", float64).fails(
        "SELECT v FROM 'f'",
        ErrorKind::Record,
        "f.csv: record 1 (byte 2), field `v`: '1e400' is not double precision, the type in f.csv.toml",
    );
    let text = Some("[[field]]\nname = \"v\"\ntype = \"text\"\n");
    file("v\n501\n00501\n", text).answers("SELECT v FROM 'f'", &["'501'", "'00501'"]);
    // also in strings of JSON
    let json = Data::new("f.jsonl", "{\"v\":\"007\"}\n{\"v\":\"+7\"}\n{\"v\":7}\n", int64);
    json.answers("SELECT v FROM 'f'", &["7", "7", "7"]);
}

#[test]
fn not_a_number_and_infinity_are_floats() {
    let numbers = Data::new("f.csv", "id,x\n1,1.5\n2,NaN\n3,inf\n4,-Infinity\n5,2.5\n6,\n", None);
    numbers.answers("SELECT count(*) FROM 'f' WHERE x > 2", &["3"]);
    numbers.answers("SELECT max(x), min(x) FROM 'f'", &["NaN, -inf"]);
    numbers.answers("SELECT id FROM 'f' WHERE x = 'infinity'", &["3"]);
    Data::new("f.csv", "x\n1\nnan\n", None).answers("SELECT x FROM 'f'", &["1.0", "NaN"]);
    Data::new("f.csv", "x\nNaN\n\n", None).answers("SELECT x FROM 'f'", &["NaN", "NULL"]);
    // names are not numbers
    let names = Data::new("f.csv", "x\nNan\nBob\n", None);
    names.answers("SELECT x FROM 'f'", &["'Nan'", "'Bob'"]);
    let after = late("1.5e0", "NaN\ninf\n-inf\nnan\ninfinity", None);
    let source = after.open().expect("a source");
    for run in QUICK_RUNS {
        let answer = |sql| engine::select(&source, sql, &[], *run).expect(sql).rows;
        assert_eq!(answer("SELECT max(v), min(v) FROM 'f'"), ["NaN, -inf"]);
        assert_eq!(answer("SELECT count(*) FROM 'f' WHERE v > 2"), ["4"]);
    }
}
