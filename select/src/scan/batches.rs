//! The batches of a result: small ones are joined, and batches of a partial view are cut again.
//!
//! Threads and morsels decide where batches end, and hidden records and columns influence that. So
//! in a view that is not whole, batches are cut again, depending only on the records in them. They
//! are also rebuilt from the values of these records only, because the memory under a NULL may
//! contain a value of another record.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, MutableArrayData, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::morsel::BATCH_RECORDS_MIN;
use crate::plan::view::View;

/// The maximal time that selected records wait for others before they are given out.
const BATCH_WAIT_MAX: Duration = Duration::from_millis(20);

/// The size of a batch that is cut again: it ends at the latest with the record that reaches it.
const CUT_BYTES_MAX: usize = 1 << 20;

/// The batches of a result, in order.
#[derive(Debug)]
pub(crate) struct Batches {
    ready: VecDeque<RecordBatch>,
    pending: Vec<RecordBatch>,
    pending_records: usize,
    /// The bytes of the pending values, if batches are cut again.
    pending_bytes: usize,
    /// The time when records last became ready; `None` before the first.
    last: Option<Instant>,
    cuts: bool,
    /// The memory of the batches that were pushed. Parts of a batch hold all of its memory.
    memory_bytes: usize,
}

impl Batches {
    /// Makes the batches of a result over `view`.
    pub(crate) fn new(view: &View) -> Self {
        Self {
            ready: VecDeque::new(),
            pending: Vec::new(),
            pending_records: 0,
            pending_bytes: 0,
            last: None,
            cuts: !view.is_whole(),
            memory_bytes: 0,
        }
    }

    /// Takes the next records.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        self.memory_bytes += batch.get_array_memory_size();
        if self.cuts {
            return self.cut(batch);
        }
        if batch.num_rows() >= BATCH_RECORDS_MIN {
            self.flush();
        }
        self.add(batch);
        if self.pending_records >= BATCH_RECORDS_MIN {
            self.flush();
        }
    }

    /// Makes pending records ready if they have waited long enough; the first records do not wait.
    /// The time would reveal how many records were read, so batches that are cut again wait until
    /// they are full.
    pub(crate) fn flush_if_due(&mut self) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= BATCH_WAIT_MAX);
        if is_due && !self.cuts {
            self.flush();
        }
    }

    /// Makes all pending records ready.
    pub(crate) fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let records = std::mem::take(&mut self.pending_records);
        self.pending_bytes = 0;
        if records == 0 {
            return;
        }
        self.last = Some(Instant::now());
        let together = match pending.as_slice() {
            [first, ..] if self.cuts => made_anew(&first.schema(), &pending, records),
            [first, _, ..] => concat_batches(&first.schema(), &pending),
            _ => return self.ready.extend(pending),
        };
        match together {
            Ok(batch) => self.ready.push_back(batch),
            // they are too large for one batch; batches that are cut again never are
            Err(_) => self.ready.extend(pending),
        }
    }

    /// Returns the number of ready batches.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Removes and returns the next ready batch.
    pub(crate) fn pop(&mut self) -> Option<RecordBatch> {
        let batch = self.ready.pop_front()?;
        let left = self.memory_bytes.saturating_sub(batch.get_array_memory_size());
        let holds_some = !self.ready.is_empty() || !self.pending.is_empty();
        self.memory_bytes = if holds_some { left } else { 0 };
        Some(batch)
    }

    /// Returns the memory of the batches that are here, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn add(&mut self, batch: RecordBatch) {
        self.pending_records += batch.num_rows();
        self.pending.push(batch);
    }

    /// Adds records. A batch ends when it has enough records or bytes.
    fn cut(&mut self, mut batch: RecordBatch) {
        while batch.num_rows() > 0 {
            let rows = batch.num_rows().min(BATCH_RECORDS_MIN - self.pending_records);
            let bytes_left = CUT_BYTES_MAX.saturating_sub(self.pending_bytes);
            let (rows, bytes) = match bytes_of(&batch, 0..rows) {
                bytes if bytes < bytes_left => (rows, bytes),
                _ => until(&batch, rows, bytes_left),
            };
            self.add(batch.slice(0, rows));
            self.pending_bytes += bytes;
            if self.pending_records == BATCH_RECORDS_MIN || self.pending_bytes >= CUT_BYTES_MAX {
                self.flush();
            }
            batch = batch.slice(rows, batch.num_rows() - rows);
        }
    }
}

/// Returns the number of first rows that together have at least `bytes_max` bytes, and their bytes.
/// If all `rows` have fewer bytes, it returns all of them.
fn until(batch: &RecordBatch, rows: usize, bytes_max: usize) -> (usize, usize) {
    let mut bytes = 0;
    for row in 0..rows {
        bytes += bytes_of(batch, row..row + 1);
        if bytes >= bytes_max {
            return (row + 1, bytes);
        }
    }
    (rows, bytes)
}

