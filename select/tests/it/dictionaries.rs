//! Parquet files of several row groups whose texts are in dictionaries, against the same records
//! without dictionaries: every Select has the same rows or the same error.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use sift_select::{Predicate, Source, View};

use crate::engine::{self, Run};

const RECORDS: usize = 40_000;

/// The record whose `number` is no number.
const WRONG: usize = 33_333;

const RUNS: [Run; 3] = [Run::new(1, None), Run::new(4, None), Run::new(4, Some(20_000))];

fn mode(id: usize) -> Option<&'static str> {
    const MODES: [Option<&str>; 8] = [
        Some("AIR"),
        Some("RAIL"),
        None,
        Some("TRUCK"),
        Some(""),
        Some("MAIL"),
        Some("SHIP"),
        Some("a mode with a long name"),
    ];
    MODES[id * 7919 / 3 % MODES.len()]
}

/// Digits of 55 to 74 bits; neighbouring records have as many.
fn wide(id: usize) -> i128 {
    let digits = (1_i128 << (55 + id / 2048 % 20)) + id as i128;
    if id.is_multiple_of(3) { -digits } else { digits }
}

fn batch(records: usize) -> RecordBatch {
    let texts = |text: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter((0..records).map(text)))
    };
    let ids = Int64Array::from_iter((0..records).map(|id| i64::try_from(id).ok()));
    let wide = Decimal128Array::from_iter_values((0..records).map(wide));
    let wide = wide.with_precision_and_scale(25, 0).expect("25 digits");
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, true),
        ("mode", texts(&|id| mode(id).map(str::to_owned)), true),
        ("none", texts(&|_| None), true),
        (
            "number",
            texts(&|id| Some(if id == WRONG { "x".into() } else { (id % 9).to_string() })),
            true,
        ),
        // a dictionary at the start of a column chunk, and no more room in it then
        (
            "city",
            texts(&|id| {
                Some(match id % 15_000 {
                    0..5_000 => format!("city {}", id % 5),
                    _ => format!("city {id}"),
                })
            }),
            true,
        ),
        ("wide", Arc::new(wide), true),
    ])
    .expect("a batch")
}

fn write(batch: &RecordBatch, has_dictionaries: bool) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(has_dictionaries)
        .set_dictionary_page_size_limit(8 << 10)
        .set_data_page_row_count_limit(2_000)
        .set_write_batch_size(1_000)
        .set_max_row_group_row_count(Some(15_000))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("rows");
    writer.into_inner().expect("a file")
}

fn source(bytes: &[u8]) -> sift_select::Result<Arc<Source>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f.parquet");
    std::fs::write(&path, bytes).expect("write the file");
    Source::open("f.parquet", File::open(&path).expect("open the file"), None).map(Arc::new)
}

/// The sorted rows or the error, which do not depend on how the file is divided.
#[track_caller]
fn answer(view: &View, sql: &str) -> Result<Vec<String>, String> {
    let mut answers = RUNS.iter().map(|run| {
        let answer = engine::select_in(view.clone(), sql, &[], *run);
        let mut rows = answer.map_err(|error| error.to_string())?.rows;
        rows.sort_unstable();
        Ok(rows)
    });
    let first = answers.next().expect("runs");
    answers.for_each(|answer| assert_eq!(answer, first, "{sql}"));
    first
}

const SELECTS: &[&str] = &[
    "SELECT * FROM 'f' WHERE id % 100 = 7",
    "SELECT id FROM 'f' WHERE mode = 'AIR'",
    "SELECT id, city FROM 'f' WHERE mode LIKE '%AI%' AND city LIKE 'city 1%'",
    "SELECT id FROM 'f' WHERE mode ~ '^[AR]' OR none = 'x' OR mode IS NULL",
    "SELECT count(*) FROM 'f' WHERE none IS NULL",
    "SELECT none, count(*) FROM 'f' GROUP BY none",
    "SELECT id FROM 'f' WHERE mode IS DISTINCT FROM 'AIR' AND mode < 'N'",
    "SELECT id FROM 'f' WHERE (mode = 'AIR') IS UNKNOWN AND mode NOT IN ('x') IS UNKNOWN",
    "SELECT mode, count(*), min(id), max(city) FROM 'f' GROUP BY mode",
    "SELECT mode, number, count(*) FROM 'f' GROUP BY mode, number",
    "SELECT city, count(*) FROM 'f' GROUP BY city",
    "SELECT mode, number, none, city, id % 2, count(*) FROM 'f' \
     GROUP BY mode, number, none, city, id % 2",
    "SELECT upper(mode), count(*) FROM 'f' GROUP BY upper(mode)",
    "SELECT coalesce(none, mode, 'nothing'), count(*) FROM 'f' \
     GROUP BY coalesce(none, mode, 'nothing')",
    "SELECT CASE mode WHEN 'AIR' THEN 'a' WHEN 'RAIL' THEN city ELSE mode END FROM 'f'",
    "SELECT count(*) FILTER (WHERE mode = 'AIR'), count(DISTINCT mode), min(mode) FROM 'f'",
    "SELECT mode, sum(CAST(number AS bigint)) FILTER (WHERE id < 30000) FROM 'f' GROUP BY mode",
    "SELECT mode || city || number FROM 'f' WHERE length(mode) > 4",
    "SELECT mode, id FROM 'f' ORDER BY mode, id LIMIT 30",
    // fails at one record alone
    "SELECT CAST(number AS bigint) FROM 'f'",
    "SELECT id FROM 'f' WHERE CAST(number AS bigint) = 1",
    "SELECT count(*) FROM 'f' WHERE CAST(number AS bigint) > 1 GROUP BY number",
    "SELECT number, 8 / (CAST(number AS bigint) - 4) FROM 'f' WHERE number <> '4'",
    "SELECT id FROM 'f' WHERE id < 30000 AND CAST(number AS bigint) = 1",
    "SELECT id FROM 'f' WHERE number <> 'x' AND CAST(number AS bigint) = 1",
    "SELECT id FROM 'f' WHERE id < 33333 AND 8 / CAST(number AS bigint) = 2",
];

