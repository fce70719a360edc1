//! The file of a descriptor: it is found, parsed, and replaced atomically.
//!
//! A server checks the descriptor for every request and knows it by its inode, so a new descriptor
//! applies from the next request on.

pub(crate) mod copybook;
pub(crate) mod create;
pub(crate) mod edit;

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use sift_select::{Descriptor, ParquetKeys, Source};

/// The maximal size of a descriptor, which is that of the server.
const BYTES_MAX: u64 = 1 << 20;

/// The reason why a descriptor is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: not a regular file", path.display())]
    NotRegular { path: PathBuf },
    #[error("{}: a descriptor; name the data file that it describes", path.display())]
    IsDescriptor { path: PathBuf },
    #[error("{}: more than {BYTES_MAX} bytes, which no layout needs", path.display())]
    TooLarge { path: PathBuf },
    #[error("{}: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    #[error(
        "{}: unknown format, so no server serves it and there is nothing to protect; a descriptor \
         with its layout comes first", path.display()
    )]
    UnknownFormat { path: PathBuf },
    #[error("{}: no field `{column}`; it has {known}", path.display())]
    NoField { path: PathBuf, column: String, known: String },
    #[error(
        "{}: it is there already, and stays as it is; `siftd file protect` changes its protection",
        path.display()
    )]
    Exists { path: PathBuf },
    #[error("a delimiter is one ASCII character, no quote or line end")]
    Delimiter,
    #[error(transparent)]
    Select(#[from] sift_select::Error),
    #[error(transparent)]
    File(#[from] sift_select::FileError),
}

/// A data file, and the text of its descriptor if there is one.
#[derive(Debug)]
pub(crate) struct Described {
    /// The data file as it was named.
    pub(crate) file: PathBuf,
    metadata: Metadata,
    /// The descriptor's path, links followed.
    pub(crate) path: PathBuf,
    pub(crate) text: Option<String>,
    /// The keys of an encrypted file.
    keys: ParquetKeys,
}

impl Described {
    pub(crate) fn read(file: &Path, keys: ParquetKeys) -> Result<Self, Error> {
        if file.extension().is_some_and(|extension| extension == "toml") {
            return Err(Error::IsDescriptor { path: file.into() });
        }
        let failed = |source| Error::Io { path: file.into(), source };
        let metadata = fs::metadata(file).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::NotRegular { path: file.into() });
        }
        let mut path = OsString::from(file);
        path.push(".toml");
        let path = PathBuf::from(path);
        // the target of a link is replaced, not the link
        let path = fs::canonicalize(&path).unwrap_or(path);
        let text = read(&path)?;
        Ok(Self { file: file.into(), metadata, path, text, keys })
    }

    /// Returns the name of the data file in errors.
    pub(crate) fn name(&self) -> String {
        self.file.display().to_string()
    }

    /// Parses the descriptor; `None` if there is none.
    pub(crate) fn parsed(&self) -> Result<Option<Descriptor>, Error> {
        let name = self.path.display().to_string();
        let text = self.text.as_deref();
        Ok(text.map(|text| Descriptor::parse(&name, text)).transpose()?)
    }

    /// Parses `text` as the descriptor of this file.
    pub(crate) fn parse(&self, text: &str) -> Result<Descriptor, Error> {
        Ok(Descriptor::parse(&self.path.display().to_string(), text)?)
    }

    /// Opens the data file as `descriptor` describes it.
    pub(crate) fn source(&self, descriptor: Option<Descriptor>) -> Result<Source, Error> {
        let failed = |source| Error::Io { path: self.file.clone(), source };
        let file = File::open(&self.file).map_err(failed)?;
        Ok(Source::open_with_keys(&self.name(), file, descriptor, &self.keys)?)
    }

    /// Replaces the descriptor, at the end of its links, by renaming a new file. The new descriptor
    /// has the mode and owner of the old one. If there is no old one, everybody who may read the
    /// data file may read it.
    pub(crate) fn replace(&self, text: &str) -> Result<(), Error> {
        let failed = |source| Error::Io { path: self.path.clone(), source };
        let path = sift_server::replaceable(&self.path).map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let old = fs::metadata(&self.path).ok();
        let like = old.as_ref().unwrap_or(&self.metadata);
        let mut file =
            tempfile::Builder::new().prefix(".siftd-").tempfile_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        // only the superuser can change the owner; for others the file stays their own, which is
        // right
        let _ = fchown(file.as_file(), Some(like.uid()), Some(like.gid()));
        let permissions = fs::Permissions::from_mode(like.permissions().mode() & 0o666);
        file.as_file().set_permissions(permissions).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::Io { path: path.into(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(Error::NotRegular { path: path.into() }),
        // a link to nothing is not a missing descriptor; a server treats it as unreadable
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    }
    let file = File::open(path).map_err(failed)?;
    let mut text = String::new();
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    match read as u64 > BYTES_MAX {
        true => Err(Error::TooLarge { path: path.into() }),
        false => Ok(Some(text)),
    }
}
