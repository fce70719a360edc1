//! The folder of the indexes: one file for each data file, named by its device and inode.
//!
//! An index has values of its data file, also of protected columns. So only its owner can read its
//! file, and the file is written as a whole or not at all. A folder that others could have written
//! to is not used, because a wrong index makes wrong answers.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::pages::PageFile;
use super::store::Stored;
use super::{Index, store};
use crate::{Error, ErrorKind, Result};
use sift_files::data_file::DataFile;
use sift_files::io::identity::Identity;

/// The name of the folder, in the folder of the state.
const FOLDER: &str = "index";

const EXTENSION: &str = "index";

/// The folder of the indexes.
#[derive(Debug)]
pub struct IndexFolder {
    path: PathBuf,
    /// The user of this process, who writes the files.
    user: Option<u32>,
}

/// An index in the folder.
#[derive(Debug)]
pub struct IndexedFile {
    /// The file of the index.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// The description of the index, if the file can be read.
    pub contents: Result<IndexContents>,
}

/// A description of an index.
#[derive(Clone, Debug)]
pub struct IndexContents {
    /// The identity of the data file when the index was built.
    pub identity: Identity,
    /// The name of the data file when the index was built; by `siftd index build`, its path.
    pub name: String,
    /// Number of zones.
    pub zones: usize,
    /// Number of records.
    pub records: u64,
    /// The names of its keys.
    pub keys: Vec<String>,
    /// The names of the columns that it has copies of.
    pub copied_columns: Vec<String>,
}

impl IndexFolder {
    /// Returns the folder in the server's state folder. It is created when an index is first saved.
    pub fn new(state: &Path) -> Self {
        let user = tempfile::tempfile_in(state).and_then(|file| file.metadata());
        Self { path: state.join(FOLDER), user: user.ok().map(|metadata| metadata.uid()) }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the index of a file, if it has one.
    pub fn path_of(&self, Identity { device, inode, .. }: Identity) -> PathBuf {
        self.path.join(format!("{device:x}-{inode:x}.{EXTENSION}"))
    }

    /// Returns the index of a file, if it has one that fits the file as it is now.
    ///
    /// # Errors
    /// `Io` if there is an index that cannot be used: it is damaged, of another version, or others
    /// could have written it.
    pub(crate) fn find(&self, file: &DataFile) -> Result<Option<Index>> {
        let path = self.path_of(file.identity());
        let stored = match self.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| unusable(&path, &error))?,
        };
        Ok(stored.index(&file.schema).filter(|index| index.fits(file)))
    }

    /// Writes an index and replaces an older one of the same file.
    ///
    /// # Errors
    /// `Io`; `LimitExceeded` if it is too large.
    pub fn save(&self, index: &Index) -> Result<PathBuf> {
        let path = self.path_of(index.identity);
        let bytes = store::encode(index).map_err(|why| {
            Error::new(ErrorKind::LimitExceeded, format!("index {}: {why}", path.display()))
        })?;
        self.write(&path, &bytes, index.pages.as_deref())
            .map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }

    /// Returns all indexes, in the order of their file names.
    ///
    /// # Errors
    /// `Io`
    pub fn list(&self) -> Result<Vec<IndexedFile>> {
        let error = |error| unusable(&self.path, &error);
        let entries = match fs::read_dir(&self.path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(error)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(error)?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                found.push(self.indexed(path));
            }
        }
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes the index of a file; returns whether there was one.
    ///
    /// # Errors
    /// `Io`
    pub fn remove(&self, identity: Identity) -> Result<bool> {
        let path = self.path_of(identity);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unusable(&path, &error)),
        }
    }

    fn indexed(&self, path: PathBuf) -> IndexedFile {
        let bytes = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
        let contents = self.read(&path).map(|stored| stored.contents());
        let contents = contents.map_err(|error| unusable(&path, &error));
        IndexedFile { path, bytes, contents }
    }

    fn read(&self, path: &Path) -> io::Result<Stored> {
        // checked before opening, because opening a FIFO would wait
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let file = File::open(path)?;
        self.trust(&fs::symlink_metadata(&self.path)?)?;
        self.trust(&file.metadata()?)?;
        store::read(file)
    }

    /// Fails if another user could have written it.
    fn trust(&self, metadata: &fs::Metadata) -> io::Result<()> {
        let is_ours = metadata.uid() == 0 || Some(metadata.uid()) == self.user;
        match is_ours && metadata.mode() & 0o022 == 0 {
            true => Ok(()),
            false => Err(io::Error::other("others can write it; it is not used")),
        }
    }

    /// Writes the bytes of an index and then its pages.
    fn write(&self, path: &Path, bytes: &[u8], pages: Option<&PageFile>) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.trust(&fs::symlink_metadata(&self.path)?)?,
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        if let Some(PageFile { file: pages, start, bytes }) = pages {
            let mut pages = pages.try_clone()?;
            pages.seek(SeekFrom::Start(*start))?;
            let copied = io::copy(&mut pages.take(*bytes), file.as_file_mut())?;
            if copied < *bytes {
                return Err(io::Error::other("its pages are cut off"));
            }
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("index {}: {why}", path.display()))
}
