//! The source of a Select: a data file, or several files of one schema.

pub(crate) mod view_cache;

use std::fs::File;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use crate::index::{BuildOptions, Index, IndexFolder};
use crate::{Error, ErrorKind, Result};
use sift_files::data_file::DataFile;
use sift_files::descriptor::Descriptor;
use sift_files::io::identity::Identity;
use sift_files::io::waiting::Waiting;
use sift_files::key_spec::KeySpec;
use sift_files::parquet::ParquetKeys;
use view_cache::ViewCache;

/// One or more opened files, their descriptors and their schema.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    /// The columns of a file, then the constant columns.
    schema: SchemaRef,
    pub(crate) parts: Vec<Part>,
    /// The number of files that its name matches; those that cannot match WHERE are not among
    /// `parts`.
    files: usize,
    /// True if the last column is the path of the file, which `*` leaves out.
    has_path: bool,
    /// The permission of plans and scans of it to wait.
    waiting: Waiting,
}

/// A file of a source.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) file: Arc<DataFile>,
    /// One value for each of the last columns of the schema, which are the same for every record.
    pub(crate) constants: Arc<[ArrayRef]>,
    /// The index of exactly this file, as it was opened.
    pub(crate) index: Option<Arc<Index>>,
    /// The cached layouts of the file for views.
    pub(crate) views: Arc<ViewCache>,
}

impl Source {
    /// Takes an opened file. Errors call it `name`, whose ending determines the format of a file
    /// without descriptor. Fixed-length files need a descriptor.
    ///
    /// # Errors
    /// `Descriptor` when there is no descriptor for a file that needs one, or when it does not fit
    /// the file; `Record` when a CSV file has no usable header; `Io`; `FileChanged`.
    pub fn open(name: &str, file: File, descriptor: Option<Descriptor>) -> Result<Self> {
        Self::open_with_keys(name, file, descriptor, &ParquetKeys::default())
    }

    /// Takes an opened file as [`open`](Self::open) does; a Parquet file may be encrypted with some
    /// of `keys`. If the key of a column is missing, the other columns can be selected.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open); `KeyMissing` when the whole file is encrypted and its
    /// key is missing; `Record` when the key is not that of the file.
    pub fn open_with_keys(
        name: &str,
        file: File,
        descriptor: Option<Descriptor>,
        keys: &ParquetKeys,
    ) -> Result<Self> {
        Ok(Self::of_file(DataFile::open(name, file, descriptor, keys)?))
    }

    /// Returns the source of a Select without FROM: one record without columns.
    ///
    /// # Errors
    /// `Io`
    pub fn of_nothing() -> Result<Self> {
        Ok(Self::of_file(DataFile::of_nothing()?))
    }

    fn of_file(file: DataFile) -> Self {
        let (name, schema) = (file.name().to_owned(), Arc::new(file.schema.clone()));
        let (file, constants) = (Arc::new(file), Arc::default());
        let parts = vec![Part { file, constants, index: None, views: Arc::default() }];
        Self { name, schema, parts, files: 1, has_path: false, waiting: Waiting::Allowed }
    }

    /// Returns the source with an index, so that a scan can skip the zones that WHERE excludes. An
    /// index that does not belong to exactly this file is ignored.
    #[must_use]
    pub fn with_index(&self, index: Index) -> Self {
        let mut indexed = self.clone();
        if let [part] = indexed.parts.as_mut_slice()
            && index.fits(&part.file)
        {
            part.index = Some(Arc::new(index));
        }
        indexed
    }

    /// Returns the same source for plans that may wait for the file system, or may not. Without the
    /// permission, [`Plan::new`](crate::Plan::new) and the like give an error of the kind
    /// `WouldBlock` where they would wait or take long, and so does the first
    /// [step](crate::Scan::step) of a scan.
    #[must_use]
    pub fn with_waiting(&self, waiting: Waiting) -> Self {
        Self { waiting, ..self.clone() }
    }

