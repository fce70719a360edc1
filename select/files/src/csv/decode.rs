//! One column of a block of CSV records as an Arrow array.

use arrow::array::ArrayRef;

use super::CsvBlock;
use crate::block::Block;
use crate::record::Rows;
use crate::text;
use crate::text::{Cells, Numbers};

/// The column of those rows; the error is the first record that does not decode.
pub(super) fn column(
    block: &CsvBlock<'_>,
    column: usize,
    rows: Rows<'_>,
) -> Result<ArrayRef, usize> {
    let super::CsvField { kind, declared, .. } = block.layout.fields[column];
    let numbers = if declared { Numbers::Any } else { Numbers::Plain };
    match rows {
        Rows::All => {
            let records = 0..block.records();
            text::column(&CsvCells { block, column, records, numbers }, kind)
        }
        Rows::Selected(rows) => {
            let records = rows.iter().map(|&row| row as usize);
            text::column(&CsvCells { block, column, records, numbers }, kind)
        }
    }
}

/// A field of some records of a block.
struct CsvCells<'a, R> {
    block: &'a CsvBlock<'a>,
    column: usize,
    records: R,
    numbers: Numbers,
}

impl<R: ExactSizeIterator<Item = usize> + Clone> Cells for CsvCells<'_, R> {
    fn len(&self) -> usize {
        self.records.len()
    }

    #[inline(always)]
    fn each(&self, mut push: impl FnMut(Option<&[u8]>) -> Option<()>) -> Result<(), usize> {
        let mut scratch = Vec::new();
        for record in self.records.clone() {
            push(self.block.value(record, self.column, &mut scratch)).ok_or(record)?;
        }
        Ok(())
    }

    fn record(&self, place: usize) -> usize {
        self.records.clone().nth(place).unwrap_or(0)
    }

    fn numbers(&self) -> Numbers {
        self.numbers
    }
}
