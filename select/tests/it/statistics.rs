//! Parquet files with contradictory statistics, page indexes or Bloom filters: these are ignored,
//! so the answer is the same as without pruning.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Type;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, PageIndexPolicy, ParquetMetaData,
    ParquetMetaDataReader, ParquetMetaDataWriter,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::TrackedWrite;
use sift_select::{ErrorKind, Plan, Result, ScanOptions, Select, Source};

use crate::engine;

const ROWS: usize = 20_000;
const PAGE_ROWS: usize = 1_000;
/// The number of NULLs: every fifth row.
const NULLS: u64 = 4_000;

fn write(array: ArrayRef, statistics: EnabledStatistics) -> Vec<u8> {
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from_iter_values((0..).take(array.len())))), ("x", array)];
    let batch = RecordBatch::try_from_iter(columns).expect("columns");
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_bloom_filter_enabled(true)
        .set_statistics_enabled(statistics)
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.into_inner().expect("a file")
}

fn numbers() -> ArrayRef {
    let number = |row| (row % 5 > 0).then_some(row);
    Arc::new(Int64Array::from_iter((0..).take(ROWS).map(number)))
}

/// Returns the file with other metadata of `x`, the last column of its one row group.
fn altered(
    file: &[u8],
    chunk: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData,
    index: impl Fn(&ColumnIndexMetaData) -> Option<ColumnIndexMetaData>,
) -> Vec<u8> {
    altered_with(file, chunk, index, |_| {})
}

fn altered_with(
    file: &[u8],
    chunk: impl Fn(ColumnChunkMetaData) -> ColumnChunkMetaData,
    index: impl Fn(&ColumnIndexMetaData) -> Option<ColumnIndexMetaData>,
    pages: impl Fn(&mut Vec<PageLocation>),
) -> Vec<u8> {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    reader.try_parse(&Bytes::from(file.to_vec())).expect("metadata");
    let metadata: ParquetMetaData = reader.finish().expect("metadata");
    let mut indexes = metadata.column_index().cloned();
    if let Some(last) = indexes.as_mut().and_then(|groups| groups[0].last_mut())
        && let Some(other) = index(last)
    {
        *last = other;
    }
    let mut offsets = metadata.offset_index().cloned();
    if let Some(last) = offsets.as_mut().and_then(|groups| groups[0].last_mut()) {
        pages(&mut last.page_locations);
    }
    let group = metadata.row_group(0).clone();
    let mut columns = group.columns().to_vec();
    let last = columns.pop().expect("a column");
    columns.push(chunk(last));
    let group = group.into_builder().set_column_metadata(columns).build().expect("a row group");
    let metadata = metadata.into_builder().set_row_groups(vec![group]);
    let metadata = metadata.set_column_index(indexes).set_offset_index(offsets).build();
    let mut bytes = Vec::new();
    let mut tracked = TrackedWrite::new(&mut bytes);
    tracked.write_all(file).expect("a vector");
    ParquetMetaDataWriter::new_with_tracked(tracked, &metadata).finish().expect("metadata");
    bytes
}

fn with_statistics(file: &[u8], statistics: &Statistics) -> Vec<u8> {
    let chunk = |chunk: ColumnChunkMetaData| {
        let chunk = chunk.into_builder().set_statistics(statistics.clone());
        chunk.build().expect("a column chunk")
    };
    altered(file, chunk, |_| None)
}

fn open(bytes: &[u8]) -> Arc<Source> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("write the file");
    Arc::new(Source::open("f.parquet", file, None).expect("a source"))
}

/// Returns the numbers of the records that a filter keeps.
fn rows(source: &Arc<Source>, filter: &str, pruning: bool) -> Result<Vec<String>> {
    let sql = format!("SELECT id FROM 'f.parquet' WHERE {filter}");
    let options = ScanOptions { pruning, ..ScanOptions::default() };
    let plan = Plan::new(&Select::parse(&sql)?, Arc::clone(source), &[])?;
    engine::collect_with(plan, options, 2).map(|answer| answer.rows)
}

/// Checks that each of these filters keeps the same records with pruning and without.
fn check(bytes: &[u8], filters: &[&str], about: &str) {
    let source = open(bytes);
    for filter in filters {
        let with = rows(&source, filter, true).expect(filter);
        let without = rows(&source, filter, false).expect(filter);
        assert!(with == without, "{about}: {} of {} rows: {filter}", with.len(), without.len());
    }
}