    /// Returns whether plans of it may wait.
    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Returns its files in order.
    pub(crate) fn files(&self) -> Vec<Arc<DataFile>> {
        self.parts.iter().map(|part| Arc::clone(&part.file)).collect()
    }

    /// Builds the index of the one file of this source: reads all its records on the current rayon
    /// pool, divides them into zones, and sorts them by the keys that its descriptor declares.
    ///
    /// # Errors
    /// `Unsupported` for several files and for formats that have no index; `Record` if records
    /// cannot be delimited, a record has no value of a key's column, or two records have the same
    /// unique key; `LimitExceeded` if a key outgrows memory or a value is too long for a key;
    /// `FileChanged`, `Io`.
    pub fn build_index(&self, options: &BuildOptions<'_>) -> Result<Index> {
        let [part] = self.parts.as_slice() else {
            let message = format!("{}: an index is of one file", self.name);
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        Index::build(&part.file, options)
    }

    /// Returns the index of the one file of this source as it is now, if `folder` has it.
    ///
    /// # Errors
    /// `Io` if there is an index that cannot be used: it is damaged, of another version, or others
    /// could have written it.
    pub fn find_index(&self, folder: &IndexFolder) -> Result<Option<Index>> {
        let [part] = self.parts.as_slice() else { return Ok(None) };
        folder.find(&part.file)
    }

    /// Makes a source of several files, of `files` that `name` matches; the last column is their
    /// path.
    pub(crate) fn of_parts(name: &str, schema: SchemaRef, parts: Vec<Part>, files: usize) -> Self {
        Self {
            name: name.to_owned(),
            schema,
            parts,
            files,
            has_path: true,
            waiting: Waiting::Allowed,
        }
    }

    /// Returns the number of columns that `*` selects: the first ones.
    pub(crate) fn listed_columns(&self) -> usize {
        self.schema.fields().len() - usize::from(self.has_path)
    }

    /// Returns the index of the column that has the path of the file.
    pub(crate) fn path_column(&self) -> Option<usize> {
        self.has_path.then(|| self.listed_columns())
    }

    /// Returns its name in errors: the name of the file, or the pattern that matches the names of
    /// all.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the names of its files, without those that cannot match WHERE.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.file.name())
    }

    /// Returns the name of one of its files in errors.
    pub(crate) fn name_of(&self, part: usize) -> &str {
        self.parts.get(part).map_or(&self.name, |part| part.file.name())
    }

