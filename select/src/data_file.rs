//! One opened data file and how to read it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use arrow::datatypes::Schema;

use crate::columnar::{ipc, parquet};
use crate::descriptor::{self, Descriptor};
use crate::extent::Extent;
use crate::source::Identity;
use crate::{Error, ErrorKind, Result, csv, fixed, json};

/// An opened file, its descriptor and its schema.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) name: String,
    file: File,
    pub(crate) identity: Identity,
    pub(crate) schema: Schema,
    pub(crate) layout: Layout,
}

/// How the records of the file are laid out.
#[derive(Debug)]
pub(crate) enum Layout {
    Fixed(fixed::Layout),
    Csv(csv::Layout),
    Json(json::Layout),
    Parquet(parquet::Layout),
    Arrow(ipc::Layout),
}

impl DataFile {
    /// As [`Source::open`](crate::Source::open).
    pub(crate) fn open(name: &str, file: File, descriptor: Option<Descriptor>) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io(name, error))?;
        if !metadata.is_file() {
            let message = format!("{name}: not a regular file");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let identity = Identity::from(&metadata);
        let (schema, layout) = match described(name, descriptor)? {
            descriptor::Layout::Fixed(layout) => {
                check_length(name, identity.bytes, &layout)?;
                (layout.schema(), Layout::Fixed(layout))
            }
            descriptor::Layout::Csv(options) => {
                let layout = csv::Layout::open(name, &file, identity.bytes, options)?;
                (layout.schema(), Layout::Csv(layout))
            }
            descriptor::Layout::Parquet(fields) => {
                let layout = parquet::Layout::open(name, &file, identity.bytes)?;
                let schema = layout.schema();
                check_fields(name, &schema, &fields)?;
                (schema, Layout::Parquet(layout))
            }
            descriptor::Layout::Arrow(fields) => {
                let layout = ipc::Layout::open(name, &file, identity.bytes)?;
                let schema = layout.schema();
                check_fields(name, &schema, &fields)?;
                (schema, Layout::Arrow(layout))
            }
            descriptor::Layout::Json(fields) | descriptor::Layout::ByName(fields) => {
                let first_bytes = |bytes_max| first_bytes(name, &file, identity.bytes, bytes_max);
                let layout = json::Layout::open(name, fields, first_bytes)?;
                (layout.schema(), Layout::Json(layout))
            }
        };
        Ok(Self { name: name.to_owned(), file, identity, schema, layout })
    }

    /// As [`Source::format_of`](crate::Source::format_of).
    pub(crate) fn format_of(name: &str, descriptor: Option<&Descriptor>) -> Option<&'static str> {
        match descriptor.map(Descriptor::format) {
            Some(Some(format)) => Some(format),
            // a descriptor that does not tell is one of CSV, unless the name does
            Some(None) => Some(by_name(name).unwrap_or("csv")),
            None => by_name(name),
        }
    }

    /// "fixed", "csv", "jsonl", "parquet" or "arrow".
    pub(crate) fn format(&self) -> &'static str {
        match &self.layout {
            Layout::Fixed(_) => "fixed",
            Layout::Csv(_) => "csv",
            Layout::Json(_) => "jsonl",
            Layout::Parquet(_) => "parquet",
            Layout::Arrow(_) => "arrow",
        }
    }

    /// Whether the file is no longer what it was when it was opened. To be asked when a scan is
    /// through: what was read may be a mixture then.
    ///
    /// # Errors
    /// `Io`
    pub(crate) fn changed(&self) -> Result<bool> {
        let metadata = self.file.metadata().map_err(|error| Error::io(&self.name, error))?;
        Ok(Identity::from(&metadata) != self.identity)
    }

    /// Whether there is anything behind a header.
    pub(crate) fn has_records(&self) -> bool {
        match &self.layout {
            Layout::Fixed(_) => self.identity.bytes > 0,
            Layout::Csv(layout) => self.identity.bytes > layout.start,
            Layout::Json(layout) => self.identity.bytes > layout.start,
            // its types are known without records, and have to be those of other files
            Layout::Parquet(_) | Layout::Arrow(_) => true,
        }
    }

    /// All its records.
    pub(crate) fn all(&self) -> Extent {
        let bytes = match &self.layout {
            Layout::Fixed(_) => 0..self.identity.bytes,
            Layout::Csv(layout) => layout.start..self.identity.bytes,
            Layout::Json(layout) => layout.start..self.identity.bytes,
            Layout::Parquet(layout) => 0..layout.records(),
            Layout::Arrow(layout) => 0..layout.records(),
        };
        Extent { first_record: 0, bytes }
    }

    /// All that decides where records are and what they hold, as text; `None` for formats that have
    /// no index.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        match &self.layout {
            Layout::Fixed(layout) => Some(format!("fixed {layout:?}")),
            Layout::Csv(layout) => Some(format!("csv {}", layout.fingerprint())),
            Layout::Json(layout) => Some(format!("jsonl {}", layout.fingerprint())),
            // what there are of statistics is in them
            Layout::Parquet(_) | Layout::Arrow(_) => None,
        }
    }

    /// Number of records, where the length of the file tells it.
    pub(crate) fn records(&self) -> Option<u64> {
        match &self.layout {
            Layout::Fixed(layout) => Some(self.identity.bytes / layout.stride as u64),
            Layout::Csv(_) | Layout::Json(_) => None,
            Layout::Parquet(layout) => Some(layout.records()),
            Layout::Arrow(layout) => Some(layout.records()),
        }
    }

    /// Bytes of a record, its terminator included, where they are fixed.
    pub(crate) fn record_bytes(&self) -> Option<u32> {
        match &self.layout {
            Layout::Fixed(layout) => u32::try_from(layout.stride).ok(),
            Layout::Csv(_) | Layout::Json(_) | Layout::Parquet(_) | Layout::Arrow(_) => None,
        }
    }

    /// Bytes that every record has at least; 1 or more.
    pub(crate) fn record_bytes_min(&self) -> usize {
        match &self.layout {
            Layout::Fixed(layout) => layout.stride,
            // Each field ends in a delimiter or with the record.
            Layout::Csv(_) => self.schema.fields().len().max(1),
            Layout::Json(_) => json::RECORD_BYTES_MIN,
            Layout::Parquet(_) => parquet::RECORD_BYTES,
            Layout::Arrow(_) => 1,
        }
    }

    /// How the file holds a column, for people: `zoned decimal, 11 bytes at 32, scale 2`.
    pub(crate) fn storage(&self, column: usize) -> String {
        match &self.layout {
            Layout::Fixed(layout) => layout.fields.get(column).map(ToString::to_string),
            Layout::Csv(layout) => layout.storage(column),
            Layout::Json(layout) => layout.storage(column),
            Layout::Parquet(layout) => layout.storage(column),
            Layout::Arrow(layout) => layout.storage(column),
        }
        .unwrap_or_default()
    }

    /// Fills `buffer` with the file's bytes from `at`.
    ///
    /// # Errors
    /// `FileChanged` when the file ends before; `Io`.
    pub(crate) fn read(&self, buffer: &mut [u8], at: u64) -> Result<()> {
        read(&self.name, &self.file, buffer, at)
    }
}

