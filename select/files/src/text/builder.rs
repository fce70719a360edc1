//! Text columns: bytes of many values put together, then checked to be UTF-8 at once.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};

/// A text column in the making.
pub(crate) struct Texts {
    values: Vec<u8>,
    ends: Vec<i32>,
}

impl Texts {
    pub(crate) fn new(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { values: Vec::with_capacity(bytes), ends }
    }

    /// The next row; NULL is the empty text. `None` when the column outgrows 2 GiB, which is far
    /// beyond what a block holds.
    #[inline]
    pub(crate) fn push(&mut self, value: &[u8]) -> Option<()> {
        self.values.extend_from_slice(value);
        self.ends.push(i32::try_from(self.values.len()).ok()?);
        Some(())
    }

    /// The column, or the first row that is not UTF-8.
    pub(crate) fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, usize> {
        let Self { values, ends } = self;
        let offsets = OffsetBuffer::new(ends.into());
        let values = Buffer::from_vec(values);
        // Arrow checks that all is UTF-8, and that no value ends inside of a character
        match StringArray::try_new(offsets.clone(), values.clone(), nulls) {
            Ok(array) => Ok(Arc::new(array)),
            Err(_) => Err(first_not_utf8(&offsets, &values)),
        }
    }
}

#[cold]
fn first_not_utf8(ends: &[i32], values: &[u8]) -> usize {
    let ends = ends.iter().map(|&end| usize::try_from(end).unwrap_or(0));
    let mut texts = ends.clone().zip(ends.skip(1)).map(|(start, end)| &values[start..end]);
    texts.position(|text| std::str::from_utf8(text).is_err()).unwrap_or(0)
}