    /// Returns the columns, in the file's order; those from the names of files come last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the format that a file would be opened with, by its descriptor or the ending of its
    /// name alone; `None` if [`open`](Self::open) would refuse it.
    pub fn format_of(name: &str, descriptor: Option<&Descriptor>) -> Option<&'static str> {
        DataFile::format_of(name, descriptor)
    }

    /// Returns "fixed", "csv", "jsonl", "parquet" or "arrow"; empty if no file remains.
    pub fn format(&self) -> &'static str {
        self.parts.first().map_or("", |part| part.file.format())
    }

    /// Returns the number of files that are selected from, and of those that the name matches.
    pub(crate) fn file_counts(&self) -> (usize, usize) {
        (self.parts.len(), self.files)
    }

    /// Returns the bytes of all files, as they were when they were opened.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.file.identity().bytes).sum()
    }

    /// Returns the identity of the file that was opened; `None` for several files.
    pub fn identity(&self) -> Option<Identity> {
        let [part] = self.parts.as_slice() else { return None };
        Some(part.file.identity())
    }

    /// Returns whether every change since the file was opened gives it another identity, so that a
    /// file of the same identity is unchanged. It is false for several files.
    pub fn is_settled(&self) -> bool {
        matches!(self.parts.as_slice(), [part] if part.file.raw().look().is_settled())
    }

    /// Returns whether records are only ever appended to all of its files, by their descriptors.
    pub fn is_append_only(&self) -> bool {
        self.parts.iter().all(|part| part.file.append_only)
    }

    /// Returns whether a file has changed since it was opened, or might have. To be called at the
    /// end of a scan: if true, the records that were read may be a mixture.
    ///
    /// # Errors
    /// `Io`
    pub fn changed(&self) -> Result<bool> {
        for part in &self.parts {
            if part.file.changed()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the error of a file that changed while it was read.
    pub(crate) fn changed_while_read(&self) -> Error {
        let message = format!("{}: changed while it was read; try again", self.name);
        Error::new(ErrorKind::FileChanged, message)
    }

    /// Returns the keys that the descriptor of its one file declares.
    pub fn key_specs(&self) -> &[KeySpec] {
        match self.parts.as_slice() {
            [part] => &part.file.keys,
            _ => &[],
        }
    }

    /// Returns whether the whole of a file is encrypted, the names of its columns too.
    pub fn is_encrypted(&self) -> bool {
        self.parts.iter().any(|part| part.file.is_encrypted())
    }

    /// Returns the columns that are encrypted in a file that may not be encrypted as a whole.
    pub fn encrypted_columns(&self) -> impl Iterator<Item = &str> {
        let of_part = |part: &Part, column: usize| {
            column < part.file.schema.fields().len() && part.file.encrypts(column)
        };
        let fields = self.schema.fields().iter().enumerate();
        fields
            .filter(move |(column, _)| self.parts.iter().any(|part| of_part(part, *column)))
            .map(|(_, field)| field.name().as_str())
    }

    /// Returns whether there can be columns whose key is missing.
    pub(crate) fn can_miss_keys(&self) -> bool {
        self.parts.iter().any(|part| part.file.can_miss_keys())
    }

    /// Checks that the keys of some columns are known, for all files.
    ///
    /// # Errors
    /// `KeyMissing`
    pub(crate) fn check_keys(&self, columns: &[usize]) -> Result<()> {
        for part in &self.parts {
            let of_file =
                columns.partition_point(|column| *column < part.file.schema.fields().len());
            part.file.check_keys(&columns[..of_file])?;
        }
        Ok(())
    }

    /// Returns whether its columns are the members of the first records, so that later records may
    /// have other members.
    pub fn infers_columns(&self) -> bool {
        self.parts.iter().any(|part| part.file.infers_columns())
    }

    /// Returns whether the types of some columns come from the first records.
    pub(crate) fn infers_types(&self) -> bool {
        self.parts.iter().any(|part| part.file.infers_types())
    }

    /// Returns the same source with other files, which have this schema.
    pub(crate) fn with_parts(&self, schema: SchemaRef, parts: Vec<Part>) -> Self {
        Self { schema, parts, ..self.clone() }
    }

    /// Returns whether there are any records.
    pub fn has_records(&self) -> bool {
        self.parts.iter().any(|part| part.file.has_records())
    }

    /// Returns the number of records, if the length of the files determines it.
    pub fn records(&self) -> Option<u64> {
        self.parts.iter().map(|part| part.file.records()).sum()
    }

    /// Returns the bytes of a record, its terminator included, if they are fixed.
    pub fn record_bytes(&self) -> Option<u32> {
        let mut bytes = self.parts.iter().map(|part| part.file.record_bytes());
        let first = bytes.next()??;
        bytes.all(|bytes| bytes == Some(first)).then_some(first)
    }

    /// Returns the least bytes of a record; 1 or more.
    pub(crate) fn record_bytes_min(&self) -> usize {
        self.parts.iter().map(|part| part.file.record_bytes_min()).min().unwrap_or(1)
    }

    /// Describes how the file stores a column: `zoned decimal, 11 bytes at 32, scale 2`.
    pub fn storage(&self, column: usize) -> String {
        match self.parts.first() {
            Some(part) if column < part.file.schema.fields().len() => part.file.storage(column),
            _ => "in the name of the file".to_owned(),
        }
    }
}