const OF_NUMBERS: &[&str] = &[
    "x = 7",
    "x IN (7, 8)",
    "x < 100",
    "x > 19000",
    "x BETWEEN 40 AND 60",
    "x IS NULL",
    "x IS NOT NULL",
    "x IS DISTINCT FROM 7",
    "coalesce(x, 0) = 0",
    "x < 10 OR x IS NULL",
    "NOT (x > 2)",
    "(x > 2) IS NOT TRUE",
];

#[test]
fn row_groups_that_contradict_themselves_are_read() {
    let file = write(numbers(), EnabledStatistics::Chunk);
    let values = ROWS as u64 - NULLS;
    for (min, max, distinct, nulls, deprecated) in [
        (Some(19_999), Some(1), None, Some(NULLS), false),
        (Some(19_999), Some(1), None, Some(NULLS), true),
        (Some(50_000), Some(60_000), None, Some(ROWS as u64), false),
        (Some(50_000), Some(60_000), None, Some(ROWS as u64 + 1), false),
        (Some(50_000), None, None, Some(ROWS as u64), false),
        (Some(50_000), Some(60_000), Some(0), Some(NULLS), false),
        (Some(50_000), Some(60_000), Some(values + 1), Some(NULLS), false),
        (Some(50_000), Some(50_005), Some(7), Some(NULLS), false),
        (None, None, Some(1), Some(ROWS as u64), false),
    ] {
        let statistics = Statistics::int64(min, max, distinct, nulls, deprecated);
        check(&with_statistics(&file, &statistics), OF_NUMBERS, &format!("{statistics:?}"));
    }
    // another number of values than in the row group
    let chunk = |chunk: ColumnChunkMetaData| {
        let wrong = Statistics::int64(Some(50_000), Some(60_000), None, Some(0), false);
        let chunk = chunk.into_builder().set_statistics(wrong).set_num_values(77);
        chunk.build().expect("a column chunk")
    };
    check(&altered(&file, chunk, |_| None), OF_NUMBERS, "other values");
}

/// Invalid statistics are ignored, even if they make the whole metadata invalid.
#[test]
fn a_negative_number_of_nulls_is_none() {
    let wrong = Statistics::int64(Some(50_000), Some(60_000), None, Some(NULLS), false);
    let written = write(numbers(), EnabledStatistics::Chunk);
    let mut file = with_statistics(&written, &wrong);
    // the field of 4,000 NULLs, and of -4,000
    let (positive, negative) = ([0x36, 0xc0, 0x3e], [0x36, 0xbf, 0x3e]);
    let footer = &mut file[written.len()..];
    let place = footer.windows(3).position(|bytes| bytes == positive).expect("a number of NULLs");
    footer[place..place + 3].copy_from_slice(&negative);
    let mut reader = ParquetMetaDataReader::new();
    let error = reader.try_parse(&Bytes::from(file.clone())).expect_err("statistics");
    assert!(error.to_string().contains("null count is negative"), "{error}");
    check(&file, OF_NUMBERS, "negative");
}

#[test]
fn bounds_of_every_type_are_in_order() {
    let floats = Float64Array::from_iter_values((0..20).map(|row| f64::from(row) - 10.0));
    let filters = &["x = 5", "x < 0", "x > 5", "x = -0.0", "x <= 0", "x IN (3, 4)"][..];
    let file = write(Arc::new(floats), EnabledStatistics::Chunk);
    for (min, max) in
        [(9.0, -10.0), (f64::NAN, 9.0), (7.0, f64::NAN), (9.0, -0.0), (f64::NAN, f64::NAN)]
    {
        let statistics = Statistics::double(Some(min), Some(max), None, Some(0), false);
        check(&with_statistics(&file, &statistics), filters, &format!("{statistics:?}"));
    }
    let zeros = Float64Array::from(vec![-0.0, 0.0, -0.0]);
    let file = write(Arc::new(zeros), EnabledStatistics::Chunk);
    for (min, max) in [(0.0, 0.0), (-0.0, -0.0), (0.0, -0.0), (-0.0, 0.0)] {
        let statistics = Statistics::double(Some(min), Some(max), None, Some(0), false);
        check(&with_statistics(&file, &statistics), filters, &format!("{statistics:?}"));
    }
    // signed bounds of an unsigned number, and the other way round
    let large = UInt32Array::from(vec![5, 3_000_000_000, 7]);
    let file = write(Arc::new(large), EnabledStatistics::Chunk);
    let bounds = Some(3_000_000_000_u32.cast_signed());
    let statistics = Statistics::int32(bounds, Some(7), None, Some(0), false);
    check(&with_statistics(&file, &statistics), &["x = 5", "x = 3000000000", "x < 6"], "unsigned");
    let texts = StringArray::from(vec!["a", "zé", "z", "é"]);
    let file = write(Arc::new(texts), EnabledStatistics::Chunk);
    let text = |text: &str| Some(ByteArray::from(text));
    let statistics = Statistics::byte_array(text("é"), text("z"), None, Some(0), false);
    check(&with_statistics(&file, &statistics), &["x = 'a'", "x > 'y'", "x LIKE 'z%'"], "texts");
    let decimals = [-5, 1_000, 77].map(|digits| digits * 10_i128.pow(20));
    let decimals = Decimal128Array::from(decimals.to_vec()).with_precision_and_scale(38, 20);
    let file = write(Arc::new(decimals.expect("decimals")), EnabledStatistics::Chunk);
    let filters = &["x = -5", "x > 100", "x < 0", "x = 77"];
    let wide = |digits: i128| digits * 10_i128.pow(20);
    for (min, max) in [
        (wide(1_000).to_be_bytes().to_vec(), wide(-5).to_be_bytes().to_vec()),
        (vec![90], vec![99]),
        (vec![0; 17], vec![1; 17]),
        (Vec::new(), vec![1; 16]),
    ] {
        let bytes = |bytes: Vec<u8>| Some(FixedLenByteArray::from(ByteArray::from(bytes)));
        let statistics = ValueStatistics::new(bytes(min), bytes(max), None, Some(0), false);
        let statistics = Statistics::FixedLenByteArray(statistics);
        check(&with_statistics(&file, &statistics), filters, &format!("{statistics:?}"));
    }
}

