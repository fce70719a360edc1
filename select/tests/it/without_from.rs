//! Selects without FROM: constants, one record.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use sift_select::{ErrorKind, Plan, Predicate, Result, Scan, ScanOptions, Select, Source, Value};

fn ask(sql: &str, parameters: &[Value]) -> Result<RecordBatch> {
    let select = Select::parse(sql)?;
    assert_eq!(select.from(), None, "{sql}");
    let plan = Plan::new(&select, Arc::new(Source::of_nothing()?), parameters)?;
    let schema = Arc::clone(plan.schema());
    let batches = Scan::new(plan, ScanOptions::default()).collect()?;
    Ok(concat_batches(&schema, &batches).expect("one schema"))
}

fn integers(sql: &str) -> Vec<i64> {
    let parameters: &[Value] = if sql.contains('$') { &[Value::Integer(7)] } else { &[] };
    let batch = ask(sql, parameters).expect(sql);
    batch.column(0).as_primitive::<Int64Type>().iter().flatten().collect()
}

#[test]
fn there_is_one_record() {
    for (sql, expected) in [
        ("SELECT 1", vec![1]),
        ("SELECT 1 + 1 AS two", vec![2]),
        ("SELECT $1 * 6", vec![42]),
        ("SELECT count(*)", vec![1]),
        ("SELECT max(5) GROUP BY 1 + 1", vec![5]),
        ("SELECT DISTINCT 3", vec![3]),
        ("SELECT 1 ORDER BY 1 LIMIT 5", vec![1]),
        ("SELECT 1 WHERE 2 > 1", vec![1]),
        ("SELECT 1 WHERE 2 < 1", vec![]),
        ("SELECT count(*) WHERE 2 < 1", vec![0]),
        ("SELECT 1 LIMIT 0", vec![]),
        ("SELECT 1 OFFSET 1", vec![]),
    ] {
        assert_eq!(integers(sql), expected, "{sql}");
    }
    let both = ask("SELECT 'a' || 'b' AS text, NULL", &[]).unwrap();
    assert_eq!(both.schema().field(0).name(), "text");
    assert_eq!(both.column(0).as_string::<i32>().value(0), "ab");
    assert!(both.column(1).is_null(0));
}

#[test]
fn what_needs_a_file_is_refused() {
    let kind = |sql| ask(sql, &[]).unwrap_err().kind();
    assert_eq!(kind("SELECT *"), ErrorKind::Syntax);
    assert_eq!(kind("SELECT a"), ErrorKind::UnknownColumn);
    let error = ask("SELECT 1 / 0", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Computation, "{error}");
}

#[test]
fn the_time_is_one_for_the_whole_select() {
    let sql = "SELECT now(), current_timestamp, localtimestamp = statement_timestamp() AS same, \
               CAST(now() AS date) AS day, current_date";
    let before = micros();
    let batch = ask(sql, &[]).unwrap();
    let after = micros();
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["now()", "current_timestamp", "same", "day", "current_date"]);
    let times =
        |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>().value(0);
    assert!((before..=after).contains(&times(0)));
    assert_eq!(times(0), times(1));
    assert!(batch.column(2).as_boolean().value(0));
    let days = |column: usize| batch.column(column).as_primitive::<Date32Type>().value(0);
    assert_eq!((i64::from(days(3)), days(3)), (times(0) / 86_400_000_000, days(4)));
    for refused in ["SELECT now(3)", "SELECT clock_timestamp()", "SELECT random()"] {
        assert_eq!(ask(refused, &[]).unwrap_err().kind(), ErrorKind::Unsupported, "{refused}");
    }
}

#[test]
fn all_that_is_made_of_a_select_has_one_time() {
    let select = Select::parse("SELECT now()").expect("a Select").asked_now();
    let time = || {
        let source = Arc::new(Source::of_nothing().expect("a source"));
        let plan = Plan::new(&select, source, &[]).expect("a plan");
        let batches = Scan::new(plan, ScanOptions::default()).collect().expect("a record");
        batches[0].column(0).as_primitive::<TimestampMicrosecondType>().value(0)
    };
    let first = time();
    while micros() == first {}
    assert_eq!(time(), first);
}

#[test]
fn a_rule_does_not_depend_on_the_time() {
    let error = Predicate::parse("a = 1 OR day < current_date").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 16: what a rule shows may not depend on the time"
    );
}

fn micros() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_micros()).expect("before 290,000")
}
