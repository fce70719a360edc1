//! A column's decoder reading runs of records, and the bound of the text that it holds.
//!
//! A page may hold a long value once and mean it a thousand times: by its number in the dictionary,
//! or as the start of the value after it. So texts are read as far as the longest value lets them
//! be within bounds, counted, and read on.

use std::sync::atomic::Ordering;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::Buffer;
use arrow::compute::concat;
use parquet::arrow::array_reader::ArrayReader;
use parquet::errors::Result as ParquetResult;

use super::footer::external;
use super::pages::Given;
use super::schema::TextForm;
use crate::columnar::input::Input;
use crate::problem::column::ColumnProblem;

/// Bytes of text that a decoder may hold, by the longest value that there may be; then they are
/// taken from it and counted.
const TEXT_BYTES: usize = 64 << 20;

/// The most bytes of text of the records that are decoded at once: a value that the file has once
/// may be that of each of them.
const TEXT_BYTES_MAX: usize = 256 << 20;

/// A decoder on its way through runs of records.
pub(super) struct Decoding<'a> {
    input: &'a Input,
    form: TextForm,
    reader: &'a mut dyn ArrayReader,
    /// The record that it is at.
    position: u64,
    /// Records that were read and not yet taken from it.
    kept: usize,
    pieces: Vec<ArrayRef>,
}

impl<'a> Decoding<'a> {
    /// By a reader that is at the record `position`.
    pub(super) fn new(
        input: &'a Input,
        form: TextForm,
        reader: &'a mut dyn ArrayReader,
        position: u64,
    ) -> Self {
        Self { input, form, reader, position, kept: 0, pieces: Vec::new() }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn skip_to(&mut self, record: u64) -> ParquetResult<()> {
        step(record - self.position, |records| self.reader.skip_records(records))?;
        self.position = record;
        Ok(())
    }

    /// Reads up to a record.
    pub(super) fn read_to(&mut self, end: u64) -> ParquetResult<()> {
        step(end - self.position, |records| self.reader.read_records(records))?;
        self.position = end;
        Ok(())
    }

    /// Reads up to a record like [`read_to`](Self::read_to), in steps that keep the text which is
    /// not yet counted within bounds. The first record of a page tells how long its values can be.
    pub(super) fn read_texts(&mut self, end: u64, given: &Given) -> ParquetResult<()> {
        while self.position < end {
            let of_page =
                given.records.load(Ordering::Relaxed).saturating_sub(self.position).max(1);
            let longest = given.value_bytes_max.load(Ordering::Relaxed);
            let room = (TEXT_BYTES / longest.max(1)).saturating_sub(self.kept).max(1);
            let records = of_page.min(end - self.position).min(room as u64);
            self.read_to(self.position + records)?;
            self.kept += usize::try_from(records)?;
            let longest = given.value_bytes_max.load(Ordering::Relaxed);
            if longest.saturating_mul(self.kept) >= TEXT_BYTES {
                self.take()?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> ParquetResult<()> {
        if self.form == TextForm::Dictionary {
            // whoever asked for numbers has the texts decoded instead
            return Err(external(ColumnProblem::TooMuchText { bytes_max: TEXT_BYTES }));
        }
        self.pieces.push(self.reader.consume_batch()?);
        self.kept = 0;
        let bytes =
            |array: &ArrayRef| array.to_data().buffers().iter().map(Buffer::len).sum::<usize>();
        let bytes: usize = self.pieces.iter().map(bytes).sum();
        if bytes > TEXT_BYTES_MAX {
            let problem = ColumnProblem::TooMuchText { bytes_max: TEXT_BYTES_MAX };
            return Err(external(self.input.refuse(problem)));
        }
        Ok(())
    }

    /// All that was read.
    pub(super) fn finish(&mut self) -> ParquetResult<ArrayRef> {
        if self.pieces.is_empty() {
            return self.reader.consume_batch();
        }
        self.take()?;
        let pieces: Vec<&dyn Array> = self.pieces.iter().map(AsRef::as_ref).collect();
        Ok(concat(&pieces)?)
    }
}

/// Goes forward by so many records, all of them.
fn step(records: u64, by: impl FnOnce(usize) -> ParquetResult<usize>) -> ParquetResult<()> {
    let records = usize::try_from(records)?;
    if records == 0 || by(records)? == records {
        return Ok(());
    }
    Err(external(ColumnProblem::PagesEnd))
}