/// A page in the column index: only NULL, bounds, number of NULLs.
type Page = (bool, i64, i64, i64);

type Change = fn(Page) -> Page;

#[test]
fn pages_that_contradict_themselves_are_read() {
    let file = write(numbers(), EnabledStatistics::Page);
    let (page_rows, nulls) = (1_000, 200);
    let as_written = |page: i64| (false, page * page_rows, (page + 1) * page_rows - 1, nulls);
    let others: [(&str, Change); 8] = [
        ("as written", |page| page),
        ("null pages without NULL", |_| (true, 0, 0, 0)),
        ("null pages of few NULLs", |(_, _, _, nulls)| (true, 0, 0, nulls)),
        ("bounds of NULL", |(_, min, max, _)| (false, min + 50_000, max + 50_000, 1_000)),
        ("more NULLs than rows", |(_, min, max, _)| (false, min + 50_000, max + 50_000, 1_001)),
        ("negative NULLs", |(_, min, max, _)| (false, min + 50_000, max + 50_000, -1)),
        ("inverted bounds", |(_, min, max, nulls)| (false, max, min, nulls)),
        ("bounds beyond those of the row group", |(_, _, _, nulls)| (false, 0, 30_000, nulls)),
    ];
    for (about, other) in others {
        for only in [None, Some(3)] {
            let index = |_: &ColumnIndexMetaData| {
                let mut builder = ColumnIndexBuilder::new(Type::INT64);
                for page in 0..20 {
                    let page = match only {
                        Some(only) if only != page => as_written(page),
                        _ => other(as_written(page)),
                    };
                    let (is_null, min, max, nulls) = page;
                    let bytes = |bound: i64| {
                        if is_null { Vec::new() } else { bound.to_le_bytes().to_vec() }
                    };
                    builder.append(is_null, bytes(min), bytes(max), nulls);
                }
                Some(builder.build().expect("an index"))
            };
            check(&altered(&file, |chunk| chunk, index), OF_NUMBERS, about);
        }
    }
    // one page fewer than the file has
    let index = |_: &ColumnIndexMetaData| {
        let mut builder = ColumnIndexBuilder::new(Type::INT64);
        (0..19).for_each(|_| builder.append(true, Vec::new(), Vec::new(), 1_000));
        Some(builder.build().expect("an index"))
    };
    check(&altered(&file, |chunk| chunk, index), OF_NUMBERS, "fewer pages");
}

