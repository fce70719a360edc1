//! Wrong input: the error says what, where and whose fault it is. The records before the error are
//! returned, and an incomplete answer never looks complete.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use sift_select::{
    Descriptor, Error, ErrorKind, Plan, Result, Scan, ScanOptions, Select, Source, Step,
};
use tempfile::TempDir;

use crate::engine::{self, RUNS};

/// A file and its descriptor, in their own folder.
pub(crate) struct Data {
    _folder: TempDir,
    path: PathBuf,
    name: &'static str,
    descriptor: Option<&'static str>,
}

impl Data {
    pub(crate) fn new(
        name: &'static str,
        bytes: impl AsRef<[u8]>,
        descriptor: Option<&'static str>,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("write the file");
        Self { _folder: folder, path, name, descriptor }
    }

    pub(crate) fn open(&self) -> Result<Arc<Source>> {
        let descriptor = self
            .descriptor
            .map(|text| Descriptor::parse(&format!("{}.toml", self.name), text))
            .transpose()?;
        let file = File::open(&self.path).expect("open the file");
        Source::open(self.name, file, descriptor).map(Arc::new)
    }

    /// Returns the error, which is the same however the scan is divided, and the records before it.
    #[track_caller]
    pub(crate) fn fails(&self, sql: &str, kind: ErrorKind, message: &str) {
        let source = self.open().expect("a source");
        for run in RUNS {
            let error = engine::select(&source, sql, &[], *run).expect_err(sql);
            assert_eq!((error.kind(), error.to_string()), (kind, message.to_owned()), "{run:?}");
        }
    }

    #[track_caller]
    pub(crate) fn answers(&self, sql: &str, rows: &[&str]) {
        let source = self.open().expect("a source");
        for run in RUNS {
            let answer = engine::select(&source, sql, &[], *run).expect(sql);
            assert_eq!(answer.rows, rows, "{run:?}");
        }
    }

    #[track_caller]
    pub(crate) fn does_not_open(&self, kind: ErrorKind, message: &str) {
        let error = self.open().expect_err("refused");
        assert_eq!((error.kind(), error.to_string()), (kind, message.to_owned()));
    }
}

/// Drives a scan on this thread, and calls `between` after `after` morsels. Returns the number of
/// rows, and the result at the end.
fn drive(source: &Arc<Source>, sql: &str, after: usize, between: impl Fn()) -> (usize, Result<()>) {
    let select = Select::parse(sql).expect("a Select");
    let plan = Plan::new(&select, Arc::clone(source), &[]).expect("a plan");
    let options =
        ScanOptions { morsel_bytes: 1 << 10, morsels_in_flight_max: 1, ..ScanOptions::default() };
    let mut scan = Scan::new(plan, options);
    let (mut rows, mut morsels) = (0, 0);
    loop {
        match scan.step() {
            Ok(Step::Run(morsel)) => {
                scan.accept(morsel.run());
                morsels += 1;
                if morsels == after {
                    between();
                }
            }
            Ok(Step::Batch(batch)) => rows += batch.num_rows(),
            Ok(Step::Wait) => panic!("nothing is under way"),
            Ok(Step::Done) => return (rows, Ok(())),
            Err(error) => return (rows, Err(error)),
        }
    }
}

const FIXED: &str = r#"format = "fixed"
record_length = 34
terminator = "lf"
field = [
    { name = "text", type = "text", offset = 0, length = 4 },
    { name = "zoned", type = "zoned", offset = 4, length = 5, scale = 2 },
    { name = "packed", type = "packed", offset = 9, length = 3 },
    { name = "digits", type = "digits", offset = 12, length = 6 },
    { name = "day", type = "date", offset = 18, length = 8 },
    { name = "number", type = "integer", offset = 26, length = 8, byte_order = "little" },
]
"#;

const RECORD: &[u8] = b"text01234\x12\x34\x5c00123420240229\x01\0\0\0\0\0\0\0\n";

