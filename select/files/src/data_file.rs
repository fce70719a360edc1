//! One opened data file and how to read it.

use std::fs::File;
use std::path::Path;

use arrow::datatypes::Schema;

use crate::descriptor::Descriptor;
use crate::io::compressed::{Compression, Stream};
use crate::io::extent::Extent;
use crate::io::identity::{Identity, Look};
use crate::io::raw_file::RawFile;
use crate::key_spec::{KeyColumn, KeySpec, is_ordered};
use crate::parquet::ParquetKeys;
use crate::{Error, ErrorKind, Result, csv, descriptor, fixed, ipc, json, parquet};

/// An opened file, its descriptor and its schema.
#[derive(Debug)]
pub struct DataFile {
    file: RawFile,
    pub(crate) compression: Option<Compression>,
    /// Whether there is anything behind a header.
    has_records: bool,
    /// Its columns.
    pub schema: Schema,
    /// Its format, and how its records are laid out.
    pub layout: Layout,
    /// The keys that its descriptor declares.
    pub keys: Vec<KeySpec>,
    /// Whether its descriptor promises that records are only ever appended.
    pub append_only: bool,
    /// True if a view has determined the layout.
    of_view: bool,
}

/// How the records of the file are laid out.
#[derive(Debug)]
pub enum Layout {
    /// Records of one length.
    Fixed(fixed::Layout),
    /// Comma-separated values.
    Csv(csv::Layout),
    /// JSON Lines.
    Json(json::Layout),
    /// Parquet.
    Parquet(parquet::Layout),
    /// An Arrow IPC file.
    Arrow(ipc::Layout),
}