/// Returns the number of bytes of the values in some rows.
fn bytes_of(batch: &RecordBatch, rows: Range<usize>) -> usize {
    // the memory under a NULL may be that of another record
    let of_texts = |offsets: &[i32], nulls: Option<&NullBuffer>| {
        let length = |rows: Range<usize>| {
            usize::try_from(offsets[rows.end] - offsets[rows.start]).unwrap_or(0)
        };
        let bytes = match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => length(rows.clone()),
            Some(nulls) => {
                let valid = rows.clone().filter(|row| nulls.is_valid(*row));
                valid.map(|row| length(row..row + 1)).sum()
            }
        };
        bytes + 4 * rows.len()
    };
    let of_column = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8 => of_texts(column.as_string::<i32>().value_offsets(), column.nulls()),
        DataType::Binary => of_texts(column.as_binary::<i32>().value_offsets(), column.nulls()),
        other => other.primitive_width().unwrap_or(1) * rows.len(),
    };
    batch.columns().iter().map(of_column).sum()
}

/// Builds one batch from the values of several batches.
fn made_anew(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    records: usize,
) -> Result<RecordBatch, ArrowError> {
    let columns = (0..schema.fields().len()).map(|column| {
        let pieces: Vec<_> = batches.iter().map(|batch| batch.column(column)).collect();
        column_made_anew(&pieces, records)
    });
    let options = RecordBatchOptions::new().with_row_count(Some(records));
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn column_made_anew(pieces: &[&ArrayRef], records: usize) -> Result<ArrayRef, ArrowError> {
    let data: Vec<_> = pieces.iter().map(|piece| piece.to_data()).collect();
    let has_nulls = pieces.iter().any(|piece| piece.null_count() > 0);
    let mut made = MutableArrayData::new(data.iter().collect(), has_nulls, records);
    for (index, piece) in pieces.iter().enumerate() {
        let Some(nulls) = piece.nulls().filter(|nulls| nulls.null_count() > 0) else {
            made.try_extend(index, 0, piece.len())?;
            continue;
        };
        let mut at = 0;
        for (start, end) in nulls.valid_slices() {
            made.try_extend_nulls(start - at)?;
            made.try_extend(index, start, end)?;
            at = end;
        }
        made.try_extend_nulls(piece.len() - at)?;
    }
    Ok(make_array(made.freeze()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, StringArray};
    use arrow::buffer::{NullBuffer, ScalarBuffer};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    /// Makes records of different lengths. Every seventh record has NULLs, with `under_null` in the
    /// memory of the number.
    fn records(rows: Range<i64>, under_null: i64) -> RecordBatch {
        let is_null = |row: &i64| row % 7 == 0;
        let nulls = NullBuffer::from_iter(rows.clone().map(|row| !is_null(&row)));
        let numbers = rows.clone().map(|row| if is_null(&row) { under_null } else { row });
        let numbers = Int64Array::new(numbers.collect::<ScalarBuffer<i64>>(), Some(nulls));
        let texts = rows.clone().map(|row| {
            let length = usize::try_from(row * 37 % 1500).unwrap_or(0);
            (!is_null(&row)).then(|| "x".repeat(length))
        });
        let flags = rows.map(|row| (row % 5 != 0).then_some(row % 2 == 0));
        let schema = Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("b", DataType::Boolean, true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(numbers),
            Arc::new(StringArray::from_iter(texts)),
            Arc::new(BooleanArray::from_iter(flags)),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    /// Returns the batches from records that arrive in pieces of these lengths.
    fn cut(lengths: &[i64], under_null: i64) -> Vec<RecordBatch> {
        let mut batches = Batches {
            ready: VecDeque::new(),
            pending: Vec::new(),
            pending_records: 0,
            pending_bytes: 0,
            last: None,
            cuts: true,
            memory_bytes: 0,
        };
        let (mut at, mut lengths) = (0, lengths.iter().cycle());
        while at < 20_000 {
            let end = 20_000.min(at + lengths.next().unwrap());
            // each piece is a slice of a longer batch whose first records are hidden
            batches.push(
                records(at - 3..end, under_null).slice(3, usize::try_from(end - at).unwrap()),
            );
            batches.flush_if_due();
            at = end;
        }
        batches.flush();
        batches.ready.into()
    }

    /// Returns the bytes of all buffers.
    fn memory(batch: &RecordBatch) -> Vec<Vec<u8>> {
        let data = batch.columns().iter().map(|column| column.to_data());
        data.flat_map(|data| {
            let nulls = data.nulls().map(|nulls| nulls.buffer().as_slice().to_vec());
            let values: Vec<_> = data.buffers().iter().map(|b| b.as_slice().to_vec()).collect();
            nulls.into_iter().chain(values)
        })
        .collect()
    }

    #[test]
    fn batches_cut_anew_do_not_depend_on_how_records_arrive_nor_on_what_is_under_nulls() {
        let first = cut(&[20_000], 0);
        assert!(first.len() > 10, "{}", first.len());
        assert_eq!(first.iter().map(RecordBatch::num_rows).sum::<usize>(), 20_000);
        for (lengths, under_null) in [(&[1][..], 1), (&[5000, 3, 999], 2), (&[4096], -1)] {
            let other = cut(lengths, under_null);
            assert_eq!(other, first, "{lengths:?}");
            for (other, first) in other.iter().zip(&first) {
                assert!(memory(other) == memory(first), "{lengths:?}");
            }
        }
    }
}