/// Makes three records; the second has other bytes at `at`.
fn three(at: usize, bytes: &[u8]) -> Data {
    let mut all = RECORD.repeat(3);
    all[RECORD.len() + at..][..bytes.len()].copy_from_slice(bytes);
    Data::new("f.dat", all, Some(FIXED))
}

#[track_caller]
fn second_fails(field: &str, at: usize, bytes: &[u8], complaint: &str) {
    let data = three(at, bytes);
    let message = format!("f.dat: record 2 (byte 35), field `{field}`: {complaint}");
    data.fails(&format!("SELECT {field} FROM 'f.dat'"), ErrorKind::Record, &message);
    data.fails(
        &format!("SELECT 1 FROM 'f.dat' WHERE {field} IS NOT NULL"),
        ErrorKind::Record,
        &message,
    );
    data.fails(&format!("SELECT max({field}) FROM 'f.dat'"), ErrorKind::Record, &message);
    // the limit ends the answer before that record, and a Select of other fields does not read it
    data.answers(&format!("SELECT {field} IS NULL FROM 'f.dat' LIMIT 1"), &["false"]);
    data.answers("SELECT number FROM 'f.dat'", &["1", "1", "1"]);
}

#[test]
fn whole_records_are_read() {
    let row = "'text', 12.34, 12345, 1234, 2024-02-29, 1";
    Data::new("f.dat", RECORD.repeat(2), Some(FIXED)).answers("SELECT * FROM 'f.dat'", &[row, row]);
    Data::new("f.dat", "", Some(FIXED)).answers("SELECT * FROM 'f.dat'", &[]);
    Data::new("f.dat", "", Some(FIXED)).answers("SELECT count(*) FROM 'f.dat'", &["0"]);
}

#[test]
fn texts_have_to_be_utf8() {
    second_fails("text", 0, b"ab\xffd", "'ab\u{fffd}d' is not UTF-8");
    second_fails("text", 0, b"\xc3   ", "'\u{fffd}   ' is not UTF-8");
}

#[test]
fn zoned_decimals_have_digits_and_a_sign() {
    second_fails("zoned", 4, b"01x34", "'01x34' is not a zoned decimal");
    second_fails("zoned", 4, b"0123z", "'0123z' is not a zoned decimal");
    second_fails("zoned", 4, b"p1234", "'p1234' is not a zoned decimal");
    second_fails("zoned", 4, b"-1234", "'-1234' is not a zoned decimal");
    second_fails("zoned", 4, b"1234 ", "'1234 ' is not a zoned decimal");
    three(4, b"0123t").answers("SELECT zoned FROM 'f.dat'", &["12.34", "-12.34", "12.34"]);
}

#[test]
fn packed_decimals_have_digits_and_a_sign() {
    second_fails("packed", 9, b"\x12\xa4\x5c", "12 A4 5C is not a packed decimal");
    second_fails("packed", 9, b"\x12\x34\x51", "12 34 51 is not a packed decimal");
    second_fails("packed", 9, b"\xf2\x34\x5c", "F2 34 5C is not a packed decimal");
    for (sign, value) in [(0xa, "12345"), (0xb, "-12345"), (0xd, "-12345"), (0xf, "12345")] {
        let data = three(9, &[0x12, 0x34, 0x50 | sign]);
        data.answers("SELECT packed FROM 'f.dat' LIMIT 1 OFFSET 1", &[value]);
    }
}

#[test]
fn digits_are_digits() {
    second_fails("digits", 12, b"0012-4", "'0012-4' is not a number in digits");
    second_fails("digits", 12, b"00123p", "'00123p' is not a number in digits");
    second_fails("digits", 12, b"12:456", "'12:456' is not a number in digits");
    second_fails("digits", 12, b"12/456", "'12/456' is not a number in digits");
}