impl DataFile {
    /// As [`Source::open_with_keys`](sift_select::source::Source::open_with_keys).
    pub fn open(
        name: &str,
        file: File,
        descriptor: Option<Descriptor>,
        parquet_keys: &ParquetKeys,
    ) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io(name, error))?;
        if !metadata.is_file() {
            let message = format!("{name}: not a regular file");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let (declared, append_only) = match &descriptor {
            Some(descriptor) => (descriptor.keys.clone(), descriptor.append_only),
            None => (Vec::new(), false),
        };
        // one that grows all the time would be waited for in vain
        let look = if append_only { Look::new(&file) } else { Look::settled(&file) };
        let look = look.map_err(|error| Error::io(name, error))?;
        let file = RawFile::new(name, file, look);
        let bytes = file.bytes();
        let text = Text { file: &file, compression: compression_of(name, &descriptor) };
        let first_bytes = |bytes_max| text.first_bytes(bytes_max);
        let (schema, layout) = match described(name, descriptor)? {
            descriptor::Layout::Fixed(layout) => {
                check_length(name, bytes, &layout)?;
                (layout.schema(), Layout::Fixed(layout))
            }
            descriptor::Layout::Csv(options) => {
                let layout = csv::Layout::open(name, with_tabs(name, options), first_bytes)?;
                (layout.schema(), Layout::Csv(layout))
            }
            descriptor::Layout::Parquet(fields) => {
                let layout = parquet::Layout::open(&file, parquet_keys)?;
                let schema = layout.schema();
                check_fields(name, &schema, &fields).map_err(|error| {
                    match layout.is_encrypted() {
                        // which columns there are is encrypted in the file
                        true => {
                            let message = format!("{name}.toml: a field of it is not in the file");
                            Error::new(ErrorKind::Descriptor, message)
                        }
                        false => error,
                    }
                })?;
                (schema, Layout::Parquet(layout))
            }
            descriptor::Layout::Arrow(fields) => {
                let layout = ipc::Layout::open(&file)?;
                let schema = layout.schema();
                check_fields(name, &schema, &fields)?;
                (schema, Layout::Arrow(layout))
            }
            descriptor::Layout::Json(fields) | descriptor::Layout::ByName(fields) => {
                let layout = json::Layout::open(name, fields, first_bytes)?;
                (layout.schema(), Layout::Json(layout))
            }
        };
        let (has_records, compression) = match &layout {
            Layout::Fixed(_) => (bytes > 0, None),
            Layout::Csv(csv::Layout { start, .. }) | Layout::Json(json::Layout { start, .. }) => {
                (text.goes_beyond(*start)?, text.compression)
            }
            // its types are known without records, and have to be those of other files
            Layout::Parquet(_) | Layout::Arrow(_) => (true, None),
        };
        let keys = key_specs(name, &schema, &declared)?;
        if !keys.is_empty() && compression.is_some() {
            let message = format!("{name}.toml: a compressed file has no `[[key]]`");
            return Err(Error::new(ErrorKind::Descriptor, message));
        }
        Ok(Self {
            file,
            compression,
            has_records,
            schema,
            layout,
            keys,
            append_only,
            of_view: false,
        })
    }

    /// Returns the same open file with the layout for a view, which shows records of it or none. It
    /// has no keys.
    pub fn of_view(&self, layout: Layout, has_records: bool) -> Self {
        let schema = match &layout {
            Layout::Csv(layout) => layout.schema(),
            Layout::Json(layout) => layout.schema(),
            Layout::Fixed(_) | Layout::Parquet(_) | Layout::Arrow(_) => self.schema.clone(),
        };
        Self {
            file: self.file.clone(),
            schema,
            layout,
            keys: Vec::new(),
            has_records,
            of_view: true,
            ..*self
        }
    }

    /// Returns whether the types of some columns come from the first records, hidden ones included.
    pub fn infers_types(&self) -> bool {
        if self.of_view {
            return false;
        }
        match &self.layout {
            Layout::Csv(layout) => layout.infers_types(),
            Layout::Json(layout) => layout.infers_types(),
            Layout::Fixed(_) | Layout::Parquet(_) | Layout::Arrow(_) => false,
        }
    }

    /// As [`Source::format_of`](sift_select::source::Source::format_of).
    pub fn format_of(name: &str, descriptor: Option<&Descriptor>) -> Option<&'static str> {
        let format = match descriptor.map(Descriptor::format) {
            Some(Some(format)) => Some(format),
            // a descriptor that does not tell is one of CSV, unless the name does
            Some(None) => Some(by_name(name).unwrap_or("csv")),
            None => by_name(name),
        };
        Some(with_compression(format?, compression_of(name, &descriptor.cloned())))
    }

    /// "fixed", "csv", "jsonl", "parquet" or "arrow", with the compression behind it: "csv, gzip".
    pub fn format(&self) -> &'static str {
        let format = match &self.layout {
            Layout::Fixed(_) => "fixed",
            Layout::Csv(_) => "csv",
            Layout::Json(_) => "jsonl",
            Layout::Parquet(_) => "parquet",
            Layout::Arrow(_) => "arrow",
        };
        with_compression(format, self.compression)
    }

    /// Returns the file as it lies.
    pub fn raw(&self) -> &RawFile {
        &self.file
    }

    /// Returns the name that errors call the file.
    pub fn name(&self) -> &str {
        self.file.name()
    }

    /// Returns what the file was when it was opened.
    pub fn identity(&self) -> Identity {
        self.file.identity()
    }

    /// Returns whether the file is no longer what it was when it was opened, or might not be. If
    /// records are only ever appended to it, growth does not count. Ask this after a scan: if it is
    /// true, what was read may be a mixture.
    ///
    /// # Errors
    /// `Io`
    pub fn changed(&self) -> Result<bool> {
        if self.append_only {
            let now = self.file.identity_now()?;
            if now == self.identity() || now.bytes > self.identity().bytes {
                return Ok(false);
            }
        }
        Ok(!self.file.is_unchanged()?)
    }

    /// Whether there is anything behind a header.
    pub fn has_records(&self) -> bool {
        self.has_records
    }

    /// All its records.
    pub fn all(&self) -> Extent {
        let bytes = match &self.layout {
            // where records are is told of the bytes in it
            _ if self.compression.is_some() => 0..self.identity().bytes,
            Layout::Fixed(_) => 0..self.identity().bytes,
            Layout::Csv(layout) => layout.start..self.identity().bytes,
            Layout::Json(layout) => layout.start..self.identity().bytes,
            Layout::Parquet(layout) => 0..layout.records(),
            Layout::Arrow(layout) => 0..layout.records(),
        };
        Extent { first_record: 0, records: self.records(), bytes }
    }

    /// Whether a record ends with the byte before `end`.
    pub fn ends_record(&self, end: u64) -> bool {
        let mut last = [0];
        match &self.layout {
            Layout::Fixed(layout) => end.is_multiple_of(layout.stride as u64),
            _ => end > 0 && self.file.read(&mut last, end - 1).is_ok() && last == *b"\n",
        }
    }

    /// Whether records can be read apart from those around them.
    pub(crate) fn can_be_gathered(&self) -> bool {
        self.compression.is_none()
            && matches!(self.layout, Layout::Fixed(_) | Layout::Csv(_) | Layout::Json(_))
    }

    /// All that decides where records are and what they hold, as text; `None` for formats that have
    /// no index.
    pub fn fingerprint(&self) -> Option<String> {
        match &self.layout {
            // where records are in its bytes is not known
            _ if self.compression.is_some() => None,
            Layout::Fixed(layout) => Some(format!("fixed {layout:?}")),
            Layout::Csv(layout) => Some(format!("csv {}", layout.fingerprint())),
            Layout::Json(layout) => Some(format!("jsonl {}", layout.fingerprint())),
            // what there are of statistics is in them
            Layout::Parquet(_) | Layout::Arrow(_) => None,
        }
    }

    /// Number of records, where the length of the file tells it.
    pub fn records(&self) -> Option<u64> {
        match &self.layout {
            Layout::Fixed(layout) => Some(self.identity().bytes / layout.stride as u64),
            Layout::Csv(_) | Layout::Json(_) => None,
            Layout::Parquet(layout) => Some(layout.records()),
            Layout::Arrow(layout) => Some(layout.records()),
        }
    }

    /// Bytes of a record, its terminator included, where they are fixed.
    pub fn record_bytes(&self) -> Option<u32> {
        match &self.layout {
            Layout::Fixed(layout) => u32::try_from(layout.stride).ok(),
            Layout::Csv(_) | Layout::Json(_) | Layout::Parquet(_) | Layout::Arrow(_) => None,
        }
    }

    /// Bytes that every record has at least; 1 or more.
    pub fn record_bytes_min(&self) -> usize {
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
    pub fn storage(&self, column: usize) -> String {
        match &self.layout {
            Layout::Fixed(layout) => layout.fields.get(column).map(ToString::to_string),
            Layout::Csv(layout) => layout.storage(column),
            Layout::Json(layout) => layout.storage(column),
            Layout::Parquet(layout) => layout.storage(column),
            Layout::Arrow(layout) => layout.storage(column),
        }
        .unwrap_or_default()
    }

    /// Whether all of it is encrypted by the means of its format, the names of its columns too.
    pub fn is_encrypted(&self) -> bool {
        matches!(&self.layout, Layout::Parquet(layout) if layout.is_encrypted())
    }

    /// Whether some of a column is encrypted by the means of its format.
    pub fn encrypts(&self, column: usize) -> bool {
        matches!(&self.layout, Layout::Parquet(layout) if layout.encrypts(column))
    }

    /// Whether the keys of some columns are at hand.
    ///
    /// # Errors
    /// `KeyMissing` for the first whose key is not.
    pub fn check_keys(&self, columns: &[usize]) -> Result<()> {
        let Layout::Parquet(layout) = &self.layout else { return Ok(()) };
        for column in columns {
            if let Some(which) = layout.key_missing(*column) {
                let column = self.schema.field(*column).name();
                let message = format!("{}: column `{column}` is encrypted by {which}", self.name());
                return Err(Error::new(ErrorKind::KeyMissing, message));
            }
        }
        Ok(())
    }
}

