//! Builds the keys of an index: reads their columns, sorts the records, and writes pages.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt64Type};

use super::build::{BuildOptions, MORSEL_BYTES};
use super::key::{Directory, Entry, KEY_BYTES_MAX, Key, KeyEncoder, Page};
use super::pages::{PageFile, PageWriter};
use super::{Index, changed_while_read, store};
use crate::gather::pace::{Pace, Progress};
use crate::gather::sort::{MergeError, SortedRows, Sorter};
use crate::gather::sort_order::{SortKey, SortOrder};
use crate::{Error, ErrorKind, Result};
use sift_files::block::Block;
use sift_files::data_file::DataFile;
use sift_files::feed::Feed;
use sift_files::io::waiting::Waiting;
use sift_files::key_spec::{KeyColumn, KeySpec};
use sift_files::record::Rows;

/// Entries of a page: as few as the size of the directory allows, because a page is decoded to find
/// one entry.
const PAGE_ENTRIES: RangeInclusive<u64> = 64..=store::PAGE_ENTRIES_MAX as u64;

/// Pages of a key, about, within the bounds above: some megabytes of directory.
const PAGES: u64 = 32 << 10;

/// Bytes of the entries of a page, about.
const PAGE_BYTES: usize = store::PAGE_BYTES_MAX / 4;

/// A key whose pages are not in their file yet.
pub(super) struct BuiltKey {
    spec: KeySpec,
    encoder: KeyEncoder,
    pages: Vec<Page>,
}

impl BuiltKey {
    pub(super) fn with_pages(self, file: &Arc<PageFile>) -> Key {
        let Self { spec, encoder, pages } = self;
        let (directory, file) = (Directory::new(pages), Arc::clone(file));
        Key { spec, encoder: Arc::new(encoder), directory, file }
    }
}

/// Builds the keys that the file declares, for the records of `index`.
pub(super) fn keys(
    file: &Arc<DataFile>,
    index: &Index,
    options: &BuildOptions<'_>,
    writer: &mut PageWriter,
) -> Result<Vec<BuiltKey>> {
    let entries_max =
        (index.record_count() / PAGES).clamp(*PAGE_ENTRIES.start(), *PAGE_ENTRIES.end());
    let built = file.keys.iter().map(|spec| {
        let encoder = KeyEncoder::new(&spec.columns, &file.schema);
        let encoder = encoder.ok_or_else(|| unencodable(file, spec))?;
        let sorted = sorted(file, spec, index, options)?;
        let mut writer = EntryWriter { pages: &mut *writer, entries_max };
        let pages = pages(file, spec, &encoder, sorted, &mut writer)?;
        Ok(BuiltKey { spec: spec.clone(), encoder, pages })
    });
    built.collect()
}

/// Sorts all records in the order of the key. Each row has the key's columns, the number of the
/// record, its bytes, and its position.
fn sorted(
    file: &Arc<DataFile>,
    spec: &KeySpec,
    index: &Index,
    options: &BuildOptions<'_>,
) -> Result<SortedRows> {
    let order = Arc::new(order(file, spec));
    let sorter = Sorter::new(Arc::clone(&order), &options.memory, options.spill.clone())
        .map_err(|problem| problem.to_error(file.name()))?;
    let sorter = Arc::new(sorter);
    let columns: Vec<usize> = spec.columns.iter().map(|column| column.column).collect();
    let feed = Feed::new(&[Arc::clone(file)], MORSEL_BYTES);
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let mut failure = None;
            let turn = feed.next(Waiting::Allowed, &mut |_, block| {
                let pushed = rows(file, spec, &columns, index, &order, block)
                    .and_then(|batch| push(&sorter, batch));
                match pushed {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failure = Some(error);
                        ControlFlow::Break(())
                    }
                }
            });
            let Some(turn) = turn else { return };
            (options.progress)(turn.bytes);
            if let Some(error) = failure.or(turn.result.err().map(Error::from)) {
                let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                return failures.push((turn.number, error));
            }
        }
    };
    rayon::scope(|scope| (0..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| work())));
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failures.into_iter().min_by_key(|(turn, _)| *turn) {
        Some((_, error)) => Err(error),
        None => Ok(SortedRows::new(sorter, 0)),
    }
}

/// Adds rows to a sorter. This thread sorts the buffers that are full.
fn push(sorter: &Arc<Sorter>, batch: RecordBatch) -> Result<()> {
    sorter.push(batch);
    while let Some(mut job) = sorter.job() {
        while !job.step(&Pace::unlimited(), Waiting::Allowed)? {}
    }
    Ok(())
}

/// Returns the order of the key, over its columns, the number of the record, its bytes and
/// position.
fn order(file: &DataFile, spec: &KeySpec) -> SortOrder {
    let of_file = |column: &KeyColumn| file.schema.field(column.column).data_type();
    let columns = spec.columns.iter().map(|column| {
        let name = file.schema.field(column.column).name();
        Field::new(name, of_file(column).clone(), true)
    });
    let places = [
        Field::new("record", DataType::Int64, false),
        Field::new("bytes", DataType::Int64, false),
        Field::new("start", DataType::UInt64, false),
    ];
    let keys = spec.columns.iter().enumerate();
    let keys = keys.map(|(item, column)| SortKey { item, options: column.options() });
    SortOrder {
        source: file.name().to_owned(),
        keys: keys.collect(),
        distinct: 0,
        rows_max: None,
        columns: Vec::new(),
        schema: Arc::new(Schema::new(columns.chain(places).collect::<Vec<_>>())),
    }
}