#[test]
fn dates_are_of_the_calendar() {
    for date in [
        "20230229", "19000229", "20241301", "20240001", "20240431", "20240100", "2024021 ",
        "2024-2-1",
    ] {
        second_fails("day", 18, date.as_bytes(), &format!("'{date}' is not a date YYYYMMDD"));
    }
    three(18, b"20000229").answers("SELECT day FROM 'f.dat' LIMIT 1 OFFSET 1", &["2000-02-29"]);
}

#[test]
fn a_constant_that_may_mean_null_is_named() {
    let hint = "'        ' is not a date YYYYMMDD; if that means NULL, say null_when = \"spaces\"";
    second_fails("day", 18, b"        ", hint);
    let hint =
        "00 00 00 is not a packed decimal; if that means NULL, say null_when = \"low-values\"";
    second_fails("packed", 9, b"\0\0\0", hint);
}

/// After a wrong terminator everything is shifted, so no field of the record is read.
#[test]
fn terminators_are_checked() {
    let message = "f.dat: record 2 (byte 35): ' ' stands where the terminator '\\n' should; is record_length 34 right?";
    three(34, b" ").fails("SELECT number FROM 'f.dat'", ErrorKind::Record, message);
    three(34, b" ").answers("SELECT number FROM 'f.dat' LIMIT 1", &["1"]);
}

#[test]
fn the_lowest_record_is_told() {
    let mut bytes = RECORD.repeat(1000);
    bytes[RECORD.len() * 900 + 4] = b'x';
    bytes[RECORD.len() * 700 + 18] = b'x';
    let data = Data::new("f.dat", bytes, Some(FIXED));
    let message = "f.dat: record 701 (byte 24500), field `day`: 'x0240229' is not a date YYYYMMDD";
    data.fails("SELECT zoned, day FROM 'f.dat'", ErrorKind::Record, message);
    data.fails("SELECT day FROM 'f.dat' WHERE zoned > 0", ErrorKind::Record, message);
    let (rows, end) = drive(&data.open().expect("a source"), "SELECT day FROM 'f.dat'", 0, || {});
    assert_eq!((rows, end.expect_err("a fault").to_string()), (700, message.to_owned()));
}

#[test]
fn a_descriptor_has_to_fit_its_file() {
    let data = Data::new("f.dat", &RECORD.repeat(2)[1..], Some(FIXED));
    data.does_not_open(
        ErrorKind::Descriptor,
        "f.dat: 69 bytes are 1 records of 35 bytes (terminator included) and 34 bytes more",
    );
    Data::new("f.dat", RECORD, None).does_not_open(
        ErrorKind::Descriptor,
        "f.dat: no descriptor f.dat.toml, and its name has none of the endings .csv, .tsv, .jsonl, .ndjson, .parquet, .pq, .arrow, .feather, .ipc",
    );
}

#[track_caller]
fn no_descriptor(text: &str, place: &str) {
    let error = Error::from(Descriptor::parse("f.toml", text).expect_err("refused"));
    assert_eq!(error.kind(), ErrorKind::Descriptor);
    assert!(error.to_string().starts_with(&format!("f.toml: {place}")), "{error}");
}

