//! One column of a turn: a decoder that goes forward, and what it decoded last.
//!
//! Selected records come as runs; between them the decoder skips. Where the runs are many or most
//! records are selected, that costs more than it saves, so the block is then decoded whole and the
//! records are taken out of it. Either way a record has the same value or the same complaint.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use parquet::arrow::array_reader::ArrayReader;
use parquet::basic::Type;
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::Result as ParquetResult;

use super::Chunk;
use super::decoding::Decoding;
use super::dictionary::Dictionary;
use super::footer::contained;
use super::memory::PageMemory;
use super::pages::{Given, Pages};
use super::schema::{Leaf, TextForm};
use crate::columnar::input::Input;
use crate::problem::column::{ColumnProblem, RowProblem};
use crate::record::Rows;

/// The cost of a run, in records that are decoded: near what the parquet crate's own reader takes
/// for a short run.
const RECORDS_PER_RUN: usize = 64;

/// The decoder of a column, at some record of its row group.
pub(super) struct ColumnDecoder {
    input: Arc<Input>,
    memory: PageMemory,
    chunk: Chunk,
    leaf: Leaf,
    /// `None` before the first record, and after a complaint.
    reader: Option<Box<dyn ArrayReader>>,
    form: TextForm,
    dictionary: Dictionary,
    /// The pages that the reader has been given.
    given: Arc<Given>,
    /// The record that the reader is at.
    position: u64,
    /// All records of a block, where they were decoded.
    whole: Option<(Range<u64>, ArrayRef)>,
}

impl ColumnDecoder {
    pub(super) fn new(input: Arc<Input>, memory: PageMemory, chunk: Chunk, leaf: Leaf) -> Self {
        let form = match leaf.has_texts() && chunk.has_dictionary {
            true => TextForm::Dictionary,
            false => TextForm::Texts,
        };
        Self {
            input,
            memory,
            chunk,
            leaf,
            reader: None,
            form,
            dictionary: Dictionary::default(),
            given: Arc::default(),
            position: 0,
            whole: None,
        }
    }

    /// Decodes those rows of a block, which has these records of the row group.
    ///
    /// # Errors
    /// The first row of them that has no value, by its index in the block, and why.
    pub(super) fn decode(
        &mut self,
        block: Range<u64>,
        rows: Rows<'_>,
    ) -> Result<ArrayRef, RowProblem> {
        if let Some((records, array)) = &self.whole
            && *records == block
        {
            return rows_of(array, rows);
        }
        let selected = match rows {
            Rows::All => return self.decode_whole(block),
            Rows::Selected(rows) => rows,
        };
        let runs = runs_of(selected);
        let records = usize::try_from(block.end - block.start).unwrap_or(0);
        if runs.len() * RECORDS_PER_RUN + selected.len() > records
            && let Ok(array) = self.decode_whole(block.clone())
        {
            return rows_of(&array, rows);
        }
        // also where a record is at fault that nobody asked for
        self.decode_runs(block.start, &runs)
    }

    fn decode_whole(&mut self, block: Range<u64>) -> Result<ArrayRef, RowProblem> {
        let rows = u32::try_from(block.end - block.start).unwrap_or(u32::MAX);
        let array = self.decode_runs(block.start, std::slice::from_ref(&(0..rows)))?;
        self.whole = Some((block, Arc::clone(&array)));
        Ok(array)
    }

    /// The rows of those runs after the record `start`.
    fn decode_runs(&mut self, start: u64, runs: &[Range<u32>]) -> Result<ArrayRef, RowProblem> {
        if self.form == TextForm::Dictionary {
            let numbers = self.read(start, runs).ok();
            if let Some(texts) = numbers.and_then(|numbers| self.dictionary.texts(&numbers)) {
                return Ok(texts);
            }
            // what is wrong is found, and told, as if there was no dictionary
            self.form = TextForm::Texts;
            self.reader = None;
        }
        match self.read(start, runs) {
            Ok(array) => self.convert(&array, runs),
            // no fault of a record, so none is sought
            Err(problem) if self.input.has_failed() => Err((row(runs, 0), problem)),
            Err(_) => Err(self.first_fault(start, runs)),
        }
    }

    fn convert(&self, array: &ArrayRef, runs: &[Range<u32>]) -> Result<ArrayRef, RowProblem> {
        self.leaf.convert(array).map_err(|(place, problem)| (row(runs, place), problem))
    }