#[test]
fn a_dictionary_changes_no_answer() {
    let batch = batch(RECORDS);
    let with = View::from(source(&write(&batch, true)).expect("a source"));
    let without = View::from(source(&write(&batch, false)).expect("a source"));
    let mut failed = 0;
    for sql in SELECTS {
        let expected = answer(&without, sql);
        failed += usize::from(expected.is_err());
        assert_eq!(answer(&with, sql), expected, "{sql}");
    }
    assert!((4..SELECTS.len() / 2).contains(&failed), "{failed}");
}

#[test]
fn a_hidden_text_of_a_dictionary_fails_nothing() {
    let batch = batch(RECORDS);
    let filter = Predicate::parse(&format!("id <> {WRONG}")).expect("a predicate");
    let views = [true, false].map(|has_dictionaries| {
        let source = source(&write(&batch, has_dictionaries)).expect("a source");
        View::new(source, None, Some(&filter)).expect("a view")
    });
    for sql in SELECTS {
        let [with, without] = views.each_ref().map(|view| answer(view, sql));
        assert_eq!(with, without, "{sql}");
        if sql.contains("CAST") && !sql.contains('/') {
            assert!(with.is_ok(), "{sql}: {with:?}");
        }
    }
}

#[test]
fn sums_of_few_groups_are_exact() {
    let view = View::from(source(&write(&batch(RECORDS), true)).expect("a source"));
    let mut sums = BTreeMap::<Option<&str>, (i128, i128)>::new();
    for id in 0..RECORDS {
        let sum = sums.entry(mode(id)).or_default();
        *sum = (sum.0 + wide(id), sum.1 + wide(id) * 3 - 1);
    }
    let row = |(mode, (sum, other)): (&Option<&str>, &(i128, i128))| match mode {
        Some(mode) => format!("'{mode}', {sum}, {other}"),
        None => format!("NULL, {sum}, {other}"),
    };
    let mut expected: Vec<String> = sums.iter().map(row).collect();
    expected.sort_unstable();
    let sql = "SELECT mode, sum(wide), sum(wide * 3 - 1) FROM 'f' GROUP BY mode";
    assert_eq!(answer(&view, sql), Ok(expected));
    let all = sums.values().fold((0, 0), |all, sum| (all.0 + sum.0, all.1 + sum.1));
    let sql = "SELECT sum(wide), sum(wide * 3 - 1) FROM 'f'";
    assert_eq!(answer(&view, sql), Ok(vec![format!("{}, {}", all.0, all.1)]));
}

/// After any change of a byte, the file is refused, or has one answer however it is divided.
#[test]
fn damaged_numbers_have_one_answer() {
    let good = write(&batch(3_000), true);
    let mut random = Rng::with_seed(11);
    // 300 random bytes keep the test quick; another seed finds others
    for _ in 0..300 {
        let mut bytes = good.clone();
        let at = random.usize(0..good.len());
        bytes[at] ^= random.u8(1..=255);
        let Ok(source) = source(&bytes) else { continue };
        let view = View::from(source);
        for sql in [
            "SELECT mode, count(*) FROM 'f' GROUP BY mode",
            "SELECT number, none FROM 'f' WHERE mode = 'AIR'",
            "SELECT count(*) FROM 'f' WHERE number = '3' AND none IS NULL",
        ] {
            _ = answer(&view, sql);
        }
    }
}