#[test]
fn descriptors_are_refused_with_their_place() {
    let fixed = |field: &str| format!("format = \"fixed\"\nrecord_length = 9\n[[field]]\n{field}");
    no_descriptor("format = ", "line 1, column 1");
    no_descriptor("format = \"parquett\"", "line 1, column 10");
    no_descriptor("recordlength = 3", "line 1, column 1");
    no_descriptor("format = \"fixed\"\nrecord_length = -1", "line 2, column 17");
    no_descriptor("format = \"fixed\"\nrecord_length = 99999999999", "line 2, column 17");
    no_descriptor("format = \"fixed\"", "line 1");
    no_descriptor(&fixed("name = \"a\"\ntype = \"text\"\noffset = 5\nlength = 5"), "line 7");
    no_descriptor(&fixed("name = \"a\"\ntype = \"text\"\noffset = 9\nlength = 1"), "line 6");
    no_descriptor(&fixed("name = \"a\"\ntype = \"text\"\noffset = 0\nlength = 0"), "line 7");
    no_descriptor(&fixed("name = \"a\"\ntype = \"txt\"\noffset = 0\nlength = 1"), "line 5");
    no_descriptor(&fixed("name = \"\"\ntype = \"text\"\noffset = 0\nlength = 1"), "line 4");
    no_descriptor(&fixed("name = \"a\"\ntype = \"integer\"\noffset = 0\nlength = 9"), "line 7");
    no_descriptor(&fixed("name = \"a\"\ntype = \"integer\"\noffset = 0\nlength = 4"), "line 5");
    no_descriptor(&fixed("name = \"a\"\ntype = \"date\"\noffset = 0\nlength = 6"), "line 7");
    no_descriptor(&"#".repeat(5 << 20), "5242880 bytes, at most 4194304 are accepted");
    no_descriptor(&format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)), "line 1");
}

const CSV: &str = "format = \"csv\"
[[field]]
name = \"a\"
type = \"int64\"
[[field]]
name = \"b\"
type = \"decimal(5,2)\"
[[field]]
name = \"c\"
type = \"text\"
";

#[track_caller]
fn csv_fails(rows: &str, sql: &str, complaint: &str) {
    let data = Data::new("f.csv", format!("a,b,c\n1,1.50,x\n{rows}"), Some(CSV));
    data.fails(sql, ErrorKind::Record, &format!("f.csv: record 2 (byte 15){complaint}"));
    data.answers("SELECT a, b, c FROM 'f.csv' LIMIT 1", &["1, 1.50, 'x'"]);
}

#[test]
fn ragged_records_are_faults_whatever_is_selected() {
    for sql in ["SELECT a FROM 'f.csv'", "SELECT c FROM 'f.csv'", "SELECT count(*) FROM 'f.csv'"] {
        csv_fails("2,2.50\n", sql, ": 2 fields, the header has 3");
        csv_fails("2\n3,3.50,z\n", sql, ": 1 field, the header has 3");
        csv_fails("2,2.50,y,\n3,3.50,z\n", sql, ": 4 fields, the header has 3");
    }
}

#[test]
fn stray_quotes_are_faults_whatever_is_selected() {
    for sql in ["SELECT a FROM 'f.csv'", "SELECT c FROM 'f.csv' WHERE a > 0"] {
        let within = ", field `c`: a quote within a field that does not start with one";
        csv_fails("2,2.50,y\"y\n", sql, within);
        let after = ", field `c`: 'y' follows a closing quote, expected a delimiter or the end of the record";
        csv_fails("2,2.50,\"y\"y\n", sql, after);
        csv_fails(
            "2,2.50,\"y\n3,3.50,z\n",
            sql,
            ": a quote is not closed before the end of the file",
        );
    }
}

#[test]
fn values_have_to_fit_their_types() {
    let fits = |complaint: &str| format!("{complaint}, the type in f.csv.toml");
    let a = |value: &str, complaint: &str| {
        csv_fails(&format!("{value},2.50,y\n"), "SELECT a FROM 'f.csv'", &fits(complaint));
    };
    a("x", ", field `a`: 'x' is not bigint");
    a("1.0", ", field `a`: '1.0' is not bigint");
    a(" 1", ", field `a`: ' 1' is not bigint");
    a("9223372036854775808", ", field `a`: '9223372036854775808' is not bigint");
    a("\"\"", ", field `a`: '' is not bigint");
    let b = |value: &str, complaint: &str| {
        csv_fails(&format!("2,{value},y\n"), "SELECT b FROM 'f.csv'", &fits(complaint));
    };
    b("1.234", ", field `b`: '1.234' is not numeric(5,2)");
    b("1000.00", ", field `b`: '1000.00' is not numeric(5,2)");
    b("1e2", ", field `b`: '1e2' is not numeric(5,2)");
    b("NaN", ", field `b`: 'NaN' is not numeric(5,2)");
    b("--1", ", field `b`: '--1' is not numeric(5,2)");
}

