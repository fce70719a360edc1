//! One opened data file and how to read it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::descriptor::{DeclaredLayout, Descriptor};
use crate::error::Unsupported;
use crate::format::{Encrypted, Format, Inference};
use crate::io::compressed::Compression;
use crate::io::extent::Extent;
use crate::io::identity::{Identity, Look};
use crate::io::raw_file::RawFile;
use crate::key_spec::{KeyColumn, KeySpec, is_ordered};
use crate::nothing::OneRecord;
use crate::parquet::ParquetKeys;
use crate::problem::descriptor::DescriptorProblem;
use crate::sample::Sample;
use crate::statistics::FileStatistics;
use crate::turns::{GatherRecords, Turns};
use crate::{Error, ErrorKind, Result, descriptor, formats};

/// An opened file, its descriptor and its schema.
#[derive(Debug)]
pub struct DataFile {
    file: RawFile,
    format: Arc<dyn Format>,
    /// True if there is anything after a header.
    has_records: bool,
    /// The columns.
    pub schema: Schema,
    /// The keys that the descriptor declares.
    pub keys: Vec<KeySpec>,
    /// True if the descriptor promises that records are only ever appended.
    pub append_only: bool,
    /// True if a view has determined the types.
    of_view: bool,
}

impl DataFile {
    /// Takes an opened file, which errors call `name`. The ending of the name tells the format of a
    /// file without descriptor. `parquet_keys` are the keys of an encrypted Parquet file.
    ///
    /// # Errors
    /// `Descriptor` when there is no descriptor for a file that needs one, or when it does not fit
    /// the file; `Record` when the header or the metadata of the file is damaged; `KeyMissing` when
    /// the whole file is encrypted and its key is missing; `LimitExceeded`, `Unsupported`, `Io`,
    /// `FileChanged`.
    pub fn open(
        name: &str,
        file: File,
        descriptor: Option<Descriptor>,
        parquet_keys: &ParquetKeys,
    ) -> Result<Self> {
        let metadata = file.metadata().map_err(|error| Error::io(name, error))?;
        if !metadata.is_file() {
            let (file, reason) = (name.to_owned(), Unsupported::NotRegular);
            return Err(ErrorKind::Unsupported { file, reason }.into());
        }
        let (declared, append_only) = match &descriptor {
            Some(descriptor) => (descriptor.keys.clone(), descriptor.append_only),
            None => (Vec::new(), false),
        };
        // a file that grows all the time never settles
        let look = if append_only { Look::new(&file) } else { Look::settled(&file) };
        let look = look.map_err(|error| Error::io(name, error))?;
        let file = RawFile::new(name, file, look);
        let compression = compression_of(name, descriptor.as_ref());
        let format = formats::open(described(name, descriptor)?, &file, compression, parquet_keys)?;
        let has_records = format.has_records(&file)?;
        let schema = format.schema();
        let keys = key_specs(name, &schema, &declared)?;
        if !keys.is_empty() && format.compression().is_some() {
            let descriptor = format!("{name}.toml");
            return Err(Error::descriptor(descriptor, DescriptorProblem::CompressedKey));
        }
        Ok(Self { file, format, has_records, schema, keys, append_only, of_view: false })
    }

    /// Returns what a Select without FROM reads: a file in memory that counts as one record without
    /// columns.
    ///
    /// # Errors
    /// `Io`
    pub fn of_nothing() -> Result<Self> {
        let name = "SELECT";
        let made = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
        // Linux before 6.3 does not know the seal
        let made = made.or_else(|_| memfd_create(name, MemfdFlags::CLOEXEC));
        let file = made.map(File::from).map_err(Into::into);
        let looked = file.and_then(|file| Ok((Look::new(&file)?, file)));
        let (look, file) = looked.map_err(|error| Error::io(name, error))?;
        Ok(Self {
            file: RawFile::new(name, file, look),
            format: Arc::new(OneRecord),
            has_records: true,
            schema: Schema::empty(),
            keys: Vec::new(),
            // nobody else has the file, so it need not have a name and does not change
            append_only: true,
            of_view: false,
        })
    }