    /// The first row of those runs, of which one does not decode, that has no value. The complaint
    /// is that about this row alone: what the decoder says of many depends on how many they are.
    #[cold]
    fn first_fault(&mut self, start: u64, runs: &[Range<u32>]) -> RowProblem {
        let count: usize = runs.iter().map(ExactSizeIterator::len).sum();
        let (mut good, mut bad) = (0, count);
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match self.read(start, &prefix(runs, middle)) {
                Ok(_) => good = middle,
                Err(_) => bad = middle,
            }
        }
        let before = prefix(runs, good);
        if let Ok(array) = self.read(start, &before)
            && let Err(earlier) = self.convert(&array, &before)
        {
            return earlier;
        }
        let row = row(runs, good);
        let alone = u32::try_from(row).map(|row| self.read(start, &runs_of(&[row])));
        let problem = match alone {
            Ok(Err(problem)) => problem,
            _ => ColumnProblem::DamagedPage,
        };
        (row, problem)
    }

    fn read(&mut self, start: u64, runs: &[Range<u32>]) -> Result<ArrayRef, ColumnProblem> {
        let result = self.try_read(start, runs);
        if result.is_err() {
            self.reader = None;
        }
        result
    }

    fn try_read(&mut self, start: u64, runs: &[Range<u32>]) -> Result<ArrayRef, ColumnProblem> {
        let first = runs.first().map_or(start, |run| start + u64::from(run.start));
        let mut reader = match self.reader.take() {
            Some(reader) if self.position <= first => reader,
            _ => {
                self.position = 0;
                self.given = Arc::default();
                let (given, memory) = (Arc::clone(&self.given), self.memory.clone());
                let pages = Pages::new(Arc::clone(&self.input), self.chunk.clone(), given, memory)?;
                let once = Once(Some(Box::new(pages)));
                contained(|| self.leaf.reader(Box::new(once), self.form))?
            }
        };
        let mut decoding = Decoding::new(&self.input, self.form, &mut *reader, self.position);
        let array = contained(|| {
            for run in runs {
                decoding.skip_to(start + u64::from(run.start))?;
                let end = start + u64::from(run.end);
                match self.chunk.physical_type {
                    Type::BYTE_ARRAY => decoding.read_texts(end, &self.given)?,
                    _ => decoding.read_to(end)?,
                }
            }
            decoding.finish()
        })?;
        let position = decoding.position();
        let count: usize = runs.iter().map(ExactSizeIterator::len).sum();
        if array.len() != count {
            return Err(ColumnProblem::PagesEnd);
        }
        self.position = position;
        self.reader = Some(reader);
        Ok(array)
    }
}

fn rows_of(array: &ArrayRef, rows: Rows<'_>) -> Result<ArrayRef, RowProblem> {
    let Rows::Selected(rows) = rows else { return Ok(Arc::clone(array)) };
    let first = rows.first().map_or(0, |row| *row as usize);
    let indices = UInt32Array::from(rows.to_vec());
    take(array, &indices, None).map_err(|error| (first, ColumnProblem::decoder(error)))
}

/// Ascending rows as runs of neighbours.
fn runs_of(rows: &[u32]) -> Vec<Range<u32>> {
    rows.chunk_by(|left, right| left + 1 == *right)
        .filter_map(|run| Some(*run.first()?..*run.last()? + 1))
        .collect()
}

/// The first `count` rows of those runs.
fn prefix(runs: &[Range<u32>], count: usize) -> Vec<Range<u32>> {
    let mut left = u32::try_from(count).unwrap_or(u32::MAX);
    let mut prefix = Vec::new();
    for run in runs {
        let length = left.min(run.end - run.start);
        if length == 0 {
            break;
        }
        prefix.push(run.start..run.start + length);
        left -= length;
    }
    prefix
}

/// The row at a place among those of the runs.
fn row(runs: &[Range<u32>], place: usize) -> usize {
    let rows = runs.iter().cloned().flatten();
    rows.into_iter().nth(place).map_or(0, |row| row as usize)
}

/// A row group as the decoders want it: one column chunk.
struct Once(Option<Box<dyn PageReader>>);

impl Iterator for Once {
    type Item = ParquetResult<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Once {}
