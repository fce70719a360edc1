//! A run of records in memory, from which a scan decodes columns.

use arrow::array::ArrayRef;

use crate::record::{RecordFault, Rows};
use crate::sample::Sample;

/// A run of whole records in memory, of any format. Each call is for a column of many records.
pub trait Block {
    /// Returns the number of whole records.
    fn records(&self) -> usize;

    /// Decodes a column (an index of the schema) of those rows. Texts may come as a dictionary of
    /// texts, which [`expanded`](crate::types::expanded) makes texts of.
    ///
    /// # Errors
    /// The fault of the first row that does not decode.
    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault>;

    /// Returns what is wrong with the record after the whole ones, if its end could not be found.
    fn fault(&self) -> Option<&RecordFault> {
        None
    }

    /// Returns where a record starts, in bytes from the start of the file, if all of it is there.
    fn byte_of(&self, _record: usize) -> Option<u64> {
        None
    }

    /// Returns where each record starts, as [`byte_of`](Self::byte_of) does.
    fn starts(&self) -> Option<Vec<u64>> {
        (0..self.records()).map(|record| self.byte_of(record)).collect()
    }

    /// Checks that those rows have no values outside the columns of the file.
    ///
    /// # Errors
    /// The fault of the first row that has more.
    fn check_listed(&self, _rows: Rows<'_>) -> Result<(), RecordFault> {
        Ok(())
    }

    /// Adds the values of some records to a sample of the same format.
    fn sample(&self, _records: &[usize], _sample: &mut Sample) {}

    /// Decodes some columns (indices of the schema) of those rows, one array each.
    ///
    /// # Errors
    /// The fault of the lowest record that has one in any of the columns: the records before it
    /// decode.
    fn decode(&self, columns: &[usize], rows: Rows<'_>) -> Result<Vec<ArrayRef>, RecordFault> {
        let mut arrays = Vec::with_capacity(columns.len());
        let mut first: Option<RecordFault> = None;
        for &column in columns {
            match self.decode_column(column, rows) {
                Ok(array) => arrays.push(array),
                Err(fault) if first.as_ref().is_none_or(|first| fault.record < first.record) => {
                    first = Some(fault);
                }
                Err(_) => {}
            }
        }
        match first {
            None => Ok(arrays),
            Some(fault) => Err(fault),
        }
    }
}
