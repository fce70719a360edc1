//! The table `lineitem` of TPC-H as files for Sift, with the same records in every format.
//!
//! The records come from the crate tpchgen, which makes the same records as the generator of the
//! TPC. The encoders share no code with the readers of `select`, so that each checks the other.
//! Source: TPC Benchmark H, revision 3.0.1, clauses 1.4 and 4.2.

mod csv;
mod fixed;
mod json_lines;
mod parquet;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use indicatif::ProgressBar;
use tpchgen::generators::{LineItem, LineItemGenerator};

pub use fixed::RECORD_BYTES;

/// The maximal scale factor: 600 million records. Larger keys do not fit in the fixed-length
/// fields.
pub const SCALE_MAX: f64 = 100.0;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Fixed-length records of [`RECORD_BYTES`], with a descriptor next to the file.
    Fixed,
    /// CSV of RFC 4180, with a header.
    Csv,
    /// JSON Lines, one object in each line.
    JsonLines,
    /// Parquet, compressed by Zstandard.
    Parquet,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Fixed, Self::Csv, Self::JsonLines, Self::Parquet];

    /// Returns the name of the format in `sift describe`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the name of the generated file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Fixed => "lineitem.dat",
            Self::Csv => "lineitem.csv",
            Self::JsonLines => "lineitem.jsonl",
            Self::Parquet => "lineitem.parquet",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is not a format: {names}")
        })
    }
}

/// A file with the records of `lineitem`.
#[derive(Clone, Debug)]
pub struct Lineitem {
    /// The path.
    pub path: PathBuf,
    /// The format.
    pub format: Format,
    /// The length.
    pub bytes: u64,
}

impl Lineitem {
    /// Writes `lineitem` at `scale` into `folder`, with a descriptor if the format needs one.
    /// `progress` counts orders. There are [`orders`] orders, and each has 1 to 7 records.
    ///
    /// # Errors
    /// An error of the operating system about the file, or a scale outside of 0 to [`SCALE_MAX`].
    pub fn generate(
        folder: &Path,
        format: Format,
        scale: f64,
        progress: &ProgressBar,
    ) -> io::Result<Self> {
        if !(scale > 0.0 && scale <= SCALE_MAX) {
            let text = format!("scale factor {scale}: from 0 (excluded) to {SCALE_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let path = folder.join(format.file_name());
        let out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        match format {
            Format::Fixed => write(out, scale, b"", fixed::encode, progress)?,
            Format::Csv => write(out, scale, csv::HEADER, csv::encode, progress)?,
            Format::JsonLines => write(out, scale, b"", json_lines::encode, progress)?,
            Format::Parquet => parquet::write(out, scale, progress)?,
        }
        Self::found(folder, format)
    }

    /// Returns the file that [`generate`](Self::generate) has made in `folder`. If its descriptor
    /// differs from the one of this version, the descriptor is written again.
    ///
    /// # Errors
    /// An error of the operating system about the file.
    pub fn found(folder: &Path, format: Format) -> io::Result<Self> {
        let path = folder.join(format.file_name());
        let bytes = fs::metadata(&path)?.len();
        let descriptor = descriptor_path(&path);
        if format == Format::Fixed
            && !fs::read_to_string(&descriptor).is_ok_and(|text| text == fixed::DESCRIPTOR)
        {
            fs::write(descriptor, fixed::DESCRIPTOR)?;
        }
        Ok(Self { path, format, bytes })
    }
}

/// Returns the number of orders at a scale factor.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count within the bounds of the scale"
)]
pub fn orders(scale: f64) -> u64 {
    (1_500_000.0 * scale) as u64
}

fn write(
    mut out: impl Write,
    scale: f64,
    header: &[u8],
    encode: fn(&LineItem<'_>, &mut Vec<u8>),
    progress: &ProgressBar,
) -> io::Result<()> {
    const RECORDS_PER_WRITE: usize = 1024;
    out.write_all(header)?;
    let mut buffer = Vec::new();
    let mut records = 0;
    let mut orders = 0;
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        encode(&item, &mut buffer);
        records += 1;
        orders += u64::from(item.l_linenumber == 1);
        if records % RECORDS_PER_WRITE == 0 {
            out.write_all(&buffer)?;
            buffer.clear();
            progress.inc(orders);
            orders = 0;
        }
    }
    out.write_all(&buffer)?;
    progress.inc(orders);
    out.flush()
}

/// Returns the path of the descriptor of the file at `path`.
pub fn descriptor_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".toml");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