/// The bytes of a text file, compressed or not.
struct Text<'a> {
    file: &'a RawFile,
    compression: Option<Compression>,
}

impl Text<'_> {
    /// The first bytes, so many or all. Where no more can be decompressed, the whole lines before
    /// count, if there are any: what is wrong is told when a scan comes to it.
    fn first_bytes(&self, bytes_max: usize) -> Result<Vec<u8>> {
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

    fn goes_beyond(&self, start: u64) -> Result<bool> {
        if self.compression.is_none() {
            return Ok(self.file.bytes() > start);
        }
        // it is in the sample, so it is small
        let start = usize::try_from(start).unwrap_or(usize::MAX - 1);
        Ok(self.first_bytes(start + 1)?.len() > start)
    }
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

/// The format that the ending of a name tells, behind which one of a compression may stand.
fn by_name(name: &str) -> Option<&'static str> {
    let (compression, inner) = Compression::of_name(name);
    let ending = Path::new(inner).extension()?;
    let known = ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
    let format = known.map(|(_, format)| *format);
    format.filter(|format| compression.is_none() || is_text(format))
}

fn is_text(format: &str) -> bool {
    matches!(format, "csv" | "jsonl")
}

/// How the file is compressed, by its descriptor or its name.
fn compression_of(name: &str, descriptor: &Option<Descriptor>) -> Option<Compression> {
    let told = descriptor.as_ref().and_then(|descriptor| descriptor.compression);
    told.unwrap_or(Compression::of_name(name).0)
}