#[test]
fn a_wrong_value_is_not_read_where_nobody_asks_for_it() {
    let data = Data::new("f.csv", "a,b,c\nx,1.50,x\n2,y,y\n", Some(CSV));
    data.answers("SELECT c FROM 'f.csv'", &["'x'", "'y'"]);
    data.answers("SELECT count(*) FROM 'f.csv'", &["2"]);
    data.answers("SELECT b FROM 'f.csv' WHERE c = 'x'", &["1.50"]);
}

#[test]
fn csv_texts_have_to_be_utf8() {
    let data = Data::new("f.csv", b"a,b,c\n1,1.50,x\xff\n", Some(CSV));
    let message = "f.csv: record 1 (byte 6), field `c`: 'x\u{fffd}' is not UTF-8";
    data.fails("SELECT c FROM 'f.csv'", ErrorKind::Record, message);
    data.answers("SELECT a FROM 'f.csv'", &["1"]);
}

#[test]
fn headers_that_are_no_headers() {
    let kinds = |text: &str, descriptor| {
        Data::new("f.csv", text, descriptor).open().map(|_| ()).expect_err("refused").kind()
    };
    assert_eq!(kinds("", None), ErrorKind::Record);
    assert_eq!(kinds("a,a\n1,2\n", None), ErrorKind::Record);
    assert_eq!(kinds("a,\"b\n1,2\n", None), ErrorKind::Record);
    assert_eq!(kinds("a,d,c\n1,2,3\n", Some(CSV)), ErrorKind::Descriptor);
}

/// Makes files with so many records that a scan of small morsels does not end at once.
fn long_files() -> [Data; 2] {
    let mut csv = String::from("a,b,c\n");
    for number in 0..3000 {
        csv += &format!("{number},1.50,text\n");
    }
    let fixed = RECORD.repeat(3000);
    [Data::new("f.dat", fixed, Some(FIXED)), Data::new("f.csv", csv, Some(CSV))]
}

/// An answer is about the file as it was when it was opened, or it is an error.
#[test]
fn a_file_truncated_under_the_scan_is_no_short_answer() {
    for data in long_files() {
        for sql in ["SELECT * FROM 'f'", "SELECT count(*) FROM 'f'"] {
            let source = data.open().expect("a source");
            let (rows, end) = drive(&source, sql, 3, || {
                let file = File::options().write(true).open(&data.path).expect("the file");
                file.set_len(20 << 10).expect("truncate");
            });
            let error = end.expect_err("truncated");
            assert_eq!(error.kind(), ErrorKind::FileChanged, "{error}");
            assert!(rows < 3000, "{rows}");
            assert!(error.to_string().starts_with(data.name), "{error}");
            std::fs::write(&data.path, "").expect("empty the file");
            assert!(matches!(
                drive(&source, sql, 0, || {}).1,
                Err(error) if error.kind() == ErrorKind::FileChanged
            ));
            restore(&data);
        }
    }
}

fn restore(data: &Data) {
    let fresh = long_files().into_iter().find(|fresh| fresh.name == data.name).expect("one of two");
    std::fs::copy(&fresh.path, &data.path).expect("copy");
}

#[test]
fn a_file_that_grows_under_the_scan_is_an_error() {
    for data in long_files() {
        let source = data.open().expect("a source");
        let (_, end) = drive(&source, "SELECT count(*) FROM 'f'", 3, || {
            let mut file = File::options().append(true).open(&data.path).expect("the file");
            file.write_all(RECORD).expect("append");
        });
        assert_eq!(end.expect_err("grown").kind(), ErrorKind::FileChanged);
    }
}

