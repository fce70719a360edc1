//! A run of records in memory, whatever its format: what a scan decodes columns from.

use arrow::array::ArrayRef;

use crate::record::{RecordFault, Rows};
use crate::{Result, csv, fixed, ipc, json, parquet};

/// A run of whole records in memory.
pub enum Block<'a> {
    /// Of a fixed-length file.
    Fixed(fixed::Block<'a>),
    /// Of a CSV file.
    Csv(csv::Block<'a>),
    /// Of a Parquet file.
    Parquet(parquet::Block<'a>),
    /// Of an Arrow file.
    Arrow(ipc::Block<'a>),
    /// Of a file of JSON Lines.
    Json(json::Block<'a>),
}

impl Block<'_> {
    /// Number of whole records.
    pub fn records(&self) -> usize {
        match self {
            Block::Fixed(block) => block.records(),
            Block::Csv(block) => block.records(),
            Block::Parquet(block) => block.records(),
            Block::Arrow(block) => block.records(),
            Block::Json(block) => block.records(),
        }
    }

    /// The columns (indices of the schema) of those rows, one array each.
    ///
    /// # Errors
    /// The fault of the lowest record that has one in any of the columns: the records before it
    /// decode.
    pub fn decode(&self, columns: &[usize], rows: Rows<'_>) -> Result<Vec<ArrayRef>, RecordFault> {
        let mut arrays = Vec::with_capacity(columns.len());
        let mut first: Option<RecordFault> = None;
        for &column in columns {
            let decoded = match self {
                Block::Fixed(block) => block.decode(column, rows),
                Block::Csv(block) => block.decode(column, rows),
                Block::Parquet(block) => block.decode(column, rows),
                Block::Arrow(block) => block.decode(column, rows),
                Block::Json(block) => block.decode(column, rows),
            };
            match decoded {
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

    /// Returns whether the columns are all that those rows have.
    ///
    /// # Errors
    /// The fault of the first row that has more.
    pub fn check_listed(&self, rows: Rows<'_>) -> Result<(), RecordFault> {
        match self {
            Block::Json(block) => block.check_listed(rows),
            Block::Fixed(_) | Block::Csv(_) | Block::Parquet(_) | Block::Arrow(_) => Ok(()),
        }
    }

    /// What is wrong with the record behind the whole ones, where it could not be delimited.
    pub fn fault(&self) -> Option<&RecordFault> {
        match self {
            Block::Fixed(block) => block.fault(),
            Block::Csv(block) => block.fault(),
            Block::Parquet(_) | Block::Arrow(_) => None,
            Block::Json(block) => block.fault(),
        }
    }

    /// Where a record starts, in bytes from the start of the file, if all of it is there.
    pub fn byte_of(&self, record: usize) -> Option<u64> {
        match self {
            Block::Fixed(block) => Some(block.byte_of(record)),
            Block::Csv(block) => Some(block.byte_of(record)),
            Block::Parquet(_) | Block::Arrow(_) => None,
            Block::Json(block) => Some(block.byte_of(record)),
        }
    }
}
