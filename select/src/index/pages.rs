//! The pages of an index: runs of bytes in one file, each with its position and its checksum.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::ops::Range;

use super::store;
use crate::gather::spill::SpillDirectory;
use sift_files::io::waiting::{Waiting, WouldBlock, read_exact_at};

/// The position of a page, and what its bytes have to be.
#[derive(Clone, Debug)]
pub(super) struct PagePlace {
    /// Counted from the first page of the file.
    pub(super) bytes: Range<u64>,
    pub(super) checksum: u32,
}

impl PagePlace {
    /// Returns the number of bytes.
    pub(super) fn byte_len(&self) -> u64 {
        self.bytes.end.saturating_sub(self.bytes.start)
    }

    /// Returns whether the page lies in a file with `bytes` of pages and has at most `bytes_max`.
    pub(super) fn is_within(&self, bytes: u64, bytes_max: usize) -> bool {
        let Range { start, end } = self.bytes;
        start <= end && end <= bytes && end - start <= bytes_max as u64
    }
}

/// The file of the pages.
#[derive(Debug)]
pub(crate) struct PageFile {
    pub(super) file: File,
    /// The position of the first page.
    pub(super) start: u64,
    /// Bytes of all pages.
    pub(super) bytes: u64,
}

impl PageFile {
    /// Reads a page whose length was checked; `None` if it cannot be read, or is damaged.
    pub(super) fn read(
        &self,
        place: &PagePlace,
        waiting: Waiting,
    ) -> Result<Option<Vec<u8>>, WouldBlock> {
        let Ok(length) = usize::try_from(place.byte_len()) else { return Ok(None) };
        let mut bytes = vec![0; length];
        match read_exact_at(&self.file, &mut bytes, self.start + place.bytes.start, waiting) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(WouldBlock),
            Err(_) => return Ok(None),
            Ok(()) => {}
        }
        Ok((store::checksum(&bytes) == place.checksum).then_some(bytes))
    }
}

/// Writes pages one after the other into a file without a name.
pub(super) struct PageWriter {
    file: BufWriter<File>,
    bytes: u64,
}

impl PageWriter {
    pub(super) fn new(spill: Option<&SpillDirectory>) -> io::Result<Self> {
        let file = match spill {
            Some(spill) => tempfile::tempfile_in(spill.path()),
            None => tempfile::tempfile(),
        };
        Ok(Self { file: BufWriter::new(file?), bytes: 0 })
    }

    pub(super) fn write(&mut self, page: &[u8]) -> io::Result<PagePlace> {
        self.file.write_all(page)?;
        let start = self.bytes;
        self.bytes += page.len() as u64;
        Ok(PagePlace { bytes: start..self.bytes, checksum: store::checksum(page) })
    }

    pub(super) fn finish(self) -> io::Result<PageFile> {
        let Self { file, bytes } = self;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(PageFile { file, start: 0, bytes })
    }
}
