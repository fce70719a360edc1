use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::failure::Failure;
use super::morsel::{Done, Outcome};
use super::{Scan, ScanOptions, Step};
use crate::plan::Plan;
use crate::source::Source;
use crate::sql::Select;
use crate::value::Value;
use crate::{Error, ErrorKind};
use sift_files::cancel::briefly;
use sift_files::descriptor::Descriptor;
use sift_files::io::waiting::{Waiting, WouldBlock};

const DESCRIPTOR: &str = r#"
format = "fixed"
record_length = 14
terminator = "lf"

[[field]]
name = "id"
type = "integer"
offset = 0
length = 4
byte_order = "little"

[[field]]
name = "Name"
type = "text"
offset = 4
length = 5
null_when = "spaces"

[[field]]
name = "amount"
type = "zoned"
offset = 9
length = 5
scale = 2
"#;

fn source(rows: &[(i32, &str, &str)]) -> Arc<Source> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (id, name, amount) in rows {
        file.write_all(&id.to_le_bytes()).unwrap();
        file.write_all(format!("{name:<5}{amount}\n").as_bytes()).unwrap();
    }
    let descriptor = Descriptor::parse("t.dat.toml", DESCRIPTOR).unwrap();
    let file = File::open(file.path()).unwrap();
    Arc::new(Source::open("t.dat", file, Some(descriptor)).unwrap())
}

fn table() -> Arc<Source> {
    source(&[(1, "anna", "00150"), (2, "", "00000"), (3, "bob", "0012u"), (-4, "ann", "99999")])
}

fn run(source: &Arc<Source>, sql: &str, parameters: &[Value], options: ScanOptions) -> String {
    let answer = || -> crate::Result<String> {
        let plan = Plan::new(&Select::parse(sql)?, Arc::clone(source), parameters)?;
        let mut lines = Vec::new();
        for batch in Scan::new(plan, options).collect()? {
            let format = FormatOptions::default().with_null("NULL");
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &format).unwrap())
                .collect();
            for row in 0..batch.num_rows() {
                let fields: Vec<_> =
                    columns.iter().map(|column| column.value(row).to_string()).collect();
                lines.push(fields.join("|"));
            }
        }
        Ok(lines.join(" "))
    };
    answer().unwrap_or_else(|error| format!("error: {error}"))
}

fn check_on(source: &Arc<Source>, sql: &str, parameters: &[Value], expected: &str) {
    for morsel_bytes in [1, 4 << 20] {
        for morsels_in_flight_max in [1, 4] {
            let options =
                ScanOptions { morsel_bytes, morsels_in_flight_max, ..ScanOptions::default() };
            let answer = run(source, sql, parameters, options.clone());
            assert_eq!(answer, expected, "{sql} {options:?}");
        }
    }
}

fn check(sql: &str, expected: &str) {
    check_on(&table(), sql, &[], expected);
}

#[test]
fn selects_and_projects() {
    check("SELECT * FROM 't.dat'", "1|anna|1.50 2|NULL|0.00 3|bob|-1.25 -4|ann|999.99");
    check("SELECT id + 1 AS x, NAME FROM 't.dat' WHERE amount < 1", "3|NULL 4|bob");
    check("SELECT id FROM 't.dat' WHERE name LIKE 'ann%' AND id > 0", "1");
    check("SELECT id FROM 't.dat' WHERE NOT name = 'anna'", "3 -4");
    check("SELECT id FROM 't.dat' WHERE name IS NULL OR amount BETWEEN -2 AND 0", "2 3");
    check("SELECT id FROM 't.dat' WHERE id IN (1, 3, 5)", "1 3");
    check("SELECT id FROM 't.dat' WHERE id NOT IN (1,2,3,10,11,12,13,14,NULL)", "");
    check("SELECT id, 'x', NULL FROM 't.dat' LIMIT 2 OFFSET 1", "2|x|NULL 3|x|NULL");
    check("SELECT t.id FROM 't.dat' t WHERE t.amount * 2 = 3.0", "1");
}

#[test]
fn aggregates() {
    check(
        "SELECT count(*), count(name), sum(id), min(name), max(amount) FROM 't.dat'",
        "4|3|2|ann|999.99",
    );
    check(
        "SELECT avg(id), avg(amount), sum(amount) / count(*) FROM 't.dat'",
        "0.5000000000000000|250.0600000000000000|250.0600000000000000",
    );
    check("SELECT sum(id), max(name), count(*) FROM 't.dat' WHERE id > 100", "NULL|NULL|0");
    check("SELECT count(*) FROM 't.dat' LIMIT 0", "");
}

#[test]
fn errors_come_after_the_records_before_them() {
    check(
        "SELECT 10 / (id - 3) FROM 't.dat'",
        "error: t.dat: record 3 (byte 30): division by zero in `10 / (id - 3)`",
    );
    check("SELECT 10 / (id - 3) FROM 't.dat' LIMIT 2", "-5 -10");
    check("SELECT id FROM 't.dat' WHERE id <> 3 AND 10 / (id - 3) < 0", "1 2 -4");
    check("SELECT id FROM 't.dat' WHERE id = 3 OR 10 / (id - 3) < -6", "2 3");
    check("SELECT id * 9223372036854775807 FROM 't.dat' LIMIT 1", "9223372036854775807");
    let bad = source(&[(1, "a", "00001"), (2, "b", "0000x"), (3, "c", "x0000")]);
    check_on(&bad, "SELECT id FROM 't.dat'", &[], "1 2 3");
    check_on(&bad, "SELECT amount FROM 't.dat' WHERE id = 1", &[], "0.01");
    check_on(&bad, "SELECT amount FROM 't.dat' LIMIT 1", &[], "0.01");
}

