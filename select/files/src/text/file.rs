//! The bytes of a text file, whether it is compressed or not.

use crate::Result;
use crate::io::compressed::{Compression, Stream};
use crate::io::raw_file::RawFile;

/// The text in a file.
pub(crate) struct TextFile<'a> {
    pub(crate) file: &'a RawFile,
    pub(crate) compression: Option<Compression>,
}

impl TextFile<'_> {
    /// Returns the first `bytes_max` bytes, or all. If no more can be decompressed, it returns the
    /// whole lines before, if there are any: a scan finds and reports what is wrong.
    ///
    /// # Errors
    /// `Io`, `FileChanged`, `Record`
    pub(crate) fn first_bytes(&self, bytes_max: usize) -> Result<Vec<u8>> {
        let Some(compression) = self.compression else {
            let length = usize::try_from(self.file.bytes()).unwrap_or(usize::MAX).min(bytes_max);
            let mut bytes = vec![0; length];
            self.file.read(&mut bytes, 0)?;
            return Ok(bytes);
        };
        let mut stream = Stream::new(self.file.clone(), compression)?;
        let mut bytes = vec![0; bytes_max];
        let (used, end) = stream.read(&mut bytes);
        bytes.truncate(used);
        if let Some(Err(error)) = end {
            let line_feed = memchr::memrchr(b'\n', &bytes).ok_or(error)?;
            bytes.truncate(line_feed + 1);
        }
        Ok(bytes)
    }

    /// Returns whether there is anything after the byte `start` of the text.
    ///
    /// # Errors
    /// `Io`, `FileChanged`, `Record`
    pub(crate) fn goes_beyond(&self, start: u64) -> Result<bool> {
        if self.compression.is_none() {
            return Ok(self.file.bytes() > start);
        }
        // it is in the sample, so it is small
        let start = usize::try_from(start).unwrap_or(usize::MAX - 1);
        Ok(self.first_bytes(start + 1)?.len() > start)
    }
}

/// Returns whether the byte before `end` is a line feed.
pub(crate) fn ends_line(file: &RawFile, end: u64) -> bool {
    let mut last = [0];
    end > 0 && file.read(&mut last, end - 1).is_ok() && last == *b"\n"
}