/// Returns the records of a block in the schema of the order.
fn rows(
    file: &DataFile,
    spec: &KeySpec,
    columns: &[usize],
    index: &Index,
    order: &SortOrder,
    block: &dyn Block,
) -> Result<RecordBatch> {
    let records = block.records();
    let place = block.byte_of(0).and_then(|start| index.records_before(start));
    let Some(first) = place else { return Err(changed_while_read(file.name())) };
    let mut arrays = block.decode(columns, Rows::All).map_err(|fault| {
        let error = fault.to_error(file.name(), first);
        let message = format!("{error}; key `{}` needs a value of every record", spec.name);
        Error::new(ErrorKind::Record, message)
    })?;
    let starts = block.starts().unwrap_or_default();
    // a block ends with a zone
    let end = starts.last().map(|last| index.zone_end(*last));
    let ends = starts.iter().skip(1).copied().chain(end);
    let bytes = starts.iter().zip(ends).map(|(start, end)| (end - start).cast_signed());
    let first = first.cast_signed();
    // memory has fewer records than that
    let numbers = (0..i64::try_from(records).unwrap_or(i64::MAX)).map(|record| first + record);
    arrays.push(Arc::new(Int64Array::from_iter_values(numbers)));
    arrays.push(Arc::new(Int64Array::from_iter_values(bytes)));
    arrays.push(Arc::new(UInt64Array::from(starts)));
    RecordBatch::try_new(Arc::clone(&order.schema), arrays)
        .map_err(|error| Error::new(ErrorKind::Record, format!("{}: {error}", file.name())))
}

/// Writes sorted records as pages and returns their directory.
fn pages(
    file: &DataFile,
    spec: &KeySpec,
    encoder: &KeyEncoder,
    mut sorted: SortedRows,
    writer: &mut EntryWriter<'_>,
) -> Result<Vec<Page>> {
    let (mut pages, mut page): (Vec<Page>, Vec<Entry>) = (Vec::new(), Vec::new());
    let (mut page_bytes, mut last): (usize, Option<(Vec<u8>, u64)>) = (0, None);
    let (pace, waiting) = (Pace::unlimited(), Waiting::Allowed);
    while let Progress::Ready(batch) =
        sorted.next(&pace, waiting).map_err(MergeError::without_rows)?
    {
        let (columns, places) = batch.columns().split_at(spec.columns.len());
        let [records, lengths, starts] = places else { return Err(unencodable(file, spec)) };
        let records = records.as_primitive::<Int64Type>();
        let lengths = lengths.as_primitive::<Int64Type>();
        let starts = starts.as_primitive::<UInt64Type>();
        let rows = encoder.rows(columns).ok_or_else(|| unencodable(file, spec))?;
        for row in 0..batch.num_rows() {
            let (key, record) = (rows.row(row).data(), records.value(row).cast_unsigned());
            if key.len() > KEY_BYTES_MAX {
                return Err(too_long(file, spec, record));
            }
            if spec.unique && !has_null(columns, row) {
                match &last {
                    Some((same, first)) if same == key => {
                        return Err(not_unique(file, spec, *first, record));
                    }
                    _ => last = Some((key.to_vec(), record)),
                }
            }
            if page.len() as u64 == writer.entries_max || page_bytes + key.len() > PAGE_BYTES {
                pages.push(writer.write(file, &page)?);
                page.clear();
                page_bytes = 0;
            }
            page_bytes += key.len();
            let start = starts.value(row);
            let bytes = start..start + lengths.value(row).cast_unsigned();
            page.push(Entry { key: key.to_vec(), record, bytes });
        }
    }
    if !page.is_empty() {
        pages.push(writer.write(file, &page)?);
    }
    Ok(pages)
}

fn has_null(columns: &[ArrayRef], row: usize) -> bool {
    columns.iter().any(|column| column.is_null(row))
}

/// Writes the pages of a key.
struct EntryWriter<'a> {
    pages: &'a mut PageWriter,
    /// The most entries of a page.
    entries_max: u64,
}

impl EntryWriter<'_> {
    fn write(&mut self, file: &DataFile, entries: &[Entry]) -> Result<Page> {
        let bytes = store::encode_page(entries).map_err(|why| unwritten(file, &why))?;
        let place = self.pages.write(&bytes).map_err(|error| unwritten(file, &error))?;
        let first = entries.first().map(|entry| entry.key.clone()).unwrap_or_default();
        Ok(Page { first, place, entries: entries.len() as u64 })
    }
}

fn unwritten(file: &DataFile, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("{}: the keys cannot be written: {why}", file.name()))
}

fn unencodable(file: &DataFile, spec: &KeySpec) -> Error {
    let message = format!("{}: key `{}` has columns that are not ordered", file.name(), spec.name);
    Error::new(ErrorKind::Unsupported, message)
}

fn too_long(file: &DataFile, spec: &KeySpec, record: u64) -> Error {
    let message = format!(
        "{}: record {}: its columns of key `{}` take more than {KEY_BYTES_MAX} bytes, the most that a key has",
        file.name(),
        record + 1,
        spec.name
    );
    Error::new(ErrorKind::LimitExceeded, message)
}

fn not_unique(file: &DataFile, spec: &KeySpec, first: u64, second: u64) -> Error {
    let message = format!(
        "{}: key `{}` is unique, but records {} and {} have the same values of it",
        file.name(),
        spec.name,
        first + 1,
        second + 1
    );
    Error::new(ErrorKind::Record, message)
}
