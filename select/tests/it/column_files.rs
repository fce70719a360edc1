//! Parquet and Arrow files from independent writers, beside CSV files with the same rows, and
//! damaged files.
//!
//! They were made by `tests/data/make.py`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int16Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::ipc::CompressionType;
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::data_type::{Int32Type, Int96, Int96Type};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sift_select::{Descriptor, ErrorKind, Plan, ScanOptions, Select, Source, Value};

use crate::arrow_file;
use crate::engine::{self, QUICK_RUNS, RUNS, Run};
use crate::index;
use crate::parquet_file::{self, Pages};
use crate::tables;

fn path(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name)
}

fn open(name: &str, descriptor: Option<&str>) -> Arc<Source> {
    let descriptor = descriptor.map(|text| Descriptor::parse(name, text).expect("a descriptor"));
    let file = File::open(path(name)).expect(name);
    Arc::new(Source::open(name, file, descriptor).expect(name))
}

/// The columns of `types.csv` and their types there.
const TYPES: &[(&str, &str)] = &[
    ("i8", "int64"),
    ("i16", "int64"),
    ("i32", "int64"),
    ("i64", "int64"),
    ("u8", "int64"),
    ("u16", "int64"),
    ("u32", "int64"),
    ("u64", "decimal(20,0)"),
    ("f16", "float64"),
    ("f32", "float64"),
    ("f64", "float64"),
    ("d9", "decimal(9,2)"),
    ("d18", "decimal(18,4)"),
    ("d38", "decimal(38,10)"),
    ("b", "boolean"),
    ("s", "text"),
    ("large", "text"),
    ("view", "text"),
    ("dict", "text"),
    ("day", "date"),
    ("ms", "timestamp"),
    ("us", "timestamp"),
    ("ns", "timestamp"),
    ("utc", "timestamp"),
];

#[test]
fn values_are_those_of_the_twin() {
    let fields =
        TYPES.iter().map(|(name, word)| format!("[[field]]\nname='{name}'\ntype='{word}'\n"));
    let twin = open("types.csv", Some(&fields.collect::<String>()));
    let files = std::fs::read_dir(path("")).expect("the folder");
    let files =
        files.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let files: Vec<String> = files.filter(|name| name.starts_with("types-")).collect();
    assert_eq!(files.len(), 11, "{files:?}");
    for file in files {
        let source = open(&file, None);
        assert_eq!(source.records(), Some(40), "{file}");
        for field in source.schema().fields() {
            let name = field.name();
            for filter in ["true", &format!("{name} IS NULL"), "b", "NOT b"] {
                let sql = format!("SELECT CAST({name} AS text) FROM 't' WHERE {filter}");
                let sql_of = |file: &str| sql.replace("'t'", &format!("'{file}'"));
                let expected = engine::select(&twin, &sql_of("types.csv"), &[], RUNS[0]);
                let expected = expected.expect(&sql).rows;
                for run in QUICK_RUNS {
                    let answer = engine::select(&source, &sql_of(&file), &[], *run);
                    assert_eq!(answer.expect(&sql).rows, expected, "{file}, {run:?}: {sql}");
                }
            }
        }
    }
}

#[test]
fn leaves_of_groups_are_columns() {
    let twin = "[[field]]\nname='a.b.c'\ntype='int64'\n[[field]]\nname='a.e'\ntype='float64'\n";
    let twin = open("nested.csv", Some(twin));
    for file in ["nested.parquet", "nested.arrow"] {
        let source = open(file, None);
        let names: Vec<_> = source.schema().fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["id", "a.b.c", "a.b.d", "a.e", "tags", "m", "t"]);
        let sql = "SELECT id, \"a.b.c\", \"a.b.d\", \"a.e\" FROM 'f' WHERE id <> 2";
        for run in RUNS {
            let of = |source, file: &str| {
                let sql = sql.replace("'f'", &format!("'{file}'"));
                engine::select(source, &sql, &[], *run).expect(&sql).rows
            };
            assert_eq!(of(&source, file), of(&twin, "nested.csv"), "{file}");
        }
        let count =
            engine::select(&source, &format!("SELECT count(*) FROM '{file}'"), &[], RUNS[0]);
        assert_eq!(count.expect("a count").rows, ["4"]);
        for (items, column, complaint) in [
            ("count(tags)", 14, "`tags` is a list"),
            ("m", 8, "`m` is a map"),
            ("*", 8, "`tags` is a list"),
            ("id + 1, t", 16, "`t` is a time64(\u{b5}s)"),
        ] {
            let sql = format!("SELECT {items} FROM '{file}'");
            let error = engine::select(&source, &sql, &[], RUNS[0]).expect_err(&sql);
            let message =
                format!("line 1, column {column}: column {complaint}, which Selects do not read");
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, message));
        }
    }
}