fn with_compression(format: &'static str, compression: Option<Compression>) -> &'static str {
    match (format, compression) {
        ("csv", Some(Compression::Gzip)) => "csv, gzip",
        ("csv", Some(Compression::Zstd)) => "csv, zstd",
        ("jsonl", Some(Compression::Gzip)) => "jsonl, gzip",
        ("jsonl", Some(Compression::Zstd)) => "jsonl, zstd",
        _ => format,
    }
}

/// A name in .tsv tells the delimiter, unless the descriptor does.
fn with_tabs(name: &str, options: csv::Options) -> csv::Options {
    let ending = Path::new(Compression::of_name(name).1).extension();
    let tabs = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("tsv")).then_some(b'\t');
    csv::Options { delimiter: options.delimiter.or(tabs), ..options }
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

/// The keys of a descriptor, with the columns of the file.
fn key_specs(name: &str, schema: &Schema, declared: &[descriptor::Key]) -> Result<Vec<KeySpec>> {
    let error = |key: &descriptor::Key, complaint: String| {
        let message = format!("{name}.toml: key `{}`: {complaint}", key.name);
        Error::new(ErrorKind::Descriptor, message)
    };
    let spec = |key: &descriptor::Key| {
        let columns = key.columns.iter().map(|(column, descending)| {
            let unknown = || error(key, format!("no field `{column}` in the file"));
            let index = schema.index_of(column).map_err(|_unknown| unknown())?;
            if schema.fields().iter().skip(index + 1).any(|field| field.name() == column) {
                return Err(error(
                    key,
                    format!("several fields in the file are called `{column}`"),
                ));
            }
            Ok(KeyColumn { column: index, descending: *descending })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        if columns.iter().any(|key| !is_ordered(schema.field(key.column).data_type())) {
            return Err(error(key, "a column of it has values without an order".to_owned()));
        }
        Ok(KeySpec { name: key.name.clone(), columns, unique: key.unique })
    };
    declared.iter().map(spec).collect()
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
