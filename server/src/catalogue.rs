//! The files of a server: which names there are, what opens them, and what protects them.
//!
//! Everything goes through one [`cap_std::fs::Dir`], so no path, symbolic link or pattern leads
//! out of the data root. Only regular files with a known format exist here; their descriptors do
//! not. All of it blocks on the file system and belongs on tokio's blocking threads.

mod cache;
mod list;
mod name;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use sift_select::{Descriptor, Identity, Source};

use crate::config::Limits;
use crate::error::Error;
use crate::fault::Fault;
use cache::{Cache, Version};

pub(crate) use name::FileName;

/// The folder of the data files, opened: renaming it does not change what is served.
#[derive(Debug)]
pub struct DataRoot {
    dir: Dir,
    path: PathBuf,
}

impl DataRoot {
    /// Opens the folder.
    ///
    /// # Errors
    /// `DataRoot`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        match Dir::open_ambient_dir(&path, ambient_authority()) {
            Ok(dir) => Ok(Self { dir, path }),
            Err(source) => Err(Error::DataRoot { path, source }),
        }
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A descriptor of more bytes is none.
const DESCRIPTOR_BYTES_MAX: u64 = 1 << 20;

/// Whether the bytes of a file are encrypted where they leave the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Encrypted,
}

/// The files below a data root.
#[derive(Debug)]
pub(crate) struct Catalogue {
    root: DataRoot,
    limits: Limits,
    cache: Mutex<Cache>,
}

/// An opened file and what its descriptor says.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) identity: Identity,
    pub(crate) descriptor: Option<Descriptor>,
    descriptor_identity: Option<Identity>,
}

impl Catalogue {
    pub(crate) fn new(root: DataRoot, limits: Limits) -> Self {
        let cache = Mutex::new(Cache::new(limits.sources_max.get()));
        Self { root, limits, cache }
    }

    /// Opens a file whose bytes are to be sent.
    pub(crate) fn open(&self, name: &FileName, transport: Transport) -> Result<Opened, Fault> {
        let opened = self.open_for_description(name, transport)?;
        let protected = opened.descriptor.as_ref().is_some_and(Descriptor::network_encrypt);
        if protected && transport == Transport::Plain {
            return Err(Fault::NetworkEncrypt(name.to_string()));
        }
        Ok(opened)
    }

    /// The columns of a file whose records are to be sent.
    pub(crate) fn source(
        &self,
        name: &FileName,
        transport: Transport,
    ) -> Result<Arc<Source>, Fault> {
        let opened = self.open(name, transport)?;
        self.source_of(name, opened)
    }

    /// The columns of a file, of which nothing but them is told: protection shows, it does not
    /// forbid.
    pub(crate) fn describe(
        &self,
        name: &FileName,
        transport: Transport,
    ) -> Result<Arc<Source>, Fault> {
        let opened = self.open_for_description(name, transport)?;
        self.source_of(name, opened)
    }

    fn source_of(&self, name: &FileName, opened: Opened) -> Result<Arc<Source>, Fault> {
        let version = Version { file: opened.identity, descriptor: opened.descriptor_identity };
        if let Some(source) = self.cached(|cache| cache.find(name, version)) {
            return Ok(source);
        }
        let source = Arc::new(Source::open(name.as_str(), opened.file, opened.descriptor)?);
        self.cached(|cache| cache.keep(name.clone(), version, Arc::clone(&source)));
        Ok(source)
    }

    fn cached<T>(&self, act: impl FnOnce(&mut Cache) -> T) -> T {
        // a cache is as good after a panic as before
        act(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn open_for_description(&self, name: &FileName, transport: Transport) -> Result<Opened, Fault> {
        let (file, identity) = open_regular(&self.root.dir, name.as_str())?;
        let (descriptor, descriptor_identity) = match self.descriptor(name) {
            Ok(found) => found,
            // who cannot read the rule has to assume the strictest
            Err(_) if transport == Transport::Plain => {
                return Err(Fault::NetworkEncryptUnknown(name.to_string()));
            }
            Err(fault) => return Err(fault),
        };
        if Source::format_of(name.as_str(), descriptor.as_ref()).is_none() {
            return Err(Fault::UnknownFormat(name.to_string()));
        }
        Ok(Opened { file, identity, descriptor, descriptor_identity })
    }

    fn descriptor(&self, name: &FileName) -> Result<(Option<Descriptor>, Option<Identity>), Fault> {
        let path = name.descriptor();
        let (file, identity) = match open_regular(&self.root.dir, &path) {
            Ok(opened) => opened,
            Err(Fault::UnknownFile(_)) => return Ok((None, None)),
            Err(fault) => return Err(Fault::Descriptor(path, unreadable(&fault))),
        };
        let mut text = String::new();
        let read = file.take(DESCRIPTOR_BYTES_MAX + 1).read_to_string(&mut text);
        match read {
            Ok(bytes) if bytes as u64 > DESCRIPTOR_BYTES_MAX => {
                let why = format!("more than {DESCRIPTOR_BYTES_MAX} bytes, which no layout needs");
                Err(Fault::Descriptor(path, why))
            }
            Ok(_) => Ok((Some(Descriptor::parse(&path, &text)?), Some(identity))),
            Err(error) => Err(Fault::Descriptor(path, error.to_string())),
        }
    }
}

fn unreadable(fault: &Fault) -> String {
    match fault {
        Fault::Unreadable(_, error) => error.to_string(),
        Fault::Outside(_) => "leads out of the data root".to_owned(),
        _ => "not a regular file".to_owned(),
    }
}

/// Opens a regular file below `dir`. Never waits for one, as opening a FIFO would.
fn open_regular(dir: &Dir, path: &str) -> Result<(File, Identity), Fault> {
    // looked at first, since opening some devices does something
    let metadata = dir.metadata(path).map_err(|error| refusal(path, error))?;
    if !metadata.is_file() {
        return Err(Fault::NotRegular(path.to_owned()));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    if let Ok(flags) = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()) {
        options.custom_flags(flags);
    }
    let file = dir.open_with(path, &options).map_err(|error| refusal(path, error))?.into_std();
    let metadata = file.metadata().map_err(|error| refusal(path, error))?;
    if !metadata.is_file() {
        return Err(Fault::NotRegular(path.to_owned()));
    }
    Ok((file, Identity::from(&metadata)))
}

/// What the operating system's refusal means for the client.
fn refusal(path: &str, error: io::Error) -> Fault {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            Fault::UnknownFile(path)
        }
        // cap-std's own error has no number of the operating system
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Fault::Outside(path),
        _ if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
            Fault::Outside(path)
        }
        _ => Fault::Unreadable(path, error),
    }
}