#[test]
fn what_is_below_a_null_struct_is_no_value() {
    let source = open("below-null.arrow", None);
    for run in RUNS {
        let rows = |sql: &str| engine::select(&source, sql, &[], *run).expect(sql).rows;
        let all = "SELECT id, s.x, s.t, s.l, s.v, s.d, s.n FROM 'f'";
        assert_eq!(
            rows(all),
            [
                "1, 10, 'a', 'a', 'a', 'a', 1970-01-01T00:00:00",
                "2, NULL, NULL, NULL, NULL, NULL, NULL",
                "3, 30, 'c', 'c', 'c', 'c', 1970-01-01T00:00:00.000002",
            ]
        );
        assert_eq!(rows("SELECT id FROM 'f' WHERE s.t IS NULL AND s.x IS NULL"), ["2"]);
        assert_eq!(rows("SELECT r FROM 'f'"), ["1", "NULL", "3"]);
        assert_eq!(rows("SELECT count(s.x), sum(s.x), max(s.v) FROM 'f'"), ["2, 40, 'c'"]);
    }
}

/// Returns microseconds since 1970 as a Julian day and its nanoseconds, which take 96 bits.
fn int96(micros: i64) -> (i64, i32) {
    let day = micros.div_euclid(86_400_000_000) + 2_440_588;
    (micros.rem_euclid(86_400_000_000) * 1000, i32::try_from(day).expect("a day"))
}

/// Makes a file of records numbered from 0, with timestamps of 96 bits.
fn int96_file(times: &[Option<(i64, i32)>], properties: WriterPropertiesBuilder) -> Arc<Source> {
    let schema = parse_message_type("message m { required int32 id; optional int96 t; }");
    let schema = Arc::new(schema.expect("a schema"));
    let properties = Arc::new(properties.build());
    let mut file = tempfile::tempfile().expect("a file");
    let mut writer =
        SerializedFileWriter::new(&mut file, schema, properties).expect("a file writer");
    let mut group = writer.next_row_group().expect("a row group");
    let ids: Vec<i32> = (0..).take(times.len()).collect();
    let mut column = group.next_column().expect("a column").expect("`id`");
    column.typed::<Int32Type>().write_batch(&ids, None, None).expect("numbers");
    column.close().expect("`id`");
    let word = |nanos: i64, shift: u32| u32::try_from(nanos >> shift & 0xffff_ffff).expect("32");
    let values = times.iter().flatten().map(|&(nanos, day)| {
        Int96::from(vec![word(nanos, 0), word(nanos, 32), day.cast_unsigned()])
    });
    let levels: Vec<i16> = times.iter().map(|time| i16::from(time.is_some())).collect();
    let mut column = group.next_column().expect("a column").expect("`t`");
    column
        .typed::<Int96Type>()
        .write_batch(&values.collect::<Vec<_>>(), Some(&levels), None)
        .expect("times");
    column.close().expect("`t`");
    group.close().expect("a row group");
    writer.close().expect("a file");
    Arc::new(Source::open("old.parquet", file, None).expect("a source"))
}

/// Returns properties for pages with and without dictionaries, of both versions, with all
/// statistics.
fn int96_properties() -> [WriterPropertiesBuilder; 3] {
    let builder = || {
        WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_bloom_filter_enabled(true)
            .set_data_page_row_count_limit(3)
            .set_write_batch_size(3)
    };
    [
        builder(),
        builder().set_dictionary_enabled(false),
        builder().set_dictionary_enabled(false).set_writer_version(WriterVersion::PARQUET_2_0),
    ]
}