/// Fills `buffer` with the bytes from `at` of the file that errors call `name`.
pub(crate) fn read(name: &str, file: &File, buffer: &mut [u8], at: u64) -> Result<()> {
    file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            let message = format!("{name}: was truncated while it was read");
            Error::new(ErrorKind::FileChanged, message)
        }
        _ => Error::io(name, error),
    })
}

/// The first bytes of the file, so many or all.
fn first_bytes(name: &str, file: &File, file_bytes: u64, bytes_max: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file_bytes).unwrap_or(usize::MAX).min(bytes_max)];
    read(name, file, &mut bytes, 0)?;
    Ok(bytes)
}

/// Endings of names and the formats that they tell.
const ENDINGS: &[(&str, &str)] = &[
    ("csv", "csv"),
    ("tsv", "csv"),
    ("jsonl", "jsonl"),
    ("ndjson", "jsonl"),
    ("parquet", "parquet"),
    ("pq", "parquet"),
    ("arrow", "arrow"),
    ("feather", "arrow"),
    ("ipc", "arrow"),
];

/// The format that the ending of a name tells.
fn by_name(name: &str) -> Option<&'static str> {
    let ending = Path::new(name).extension()?;
    let known = ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
    known.map(|(_, format)| *format)
}

/// What the descriptor says of the records, and the name where it says nothing.
fn described(name: &str, descriptor: Option<Descriptor>) -> Result<descriptor::Layout> {
    match (descriptor, by_name(name)) {
        (Some(descriptor), format) => descriptor.layout.resolved(name, format.unwrap_or("csv")),
        (None, Some(format)) => descriptor::Layout::ByName(Vec::new()).resolved(name, format),
        (None, None) => {
            let endings: Vec<_> = ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
            let message = format!(
                "{name}: no descriptor {name}.toml, and its name has none of the endings {}",
                endings.join(", ")
            );
            Err(Error::new(ErrorKind::Descriptor, message))
        }
    }
}

/// Whether the fields of a descriptor are columns of a file that names them itself: one that is
/// misspelt would not be protected.
fn check_fields(name: &str, schema: &Schema, fields: &[String]) -> Result<()> {
    let Some(unknown) = fields.iter().find(|field| schema.index_of(field).is_err()) else {
        return Ok(());
    };
    let names = schema.fields().iter().take(20).map(|field| format!("`{}`", field.name()));
    let names = names.collect::<Vec<_>>().join(", ");
    let message = format!("{name}.toml: no field `{unknown}` in the file, which has {names}");
    Err(Error::new(ErrorKind::Descriptor, message))
}

fn check_length(name: &str, bytes: u64, layout: &fixed::Layout) -> Result<()> {
    let stride = layout.stride as u64;
    let (records, rest) = (bytes / stride, bytes % stride);
    if rest == 0 {
        return Ok(());
    }
    let message = format!(
        "{name}: {bytes} bytes are {records} records of {stride} bytes (terminator included) and {rest} bytes more"
    );
    Err(Error::new(ErrorKind::Descriptor, message))
}