    /// Returns an empty sample of records, from which a view can determine the types; `None` if the
    /// types come from the file or its descriptor alone.
    pub fn sample(&self) -> Option<Sample> {
        self.infers_types().then(|| self.format.inference().map(Inference::sample))?
    }

    /// Returns the same open file with types, and inferred columns, from a sample of the records
    /// that a view shows. The columns `unchanged` stay. A column with a name that `shows` refuses
    /// is a text, or is left out if columns are inferred. `has_records` says whether the view shows
    /// any record. The file has no keys then.
    ///
    /// # Errors
    /// `Descriptor` when the members of the sample cannot be columns.
    pub fn of_view(
        &self,
        sample: Sample,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
        has_records: bool,
    ) -> Result<Self> {
        let format = match self.format.inference() {
            Some(inference) => inference.with_types_of(self.name(), sample, unchanged, shows)?,
            None => Arc::clone(&self.format),
        };
        Ok(Self {
            file: self.file.clone(),
            schema: format.schema(),
            format,
            keys: Vec::new(),
            has_records,
            append_only: self.append_only,
            of_view: true,
        })
    }

    /// Returns whether the types of some columns come from the first records, hidden ones included.
    pub fn infers_types(&self) -> bool {
        !self.of_view && self.format.inference().is_some_and(Inference::infers_types)
    }

    /// Returns whether the columns are the members of the first records, so that later records may
    /// have more.
    pub fn infers_columns(&self) -> bool {
        self.format.inference().is_some_and(Inference::infers_columns)
    }

