//! [`Format`] tells how the records of one file are organised.
//!
//! A format is one implementor of it in a folder of its own, and one line in `formats.rs`. Methods
//! for things that only some formats have come with a default.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;

use crate::Result;
use crate::io::compressed::Compression;
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::sample::Sample;
use crate::statistics::FileStatistics;
use crate::turns::{GatherRecords, Turns};

/// The organisation of the records of one opened file.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// Returns the word for the format: `fixed`, `csv`, `jsonl`, `parquet`, `arrow`.
    fn word(&self) -> &'static str;

    /// Returns the columns.
    fn schema(&self) -> Schema;

    /// Returns how the file stores a column, for people: `zoned decimal, 11 bytes at 32, scale 2`.
    fn storage(&self, column: usize) -> Option<String>;

    /// Returns the positions of all records: bytes, or record numbers if the file stores columns.
    fn positions(&self, file_bytes: u64) -> Range<u64>;

    /// Divides a run of records into turns of about `morsel_bytes`.
    fn turns(self: Arc<Self>, file: RawFile, extent: Extent, morsel_bytes: usize)
    -> Box<dyn Turns>;

    /// Returns the number of records, if it is known without reading them.
    fn records(&self, _file_bytes: u64) -> Option<u64> {
        None
    }

    /// Returns the bytes of each record with its terminator, if all have the same length.
    fn record_bytes(&self) -> Option<u32> {
        None
    }

    /// Returns the least number of bytes that a record can have; 1 or more.
    fn record_bytes_min(&self) -> usize {
        1
    }

    /// Returns whether the file has anything after its header. Files that store their types may be
    /// empty and still have to fit other files.
    ///
    /// # Errors
    /// `Io`, `Record`
    fn has_records(&self, _file: &RawFile) -> Result<bool> {
        Ok(true)
    }

    /// Returns how the whole file is compressed.
    fn compression(&self) -> Option<Compression> {
        None
    }

    /// Returns the reader of records that were gathered from several places of the file.
    fn gathering(self: Arc<Self>) -> Option<Arc<dyn GatherRecords>> {
        None
    }

    /// Returns all that determines where records are and what they mean, as text. An index is of a
    /// file with one fingerprint; `None` means that the format has no index.
    fn fingerprint(&self) -> Option<String> {
        None
    }

    /// Returns whether a record ends with the byte before `end`.
    fn ends_record(&self, _file: &RawFile, _end: u64) -> bool {
        false
    }

    /// Returns the statistics that the file itself stores.
    fn statistics(&self) -> Option<&dyn FileStatistics> {
        None
    }

    /// Returns which columns are encrypted, if any.
    fn encryption(&self) -> Option<&dyn Encrypted> {
        None
    }

    /// Returns how types and columns come from the first records, if the format infers any.
    fn inference(&self) -> Option<&dyn Inference> {
        None
    }
}

/// The encryption of a file by the means of its format.
pub(crate) trait Encrypted {
    /// Returns whether the whole file is encrypted, including the names of its columns.
    fn is_whole(&self) -> bool;

    /// Returns whether a part of a column is encrypted.
    fn encrypts(&self, column: usize) -> bool;

    /// Returns what to call the missing key of a column.
    fn key_missing(&self, column: usize) -> Option<&str>;
}

/// A format that infers types from the first records.
pub(crate) trait Inference {
    /// Returns whether the types of some columns come from the first records.
    fn infers_types(&self) -> bool;

    /// Returns whether the columns themselves come from the first records, so that later records
    /// may have more.
    fn infers_columns(&self) -> bool {
        false
    }

    /// Returns an empty sample. [`Block::sample`](crate::block::Block::sample) fills it.
    fn sample(&self) -> Sample;

    /// Returns the same format with types, and inferred columns, from a sample. Declared types and
    /// the columns `unchanged` stay. A column with a name that `shows` refuses is a text, or is
    /// left out if columns are inferred. Errors call the file `name`.
    ///
    /// # Errors
    /// `Descriptor` when the members of the sample cannot be columns.
    fn with_types_of(
        &self,
        name: &str,
        sample: Sample,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
    ) -> Result<Arc<dyn Format>>;
}