#[test]
fn old_timestamps_are_exact() {
    let source = open("int96.parquet", None);
    assert_eq!(source.storage(1), "int96");
    let rows = engine::select(&source, "SELECT id, t FROM 'int96.parquet'", &[], RUNS[0]);
    assert_eq!(rows.expect("records").rows, ["1, 2024-02-29T00:00:00", "2, NULL"]);

    let texts = [
        "2024-02-29 12:34:56.789012",
        "1969-12-31 23:59:59.999999",
        "1970-01-01 00:00:00",
        // beyond 64 bits of nanoseconds, on both sides
        "1677-01-01 00:00:00.000001",
        "0001-01-01 00:00:00",
        "2263-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
    ];
    let times = texts.map(|text| match Value::timestamp(text) {
        Some(Value::Timestamp(micros)) => Some(int96(micros)),
        other => panic!("{text}: {other:?}"),
    });
    let times: Vec<_> = times.into_iter().chain([None]).collect();
    for properties in int96_properties() {
        let source = int96_file(&times, properties);
        for run in RUNS {
            let rows = |sql: &str| engine::select(&source, sql, &[], *run).expect(sql).rows;
            let of_all = rows("SELECT t FROM 'old.parquet'");
            assert_eq!(of_all[..7], texts.map(|text| text.replace(' ', "T")));
            assert_eq!(of_all[7], "NULL");
            for (filter, ids) in [
                ("t < TIMESTAMP '1970-01-01'", &["1", "3", "4"][..]),
                ("t = TIMESTAMP '1677-01-01 00:00:00.000001'", &["3"]),
                ("t > TIMESTAMP '2262-01-01'", &["5", "6"]),
                ("t IS NULL", &["7"]),
            ] {
                assert_eq!(rows(&format!("SELECT id FROM 'old.parquet' WHERE {filter}")), ids);
            }
        }
    }
}

#[test]
fn old_timestamps_that_are_none_are_refused() {
    let last_day = 2_440_588 + 106_751_991;
    for (time, complaint) in [
        ((1001, 2_440_588), "1001 nanoseconds of a day are not a whole number of microseconds"),
        ((86_400_000_000_000, 0), "86400000000000 nanoseconds of a day, which has 86400000000000"),
        ((-1000, 2_440_588), "-1000 nanoseconds of a day, which has 86400000000000"),
        ((0, i32::MAX), "the Julian day 2147483647 is beyond timestamp"),
        ((0, i32::MIN), "the Julian day -2147483648 is beyond timestamp"),
        ((86_399_999_999_000, last_day), "the Julian day 109192579 is beyond timestamp"),
    ] {
        let mut times = vec![Some(int96(0)); 10];
        times[8] = Some(time);
        for properties in int96_properties() {
            let source = int96_file(&times, properties);
            for run in RUNS {
                let error = engine::select(&source, "SELECT t FROM 'old.parquet'", &[], *run);
                let error = error.expect_err(complaint);
                let expected = format!("old.parquet: record 9, field `t`: {complaint}");
                assert_eq!((error.kind(), error.to_string()), (ErrorKind::Record, expected));
                let ids = "SELECT id FROM 'old.parquet' WHERE id = 8";
                assert_eq!(engine::select(&source, ids, &[], *run).expect(ids).rows, ["8"]);
            }
        }
    }
}

/// Row groups of 20,000 records with pages of 1,000: pruned parts are not read, and the answer is
/// the same as without pruning.
#[test]
fn row_groups_and_pages_are_ruled_out() {
    let ids = Int64Array::from_iter_values(1..=60_000);
    let names = StringArray::from_iter_values((1..=60_000).map(|id| format!("n{id:05}")));
    let floats = Float64Array::from_iter_values((1..=60_000).map(f64::from));
    let none = Int64Array::from_iter((1..=60_000).map(|id| (id > 40_000).then_some(id)));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("name", Arc::new(names)),
        ("float", Arc::new(floats)),
        ("none", Arc::new(none)),
    ];
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(1_000)
        .set_write_batch_size(1_000);
    let cases = [
        ("id = 30000", 5_000),
        ("id BETWEEN 19990 AND 20010", 10_000),
        ("name = 'n00007'", 5_000),
        ("name LIKE 'n5999%'", 5_000),
        ("id IN (1, 60000)", 10_000),
        ("none IS NOT NULL AND id < 41000", 5_000),
        ("none < 50", 0),
        ("float < 10", 5_000),
        ("float > 59990", 60_000),
        ("id + 1 = 500", 60_000),
        ("id < 0", 0),
    ];
    check_ruled_out(columns, properties, &cases);
}