    /// Returns the format that a file would be opened with, told by its descriptor or the ending of
    /// its name alone; `None` if [`open`](Self::open) would refuse it.
    pub fn format_of(name: &str, descriptor: Option<&Descriptor>) -> Option<&'static str> {
        let format = match descriptor.map(Descriptor::format) {
            Some(Some(format)) => Some(format),
            // a descriptor that does not tell is one of CSV, unless the name does
            Some(None) => Some(by_name(name).unwrap_or("csv")),
            None => by_name(name),
        };
        Some(with_compression(format?, compression_of(name, descriptor)))
    }

    /// Returns the word for the format, then that for its compression: `csv, gzip`.
    pub fn format(&self) -> &'static str {
        with_compression(self.format.word(), self.format.compression())
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

    /// Returns whether there is anything after a header.
    pub fn has_records(&self) -> bool {
        self.has_records
    }

    /// Returns the extent of all records.
    pub fn all(&self) -> Extent {
        let bytes = self.format.positions(self.identity().bytes);
        Extent { first_record: 0, records: self.records(), bytes }
    }

    /// Returns whether a record ends with the byte before `end`, for formats that have an index.
    pub fn ends_record(&self, end: u64) -> bool {
        self.format.ends_record(&self.file, end)
    }

    /// Returns the reader of records that were gathered from several places, if the format has one.
    pub(crate) fn gathering(&self) -> Option<Arc<dyn GatherRecords>> {
        Arc::clone(&self.format).gathering()
    }

    /// Divides a run of records into turns of about `morsel_bytes`.
    pub(crate) fn turns(&self, extent: Extent, morsel_bytes: usize) -> Box<dyn Turns> {
        Arc::clone(&self.format).turns(self.file.clone(), extent, morsel_bytes)
    }

    /// Returns all that determines where records are and what they mean, as text; `None` for files
    /// that cannot have an index.
    pub fn fingerprint(&self) -> Option<String> {
        self.format.fingerprint()
    }

    /// Returns the statistics that the file itself stores.
    pub fn statistics(&self) -> Option<&dyn FileStatistics> {
        self.format.statistics()
    }

    /// Returns the number of records, if it is known without reading them.
    pub fn records(&self) -> Option<u64> {
        self.format.records(self.identity().bytes)
    }

    /// Returns the bytes of each record with its terminator, if all have the same length.
    pub fn record_bytes(&self) -> Option<u32> {
        self.format.record_bytes()
    }

    /// Returns the least number of bytes that a record can have; 1 or more.
    pub fn record_bytes_min(&self) -> usize {
        self.format.record_bytes_min()
    }

    /// Returns how the file stores a column, for people: `zoned decimal, 11 bytes at 32, scale 2`.
    pub fn storage(&self, column: usize) -> String {
        self.format.storage(column).unwrap_or_default()
    }

    /// Returns whether the whole file is encrypted by the means of its format, including the names
    /// of its columns.
    pub fn is_encrypted(&self) -> bool {
        self.format.encryption().is_some_and(Encrypted::is_whole)
    }

    /// Returns whether a part of a column is encrypted by the means of its format.
    pub fn encrypts(&self, column: usize) -> bool {
        self.format.encryption().is_some_and(|encryption| encryption.encrypts(column))
    }

    /// Returns whether any column is encrypted, so that its key may be missing.
    pub fn can_miss_keys(&self) -> bool {
        self.format.encryption().is_some()
    }

    /// Checks that the keys of some columns are available.
    ///
    /// # Errors
    /// `KeyMissing` for the first column whose key is not.
    pub fn check_keys(&self, columns: &[usize]) -> Result<()> {
        let Some(encryption) = self.format.encryption() else { return Ok(()) };
        for column in columns {
            if let Some(key) = encryption.key_missing(*column) {
                return Err(ErrorKind::KeyMissing {
                    file: self.name().to_owned(),
                    column: Some(self.schema.field(*column).name().clone()),
                    key: key.to_owned(),
                }
                .into());
            }
        }
        Ok(())
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

/// The format that the ending of a name tells, after which one of a compression may stand.
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

/// Returns how the file is compressed, by its descriptor or its name.
fn compression_of(name: &str, descriptor: Option<&Descriptor>) -> Option<Compression> {
    let declared = descriptor.and_then(|descriptor| descriptor.compression);
    declared.unwrap_or(Compression::of_name(name).0)
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

/// Returns what the descriptor says about the records, and what the name says otherwise.
fn described(name: &str, descriptor: Option<Descriptor>) -> Result<DeclaredLayout> {
    match (descriptor, by_name(name)) {
        (Some(descriptor), format) => descriptor.layout.resolved(name, format.unwrap_or("csv")),
        (None, Some(format)) => DeclaredLayout::ByName(Vec::new()).resolved(name, format),
        (None, None) => {
            let endings = ENDINGS.iter().map(|(ending, _)| *ending).collect();
            let problem = DescriptorProblem::NoDescriptor { file: name.to_owned(), endings };
            Err(Error::descriptor(name, problem))
        }
    }
}

/// The keys of a descriptor, with the columns of the file.
fn key_specs(name: &str, schema: &Schema, declared: &[descriptor::Key]) -> Result<Vec<KeySpec>> {
    let error = |problem| Error::descriptor(format!("{name}.toml"), problem);
    let spec = |key: &descriptor::Key| {
        let columns = key.columns.iter().map(|(column, descending)| {
            let names = || (key.name.clone(), column.clone());
            let Ok(index) = schema.index_of(column) else {
                let (key, column) = names();
                return Err(error(DescriptorProblem::KeyColumnUnknown { key, column }));
            };
            if schema.fields().iter().skip(index + 1).any(|field| field.name() == column) {
                let (key, column) = names();
                return Err(error(DescriptorProblem::KeyColumnTwice { key, column }));
            }
            Ok(KeyColumn { column: index, descending: *descending })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        if columns.iter().any(|key| !is_ordered(schema.field(key.column).data_type())) {
            return Err(error(DescriptorProblem::KeyColumnUnordered { key: key.name.clone() }));
        }
        Ok(KeySpec { name: key.name.clone(), columns, unique: key.unique })
    };
    declared.iter().map(spec).collect()
}