/// Page locations with other positions or records than in the file: an error or the same records.
#[test]
fn an_offset_index_that_is_wrong_gives_no_other_records() {
    let file = write(numbers(), EnabledStatistics::Page);
    type Change = fn(&mut Vec<PageLocation>);
    let changes: [(&str, Change); 10] = [
        ("one record later", |pages| pages[7].first_row_index += 1),
        ("many records later", |pages| pages[7].first_row_index += 999),
        ("all later", |pages| pages[1..].iter_mut().for_each(|page| page.first_row_index += 500)),
        ("descending", |pages| pages[7].first_row_index = 3_000),
        ("beyond the row group", |pages| pages[19].first_row_index = 20_000),
        ("negative", |pages| pages[3].first_row_index = -1),
        ("no first page", |pages| {
            pages.remove(0);
            pages[0].first_row_index = 0;
        }),
        ("no last page", |pages| pages.truncate(19)),
        ("two pages as one", |pages| {
            let next = pages.remove(4);
            pages[3].compressed_page_size += next.compressed_page_size;
        }),
        ("another place", |pages| {
            let offset = pages[3].offset;
            pages[4].offset = offset;
        }),
    ];
    let truth = open(&file);
    for (about, change) in changes {
        let source = open(&altered_with(&file, |chunk| chunk, |_| None, change));
        for filter in OF_NUMBERS.iter().chain(&["id IN (3500, 7000, 19999) AND x > 0"]) {
            let expected = rows(&truth, filter, false).expect(filter);
            match rows(&source, filter, true) {
                Ok(got) => assert!(got == expected, "{about}: {filter}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Record, "{about}: {error}"),
            }
        }
    }
}

/// The pages of `long` are short, but one page of `few` has all records. So a zone is only a part
/// of that page, and the page's number of NULLs is not the zone's.
#[test]
fn nulls_of_a_page_are_not_those_of_a_part_of_it() {
    let long = StringArray::from_iter_values((0..ROWS).map(|row| format!("{row:096}")));
    for of_page in [5_000, 10_000, 15_000, 20_000_usize] {
        let few = (0..ROWS).map(|row| (row * 7 % ROWS >= of_page).then_some(3));
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from_iter_values((0..).take(ROWS)))),
            ("long", Arc::new(long.clone())),
            ("few", Arc::new(Int64Array::from_iter(few))),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("columns");
        let properties = WriterProperties::builder()
            .set_column_dictionary_enabled("long".into(), false)
            .set_data_page_size_limit(100_000)
            .set_write_batch_size(1_000)
            .set_statistics_enabled(EnabledStatistics::Page)
            .build();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
        writer.write(&batch).expect("rows");
        let filters =
            ["few = 3 AND long >= ''", "few IS NULL AND long >= ''", "few < 9 AND long < '0'"];
        let about = format!("{of_page} NULLs");
        check(&writer.into_inner().expect("a file"), &filters, &about);
    }
}

#[test]
fn filters_that_cannot_be_are_ignored() {
    let numbers = Int64Array::from_iter_values((0..2_000).map(|row| row * 3));
    let file = write(Arc::new(numbers), EnabledStatistics::None);
    let filters = &["x = 33", "x = 34", "x IN (3, 5997)"];
    check(&file, filters, "as written");
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(file.clone()));
    let metadata = metadata.expect("metadata");
    let chunk = metadata.row_group(0).column(1);
    let start = usize::try_from(chunk.bloom_filter_offset().expect("a filter")).expect("a place");
    let length = usize::try_from(chunk.bloom_filter_length().expect("a length")).expect("a length");
    let bits = start + length % 32..start + length;
    let mut empty = file.clone();
    empty[bits.clone()].fill(0);
    check(&empty, filters, "no bits");
    let mut torn = file.clone();
    for word in torn[bits.clone()].chunks_exact_mut(4).step_by(2) {
        word.fill(0);
    }
    check(&torn, filters, "every second word");
    let mut garbage = file.clone();
    garbage[start..bits.start].fill(0xff);
    check(&garbage, filters, "no header");
    for other in
        [Some(-1), Some(3), Some(i32::try_from(length).expect("short") - 32), Some(i32::MAX)]
    {
        let chunk = |chunk: ColumnChunkMetaData| {
            let chunk = chunk.into_builder().set_bloom_filter_length(other);
            chunk.build().expect("a column chunk")
        };
        check(&altered(&file, chunk, |_| None), filters, &format!("{other:?} bytes"));
    }
    // the filter of another column
    let other = metadata.row_group(0).column(0).bloom_filter_offset();
    let bounds = ValueStatistics::new(Some(0), Some(5997), None, Some(0), false)
        .with_min_is_exact(true)
        .with_max_is_exact(true);
    let chunk = |chunk: ColumnChunkMetaData| {
        let chunk = chunk.into_builder().set_bloom_filter_offset(other);
        let chunk = chunk.set_statistics(Statistics::Int64(bounds.clone()));
        chunk.build().expect("a column chunk")
    };
    check(&altered(&file, chunk, |_| None), filters, "of another column");
}