#[test]
fn row_groups_are_ruled_out_by_their_filters() {
    // every row group has values from the whole range, and none has odd values
    let numbers = || (0..60_000_i32).map(|row| row * 7919 % 60_000 * 2);
    let decimals = numbers().map(i128::from).map(Some);
    let decimals = Decimal128Array::from_iter(decimals).with_precision_and_scale(9, 2);
    let texts = numbers().map(|number| format!("n{number:06}"));
    let columns: [(&str, ArrayRef); 6] = [
        ("long", Arc::new(Int64Array::from_iter_values(numbers().map(i64::from)))),
        ("short", Arc::new(Int16Array::from_iter(numbers().map(|n| i16::try_from(n).ok())))),
        ("day", Arc::new(Date32Array::from_iter_values(numbers()))),
        ("price", Arc::new(decimals.expect("nine digits"))),
        ("text", Arc::new(StringArray::from_iter_values(texts))),
        ("float", Arc::new(Float64Array::from_iter_values(numbers().map(f64::from)))),
    ];
    let properties = WriterProperties::builder()
        .set_bloom_filter_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    let cases = [
        ("long = 501", 0),
        ("501 = long", 0),
        ("long = 500", 20_000),
        ("long IN (501, 503)", 0),
        ("long IN (501, 500)", 20_000),
        ("long = 501 OR text = 'n000501'", 0),
        ("long <> 501 AND long = 503", 0),
        ("long > 501", 60_000),
        ("NOT long = 501", 60_000),
        ("short = 501", 0),
        ("day = DATE '1971-05-17'", 0),
        ("day = DATE '1971-05-16'", 20_000),
        ("price = 5.01", 60_000),
        ("text = 'n000501'", 0),
        ("text = 'n000500'", 20_000),
        ("text IN ('n000501', 'x')", 0),
        ("text LIKE 'n000501'", 60_000),
        ("float = 501", 60_000),
        ("long + 1 = 501", 60_000),
    ];
    check_ruled_out(columns, properties, &cases);
}

/// Writes a file of 60,000 records in three row groups, and checks for each filter the records that
/// it keeps and the most records that are read.
fn check_ruled_out<const N: usize>(
    columns: [(&str, ArrayRef); N],
    properties: WriterPropertiesBuilder,
    cases: &[(&str, u64)],
) {
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let properties = properties.set_max_row_group_row_count(Some(20_000)).build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("rows");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f.parquet");
    std::fs::write(&path, writer.into_inner().expect("a file")).expect("write the file");
    let file = File::open(&path).expect("open the file");
    let source = Arc::new(Source::open("f.parquet", file, None).expect("a source"));
    for (filter, read_max) in cases {
        let sql = format!("SELECT * FROM 'f.parquet' WHERE {filter}");
        let answer = |pruning| {
            let options = ScanOptions { pruning, ..ScanOptions::default() };
            let select = Select::parse(&sql).expect(&sql);
            let plan = Plan::new(&select, Arc::clone(&source), &[]).expect(&sql);
            let rows = engine::collect_with(plan, options.clone(), 2).expect(&sql).rows;
            let (_, statistics, end) = index::run(Arc::clone(&source), &sql, options);
            end.expect(&sql);
            (rows, statistics.records_scanned, statistics.records_pruned)
        };
        let (rows, scanned, pruned) = answer(true);
        assert!(scanned <= *read_max && scanned + pruned == 60_000, "{filter}: {scanned} {pruned}");
        assert_eq!(answer(false), (rows, 60_000, 0), "{filter}");
    }
}

/// After any change of a byte, the file is refused, or has one answer however it is divided.
#[test]
fn a_damaged_file_has_one_answer() {
    for pages in [Pages::V1, Pages::V2] {
        damage("values.parquet", &parquet_file::write(&tables::values(), pages));
    }
    for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        damage("values.arrow", &arrow_file::write_with(&tables::values(), codec));
    }
}

fn damage(name: &str, good: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut random = Rng::with_seed(7);
    // 400 random bytes keep the test quick; another seed finds others
    for _ in 0..400 {
        let mut bytes = good.to_vec();
        match random.u8(0..8) {
            0 => bytes.truncate(random.usize(0..good.len())),
            flips => {
                for _ in 0..flips.div_ceil(4) {
                    bytes[random.usize(0..good.len())] ^= random.u8(1..=255);
                }
            }
        }
        std::fs::write(&path, &bytes).expect("write the file");
        let file = File::open(&path).expect("open the file");
        let Ok(source) = Source::open(name, file, None) else { continue };
        let source = Arc::new(source);
        for sql in ["SELECT *", "SELECT name, wide"] {
            let sql = format!("{sql} FROM '{name}' WHERE n > 0 OR id > 3");
            let answer = |run: &Run| {
                engine::select(&source, &sql, &[], *run).map_err(|error| error.to_string())
            };
            let first = answer(&RUNS[0]);
            assert!(RUNS.iter().all(|run| answer(run) == first), "{first:?}");
        }
    }
}