#[test]
fn binds_or_says_why_not() {
    check(
        "SELECT nme FROM 't.dat'",
        "error: line 1, column 8: unknown column `nme`; this file has `id`, `Name`, `amount`; did you mean `Name`?",
    );
    check(
        "SELECT \"name\" FROM 't.dat'",
        "error: line 1, column 8: unknown column `name`; this file has `id`, `Name`, `amount`; did you mean `Name`?",
    );
    check(
        "SELECT id FROM 't.dat' WHERE id",
        "error: line 1, column 30: WHERE needs a boolean, got integer",
    );
    check(
        "SELECT id FROM 't.dat' WHERE id = 'x'",
        "error: line 1, column 30: = expected integer, got 'x', which is not a valid integer",
    );
    check(
        "SELECT id FROM 't.dat' WHERE id = name",
        "error: line 1, column 30: = cannot compare integer with text",
    );
    check(
        "SELECT name + 1 FROM 't.dat'",
        "error: line 1, column 8: + does not take text and bigint",
    );
    check(
        "SELECT id FROM 't.dat' WHERE count(*) > 1",
        "error: line 1, column 30: count may not stand in WHERE",
    );
    check(
        "SELECT id, count(*) FROM 't.dat'",
        "error: line 1, column 8: column `id` stands beside an aggregate or GROUP BY; expected it inside of one",
    );
    check(
        "SELECT id FROM 't.dat' LIMIT -1",
        "error: line 1, column 31: LIMIT expected a whole number from 0 up, got -1",
    );
    check_on(&table(), "SELECT id FROM 't.dat' WHERE id = $1", &[Value::Integer(3)], "3");
    check_on(
        &table(),
        "SELECT id FROM 't.dat' WHERE amount = $1",
        &[Value::Text("1.5".into())],
        "1",
    );
    check(
        "SELECT id FROM 't.dat' WHERE id = $1",
        "error: line 1, column 35: parameter $1 has no value; 0 came with the Select",
    );
    check_on(
        &table(),
        "SELECT id FROM 't.dat'",
        &[Value::Null],
        "error: 1 parameters came with the Select, it does not use $1",
    );
}

#[test]
fn bounds_what_an_answer_takes() {
    let wide = format!("SELECT {} FROM 't.dat'", vec!["id"; 17_000].join(","));
    check(&wide, "error: 17000 columns are selected, at most 16384 are");
    let long = format!("SELECT {} FROM 't.dat'", vec!["$1"; 1000].join(","));
    let text = Value::Text("x".repeat(1 << 20));
    let expected =
        "error: a record of the answer takes 1048580000 bytes, at most 16777216 are made";
    check_on(&table(), &long, &[text], expected);
    let computed = format!("SELECT {} FROM 't.dat'", vec!["id+0"; 400].join(","));
    let expected = [1, 2, 3, -4].map(|id| vec![id.to_string(); 400].join("|")).join(" ");
    check(&computed, &expected);
}

#[test]
fn a_scan_is_brief_where_it_reads_and_makes_little() {
    let is_brief = |source: &Arc<Source>, sql: &str| {
        let plan = Plan::new(&Select::parse(sql).unwrap(), Arc::clone(source), &[]).unwrap();
        Scan::new(plan, ScanOptions::default()).is_brief()
    };
    let (few, many) = (table(), source(&[(1, "anna", "00150"); 2000]));
    for sql in ["SELECT * FROM t", "SELECT count(*) FROM t WHERE name LIKE 'a%'"] {
        assert!(is_brief(&few, sql) && !is_brief(&many, sql), "{sql}");
    }
    assert!(!is_brief(&few, "SELECT count(*) FROM t WHERE length(repeat(name, 100000)) > 1"));
}

#[test]
fn a_scan_that_is_out_of_time_ends() {
    let select = Select::parse("SELECT id FROM t").unwrap();
    let plan = Plan::new(&select, table(), &[]).unwrap();
    let scanned = briefly(Duration::ZERO, || {
        let mut scan = Scan::new(plan, ScanOptions::default());
        while let Ok(Step::Run(morsel)) = scan.step() {
            scan.accept(morsel.run());
        }
    });
    assert_eq!(scanned, None);
}

#[test]
fn a_scan_that_would_block_gives_nothing_out() {
    let select = Select::parse("SELECT id FROM t").unwrap();
    let first_step_after = |error: Error| {
        let mut scan = Scan::new(Plan::new(&select, table(), &[]).unwrap(), ScanOptions::default());
        // one block of the file was read, and the next one fails
        let Step::Run(morsel) = scan.step().unwrap() else { panic!("a morsel comes first") };
        let mut outcome = morsel.run();
        let Outcome(Done::Read(read)) = &mut outcome else { panic!("it reads") };
        read.failure = Some(Failure::Query(error));
        scan.accept(outcome);
        scan.step()
    };
    let error = first_step_after(WouldBlock.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let other = Error::new(ErrorKind::Computation, "of a test");
    assert!(matches!(first_step_after(other), Ok(Step::Batch(batch)) if batch.num_rows() > 0));
}

#[test]
fn what_takes_long_is_not_planned_at_once() {
    let source = Arc::new(table().with_waiting(Waiting::Refused));
    let plan = |condition: &str| {
        let select = Select::parse(&format!("SELECT id FROM t WHERE {condition}")).unwrap();
        Plan::new(&select, Arc::clone(&source), &[]).map(drop)
    };
    plan("name LIKE 'a%' AND id > 1").unwrap();
    for condition in ["name ~ 'a.*'", "name SIMILAR TO 'a%'"] {
        assert_eq!(plan(condition).unwrap_err().kind(), ErrorKind::WouldBlock, "{condition}");
    }
}
