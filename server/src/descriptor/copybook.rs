//! Makes a descriptor for a file of fixed-length records from a COBOL copybook, and compares it
//! with the file: the length must be that of whole records, and the terminators are found in it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use clap::ValueEnum;
use sift_select::Descriptor;
use sift_select::copybook::{Copybook, CopybookOptions};

use super::{BYTES_MAX, Described, Error};

/// The number of records in which terminators are looked for.
const RECORDS_SEEN: u64 = 64;

/// The terminator of each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Terminator {
    /// Nothing
    None,
    Lf,
    Crlf,
    /// Newline of EBCDIC
    Nl,
}

impl Terminator {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::Nl => b"\x15",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lf => "lf",
            Self::Crlf => "crlf",
            Self::Nl => "nl",
        }
    }
}

/// Reads the copybook at `path`.
pub(crate) fn read(path: &Path, options: &CopybookOptions) -> Result<Copybook, Error> {
    let failed = |source| Error::Io { path: path.into(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if read as u64 > BYTES_MAX {
        return Err(Error::TooLarge { path: path.into() });
    }
    // comments may be in any encoding, what lays out the record is ASCII
    let text = String::from_utf8_lossy(&bytes);
    Ok(Copybook::parse(&path.display().to_string(), &text, options)?)
}

/// Writes the descriptor, which must not exist.
pub(crate) fn create(
    described: &Described,
    copybook: &Copybook,
    terminator: Option<Terminator>,
) -> Result<Descriptor, Error> {
    if described.text.is_some() {
        return Err(Error::Exists { path: described.path.clone() });
    }
    let terminator = match terminator {
        Some(terminator) => terminator,
        None => seen(described, copybook.record_bytes())?,
    };
    let text = copybook.to_descriptor(terminator.word());
    if text.len() as u64 > BYTES_MAX {
        return Err(Error::TooLarge { path: described.path.clone() });
    }
    let descriptor = described.parse(&text)?;
    // the length of the file has to be that of whole records
    described.source(Some(descriptor.clone()))?;
    described.replace(&text)?;
    Ok(descriptor)
}

/// Returns the terminator of the first records and of the last one.
fn seen(described: &Described, record_bytes: u32) -> Result<Terminator, Error> {
    let failed = |source| Error::Io { path: described.file.clone(), source };
    let file = File::open(&described.file).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    'next: for terminator in [Terminator::Crlf, Terminator::Lf, Terminator::Nl] {
        let expected = terminator.bytes();
        let stride = u64::from(record_bytes) + expected.len() as u64;
        let records = bytes / stride;
        if records == 0 || !bytes.is_multiple_of(stride) {
            continue;
        }
        for record in (1..=records.min(RECORDS_SEEN)).chain([records]) {
            let mut found = [0; 2];
            let found = &mut found[..expected.len()];
            let at = record * stride - expected.len() as u64;
            file.read_exact_at(found, at).map_err(failed)?;
            if found != expected {
                continue 'next;
            }
        }
        return Ok(terminator);
    }
    Ok(Terminator::None)
}
