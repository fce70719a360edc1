//! Sorts the rows of a full buffer, in steps.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows;

use super::order::{COMPARE_STEPS, MergeSort};
use super::{Buffer, SORTED_ROWS_MAX, Sorter};
use crate::expr::problem::Problem;
use crate::gather::pace::Pace;
use sift_files::cancel::spend;

/// A row: the number of its batch, and its number there.
type Place = (u32, u32);

/// The rows of a buffer while they are sorted.
#[derive(Debug)]
pub(super) struct Sorting {
    buffer: Buffer,
    /// The keys of each batch, and those that DISTINCT ON compares.
    keys: Vec<Rows>,
    leading: Vec<Rows>,
    sort: MergeSort<Place>,
    /// The first of the rows that DISTINCT ON takes as equal, among the first `compared` rows.
    distinct: Vec<Place>,
    compared: usize,
}

impl Sorting {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self {
            buffer,
            keys: Vec::new(),
            leading: Vec::new(),
            sort: MergeSort::new(),
            distinct: Vec::new(),
            compared: 0,
        }
    }

    /// Sorts until the step is over; returns true at the end.
    pub(super) fn step(&mut self, sorter: &Sorter, pace: &Pace) -> Result<bool, Problem> {
        while let Some(batch) = self.buffer.batches.get(self.keys.len()) {
            spend(batch.num_rows())?;
            let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
            let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
            self.keys.push(sorter.keys.rows_of(batch)?);
            self.leading.extend(sorter.keys.leading_rows_of(batch)?);
            self.sort.extend((0..rows).map(|row| (number, row)));
            if pace.is_over() {
                return Ok(false);
            }
        }
        let key = |place: &Place| self.keys[place.0 as usize].row(place.1 as usize);
        Ok(self.sort.step(pace, |a, b| key(a).cmp(&key(b)))?
            && (sorter.order.distinct == 0 || self.drop_repeated(sorter, pace)?))
    }

    /// Finds the distinct rows, as many as are wanted.
    fn drop_repeated(&mut self, sorter: &Sorter, pace: &Pace) -> Result<bool, Problem> {
        let (rows, wanted) = (self.sort.items(), sorter.rows_max());
        let leading = |place: &Place| self.leading[place.0 as usize].row(place.1 as usize);
        while self.compared < rows.len() && wanted.is_none_or(|rows| self.distinct.len() < rows) {
            let piece = &rows[self.compared..];
            let piece = &piece[..piece.len().min(SORTED_ROWS_MAX)];
            spend(piece.len() * COMPARE_STEPS)?;
            for row in piece {
                if self.distinct.last().is_none_or(|last| leading(last) != leading(row)) {
                    self.distinct.push(*row);
                }
            }
            self.compared += piece.len();
            if pace.is_over() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the sorted rows without those that the order does not want.
    pub(super) fn finish(self, sorter: &Sorter) -> Sorted {
        let mut rows = match sorter.order.distinct {
            0 => self.sort.into_items(),
            _ => self.distinct,
        };
        let wanted = sorter.rows_max();
        rows.truncate(wanted.unwrap_or(usize::MAX));
        let last = rows.last().filter(|_| wanted == Some(rows.len())).map(|last| {
            let key = self.keys[last.0 as usize].row(last.1 as usize).data().into();
            (*last, key)
        });
        Sorted { buffer: self.buffer, rows, done: 0, last }
    }
}

/// The sorted rows of a buffer, of which the first `done` were returned.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) buffer: Buffer,
    rows: Vec<Place>,
    done: usize,
    /// The last of the wanted rows and its key, if there are as many.
    last: Option<(Place, Box<[u8]>)>,
}

impl Sorted {
    /// Returns the number of the rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the last of the wanted rows and its key, if there are as many: its batch, and its
    /// number there.
    pub(super) fn last(&self) -> Option<(&RecordBatch, usize, &[u8])> {
        let ((batch, row), key) = self.last.as_ref()?;
        Some((self.buffer.batches.get(*batch as usize)?, *row as usize, key))
    }

    /// Returns the next rows, at most `rows_max`, as a new batch; `None` at the end.
    pub(super) fn next(&mut self, rows_max: usize) -> Result<Option<RecordBatch>, Problem> {
        let rows = &self.rows[self.done..];
        let rows = &rows[..rows.len().min(rows_max)];
        if rows.is_empty() {
            return Ok(None);
        }
        spend(rows.len() + self.buffer.batches.len())?;
        self.done += rows.len();
        let batches: Vec<&RecordBatch> = self.buffer.batches.iter().collect();
        let rows: Vec<_> =
            rows.iter().map(|(batch, row)| (*batch as usize, *row as usize)).collect();
        Ok(Some(interleave_record_batch(&batches, &rows)?))
    }
}