#[test]
fn a_file_replaced_by_another_is_read_as_it_was() {
    for data in long_files() {
        let source = data.open().expect("a source");
        let (rows, end) = drive(&source, "SELECT * FROM 'f'", 3, || {
            std::fs::remove_file(&data.path).expect("remove");
        });
        // the file is still open, and only its name has changed
        end.expect("whole");
        assert_eq!(rows, 3000);
    }
}

/// Plans a text. Threads of tests have stacks of 2 MiB: unbounded recursion overflows them.
fn plan(text: &str) -> Result<Plan> {
    let data = Data::new("f.csv", "a,b,c\n1,1.50,x\n", Some(CSV));
    let source = data.open()?;
    Select::parse(text).and_then(|select| Plan::new(&select, source, &[]))
}

fn parse_error(text: &str) -> Error {
    plan(text).expect_err("refused")
}

#[test]
fn long_texts_are_refused() {
    let or =
        |terms: usize| format!("SELECT a FROM 'f' WHERE {}", ["a=1"].repeat(terms).join(" OR "));
    let error = parse_error(&or(100_000));
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert!(error.to_string().ends_with("bytes, at most 65536 are accepted"), "{error}");
    assert_eq!(parse_error(&or(9_000)).kind(), ErrorKind::LimitExceeded);
    let list = ["1"].repeat(100_000).join(",");
    let error = parse_error(&format!("SELECT a FROM 'f' WHERE a IN ({list})"));
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

#[test]
fn long_lists_are_not() {
    let data = Data::new("f.csv", "a,b,c\n1,1.50,x\n", Some(CSV));
    let list = ["1"].repeat(30_000).join(",");
    data.answers(&format!("SELECT a FROM 'f' WHERE a IN ({list})"), &["1"]);
    let terms = ["a=1"].repeat(400).join(" OR ");
    data.answers(&format!("SELECT a FROM 'f' WHERE {terms}"), &["1"]);
    let terms = ["a=1"].repeat(400).join(" AND ");
    data.answers(&format!("SELECT a FROM 'f' WHERE {terms}"), &["1"]);
}

#[test]
fn deep_nesting_is_refused() {
    let nested = |open: &str, inner: &str, close: &str, levels: usize| {
        format!("SELECT a FROM 'f' WHERE {}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    for levels in [70, 120, 300, 2_000, 20_000] {
        for text in [
            nested("(", "a = 1", ")", levels),
            nested("NOT ", "a = 1", "", levels),
            nested("- ", "a = 1", "", levels),
            nested("(a + ", "1", ") = 1", levels),
            nested("1 + (", "a", ")", levels),
            nested("a = (", "1", ")", levels),
            nested("count(", "a", ")", levels),
            nested("a IN (", "1", ")", levels),
            nested("CASE WHEN ", "a", " THEN 1 END", levels),
            nested("a BETWEEN 1 AND ", "a", "", levels),
            nested("a = 1 AND (a = 2 OR (", "a = 3", "))", levels / 2),
            format!("SELECT a FROM {}'f'{}", "(SELECT a FROM ".repeat(levels), ")".repeat(levels)),
            format!("SELECT {}a{} FROM 'f'", "(".repeat(levels), ")".repeat(levels)),
            format!("SELECT a FROM 'f' LIMIT {}1", "- ".repeat(levels)),
            format!("SELECT a FROM {}'f'{}", "(".repeat(levels), ")".repeat(levels)),
            format!("SELECT a FROM {}'f'{}", "('g' JOIN ".repeat(levels), ")".repeat(levels)),
            format!("{}SELECT a FROM 'f'{}", "(".repeat(levels), ")".repeat(levels)),
            format!("{}SELECT a FROM 'f'{}", "WITH w AS (".repeat(levels), ")".repeat(levels)),
            format!("SELECT a FROM 'f'{}", " UNION (SELECT a FROM 'f'".repeat(levels)),
            format!("SELECT a FROM 'f'{}", " UNION SELECT a FROM 'f'".repeat(levels)),
            nested("a IN (SELECT a FROM 'f' WHERE ", "a = 1", ")", levels),
            nested("EXISTS (SELECT a FROM 'f' WHERE ", "a = 1", ")", levels),
            nested("ARRAY[", "1", "]", levels),
            nested("ROW(", "1", ")", levels),
            nested("a = ANY(", "1", ")", levels),
            nested("CAST(", "a", " AS int)", levels),
            nested("INTERVAL ", "'1'", " DAY", levels),
            nested("a[", "1", "]", levels),
            nested("{", "'a': 1", "}", levels),
            format!(
                "SELECT CAST(a AS {}int{}) FROM 'f'",
                "ARRAY<".repeat(levels),
                ">".repeat(levels)
            ),
            format!("SELECT a{} FROM 'f'", "::int".repeat(levels)),
            format!("SELECT a{} FROM 'f'", "[1]".repeat(levels)),
            format!("SELECT a{} FROM 'f'", ".a".repeat(levels)),
            format!("SELECT a FROM 'f' WHERE a{}", " IS NULL".repeat(levels)),
            format!("SELECT a FROM 'f' WHERE a{}", " COLLATE x".repeat(levels)),
            format!("SELECT a FROM 'f'{}", " JOIN 'f' ON a = a".repeat(levels)),
        ] {
            // some are only long and may have a plan; none may overflow the stack
            let start: String = text.chars().take(60).collect();
            if let Err(error) = plan(&text) {
                let kinds = [
                    ErrorKind::LimitExceeded,
                    ErrorKind::Unsupported,
                    ErrorKind::Syntax,
                    ErrorKind::TypeMismatch,
                    ErrorKind::UnknownColumn,
                ];
                assert!(kinds.contains(&error.kind()), "{levels}: {start}: {error}");
            }
        }
    }
}

/// A chain that leans to one side is as deep as it is long.
#[test]
fn long_chains_are_answered_or_refused() {
    let data = Data::new("f.csv", "a,b,c\n1,1.50,x\n", Some(CSV));
    let source = data.open().expect("a source");
    for terms in [10, 100, 1_000, 4_000, 20_000] {
        for op in ["+", "-", "*", "/", "%", "=", "<", "AND a =", "OR a ="] {
            let text = format!("SELECT a FROM 'f' WHERE a {op} 1");
            let text = text + &format!(" {op} 1").repeat(terms);
            let result = engine::select(&source, &text, &[], RUNS[0]);
            if let Err(error) = result {
                let kinds = [ErrorKind::LimitExceeded, ErrorKind::TypeMismatch, ErrorKind::Syntax];
                assert!(kinds.contains(&error.kind()), "{terms} {op}: {error}");
            }
        }
    }
}

#[test]
fn texts_that_are_no_text() {
    for text in [
        "",
        " ",
        ";",
        "\0",
        "SELECT",
        "SELECT a FROM",
        "SELECT 'a",
        "SELECT \"a",
        "/*",
        "--",
        "SELECT a FROM 'f' WHERE",
        "SELECT a FROM 'f' WHERE a =",
        "SELECT a FROM 'f' LIMIT",
        "SELECT a FROM 'f' WHERE a = = 1",
        "SELECT a,, b FROM 'f'",
        "SELECT * * FROM 'f'",
        "SELECT a FROM 'f' 'g' 'h'",
        "é",
        "SELECT a FROM 'f' WHERE a = 0x",
        "SELECT $1 $2 FROM 'f'",
        "SELECT a FROM 'f' WHERE E'\\",
        "SELECT a FROM 'f' WHERE $$",
    ] {
        let error = parse_error(text);
        assert!(
            matches!(error.kind(), ErrorKind::Syntax | ErrorKind::Unsupported),
            "{text}: {:?} {error}",
            error.kind()
        );
        assert!(error.to_string().starts_with("line "), "{text}: {error}");
    }
}
