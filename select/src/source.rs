//! An opened file and how to read it.

use std::fs::File;

use arrow::datatypes::SchemaRef;

use crate::{Descriptor, Error, ErrorKind, Result};

/// What tells that a file is still the one that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Device that holds the file.
    pub device: u64,
    /// Inode on that device.
    pub inode: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Last modification, nanoseconds since 1970-01-01T00:00:00Z.
    pub modified_nanos: i128,
}

/// An opened file, its descriptor and its schema.
#[derive(Debug)]
pub struct Source {}

impl Source {
    /// Takes an opened file. `name` is what errors call it; the text of its descriptor is
    /// required for fixed-length files, optional for others.
    ///
    /// # Errors
    /// `Descriptor` when the descriptor does not fit the file, `Record` when the sample of a text
    /// file does not decode, `Io`.
    pub fn open(name: &str, file: File, descriptor: Option<Descriptor>) -> Result<Self> {
        let _ = (file, descriptor);
        Err(Error::new(ErrorKind::Unsupported, format!("{name}: no reader yet")))
    }

    /// What errors call the file.
    pub fn name(&self) -> &str {
        ""
    }

    /// The columns, in the file's order.
    pub fn schema(&self) -> &SchemaRef {
        unimplemented!()
    }

    /// "fixed" or "csv".
    pub fn format(&self) -> &'static str {
        ""
    }

    /// The file as it was when it was opened.
    pub fn identity(&self) -> Identity {
        unimplemented!()
    }

    /// Number of records, where the length of the file tells it.
    pub fn records(&self) -> Option<u64> {
        None
    }

    /// Bytes of a record, where they are fixed.
    pub fn record_bytes(&self) -> Option<u32> {
        None
    }

    /// How the file holds each column, for people: `zoned decimal, 11 bytes at 32, scale 2`.
    pub fn storage(&self, column: usize) -> String {
        let _ = column;
        String::new()
    }
}
