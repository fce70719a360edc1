//! Parquet files as a format: a turn is a row group or a part of one.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::turns::{ParquetTurns, RECORD_BYTES};
use super::{ParquetKeys, ParquetLayout};
use crate::columnar::column::check_fields;
use crate::format::{Encrypted, Format};
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::problem::descriptor::DescriptorProblem;
use crate::statistics::FileStatistics;
use crate::turns::{Numbered, Turns};
use crate::{Error, Result};

impl ParquetLayout {
    /// Reads the metadata of a file that has the columns `fields`, which its descriptor names.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); `Descriptor` when the file does not have such a column.
    pub(crate) fn of_file(file: &RawFile, keys: &ParquetKeys, fields: &[String]) -> Result<Self> {
        let layout = Self::open(file, keys)?;
        let name = file.name();
        match check_fields(name, &ParquetLayout::schema(&layout), fields) {
            // the file encrypts the names of its columns, which that error would list
            Err(_) if layout.is_whole() => {
                let descriptor = format!("{name}.toml");
                Err(Error::descriptor(descriptor, DescriptorProblem::UnknownFieldHidden))
            }
            checked => checked.map(|()| layout),
        }
    }
}

impl Format for ParquetLayout {
    fn word(&self) -> &'static str {
        "parquet"
    }

    fn schema(&self) -> Schema {
        ParquetLayout::schema(self)
    }

    fn storage(&self, column: usize) -> Option<String> {
        Some(self.columns.get(column)?.storage.clone())
    }

    fn positions(&self, _file_bytes: u64) -> Range<u64> {
        0..ParquetLayout::records(self)
    }

    fn turns(
        self: Arc<Self>,
        file: RawFile,
        extent: Extent,
        morsel_bytes: usize,
    ) -> Box<dyn Turns> {
        Box::new(Numbered::new(ParquetTurns::new(self, file, &extent.bytes, morsel_bytes)))
    }

    fn records(&self, _file_bytes: u64) -> Option<u64> {
        Some(ParquetLayout::records(self))
    }

    fn record_bytes_min(&self) -> usize {
        RECORD_BYTES
    }

    fn statistics(&self) -> Option<&dyn FileStatistics> {
        Some(self)
    }

    fn encryption(&self) -> Option<&dyn Encrypted> {
        self.encryption.is_some().then_some(self)
    }
}
