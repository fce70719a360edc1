//! The catalogue of a server's files: it finds, opens and describes files by their names, and
//! checks their grants and their protection.
//!
//! Every entry is opened from the folder that contains it, beginning at the data root. So no path,
//! symbolic link or pattern leads out of the root. Only regular files with a known format exist
//! here; their descriptors do not. Almost everything here blocks on the file system and belongs
//! into `blocking.rs`. The exception is another look at a file that is open.

mod cache;
mod check;
mod describe;
mod entry;
mod granted;
pub(crate) mod keyring;
mod list;
pub(crate) mod mount;
mod name;
mod open_locks;
mod pattern;
mod plan;
mod spelling;
pub(crate) mod statements;
pub(crate) mod survey;
mod tree;
mod version;
mod watch;

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use rustix::fs::lstat;
use rustix::io::Errno;
use sift_select::{Identity, IndexFolder, Look, Source, check_wanted, is_local};
use tracing::warn;

use crate::access::grant::Caller;
use crate::access::protect::{Protected, Protection};
use crate::access::transport::Transport;
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::open_files::{self, OpenFiles};
use cache::Cache;
use entry::{Described, Entry};
use granted::Disclosure;
use keyring::Keyring;
use open_locks::OpenLocks;
use tree::Tree;
use version::{SourceVersion, identity};
use watch::Watch;

pub(crate) use list::{Listed, Listing, Remark};
pub(crate) use name::FileName;
pub(crate) use pattern::NamePattern;
pub(crate) use plan::Planned;

/// The maximal number of attempts to open a file whose name or descriptor changes in the meantime.
/// A single replacement has ended before the second attempt. If the file still changes after that,
/// somebody renames it all the time.
const OPEN_ATTEMPTS_MAX: usize = 4;

/// The open folder of the data files. Renaming it does not change which files are served.
#[derive(Debug)]
pub struct DataRoot {
    tree: Tree,
    path: PathBuf,
}

impl DataRoot {
    /// Opens the folder.
    ///
    /// # Errors
    /// `DataRoot`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        match Tree::at(&path) {
            Ok(tree) => Ok(Self { tree, path }),
            Err(source) => Err(Error::DataRoot { path, source }),
        }
    }

    /// Returns the path with which the folder was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The files below a data root.
#[derive(Debug)]
pub(crate) struct Catalogue {
    root: Arc<DataRoot>,
    limits: Limits,
    protection: Protection,
    indexes: Option<Arc<IndexFolder>>,
    /// True if the indexes are on this machine, so that a stat does not wait.
    indexes_are_local: bool,
    keyring: Keyring,
    /// The sources that were opened last.
    sources: Cache<(), CachedSource>,
    open_locks: OpenLocks,
    descriptors: Cache<Identity, Described>,
    /// Counts the data files that were opened.
    files_opened: Arc<AtomicU64>,
    /// The files that Selects over patterns have open.
    open_files: OpenFiles,
}

/// A source that has been opened before, and can be used again without resolving its name.
#[derive(Debug)]
struct CachedSource {
    source: Arc<Source>,
    version: SourceVersion,
    /// The path of the file's index, which may not exist.
    index: Option<PathBuf>,
    /// The protection without the requirements of the file's own encryption.
    protected: Protected,
    /// True if a stat shows every change and does not wait: the file is on this machine, and no
    /// symbolic links lead to it.
    stat_suffices: bool,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) look: Look,
    /// True if the file or a column of it is protected.
    pub(crate) is_protected: bool,
}

impl Catalogue {
    pub(crate) fn new(
        root: DataRoot,
        limits: Limits,
        protection: Protection,
        files_opened: Arc<AtomicU64>,
    ) -> Self {
        let sources_max = sources_max(&limits);
        Self {
            root: Arc::new(root),
            limits,
            protection,
            indexes: None,
            indexes_are_local: true,
            keyring: Keyring::default(),
            sources: Cache::new(sources_max),
            open_locks: OpenLocks::default(),
            descriptors: Cache::new(sources_max),
            files_opened,
            open_files: OpenFiles::new(),
        }
    }

    /// Sets the folder with the indexes of the files.
    pub(crate) fn with_indexes(self, indexes: Option<IndexFolder>) -> Self {
        let folder = indexes.as_ref().and_then(|indexes| indexes.path().parent());
        let indexes_are_local =
            folder.is_none_or(|path| File::open(path).is_ok_and(|f| is_local(&f)));
        Self { indexes: indexes.map(Arc::new), indexes_are_local, ..self }
    }

    /// Sets the keys of encrypted files.
    pub(crate) fn with_keys(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }

    /// Sets the bound on the files of patterns that are open, which other catalogues may share.
    pub(crate) fn with_open_files(self, open_files: OpenFiles) -> Self {
        Self { open_files, ..self }
    }

    /// Opens a file to send all of its bytes.
    pub(crate) fn open(&self, name: &FileName, caller: &Caller) -> Result<Opened, Fault> {
        with_descriptors(|| while_renamed(|| self.open_file(name, caller)))
    }

    fn open_file(&self, name: &FileName, caller: &Caller) -> Result<Opened, Fault> {
        let entry = self.entry(name, caller)?;
        if !entry.grant.is_whole() {
            return Err(Fault::FetchOfPart(name.to_string()));
        }
        entry.protected.check_all(caller.transport)?;
        let (file, _, watch) = self.open_data(&entry)?;
        let look =
            Look::settled(&file).map_err(|error| Fault::Unreadable(name.to_string(), error))?;
        self.check_unchanged(&entry, &watch)?;
        let is_protected = entry.protected.protects_any();
        Ok(Opened { file, look, is_protected })
    }

    /// Opens a file whose existence the caller may know. It first checks that the file as a whole
    /// may be sent on this transport. The caller still has to check the protection of the columns.
    ///
    /// # Errors
    /// `Renamed` also if the file, or a folder on the way to it, has been replaced: only the file
    /// whose entry was checked is opened.
    pub(crate) fn source(
        &self,
        entry: Entry,
        transport: Transport,
    ) -> Result<(Arc<Source>, Protected), Fault> {
        entry.protected.check_file(transport)?;
        let (file, opened, watch) = self.open_data(&entry)?;
        let Entry { name, protected, described, target, .. } = &entry;
        let index = self.indexes.as_ref().map(|indexes| indexes.path_of(opened));
        let descriptor = described.as_ref().map(|described| described.look.identity());
        let version = version_with(opened, descriptor, index.as_deref());
        let lock = self.open_locks.of(name.as_str());
        let _guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = self.sources.find(name.as_str(), &());
        if let Some(cached) = cached.filter(|cached| cached.version == version) {
            self.check_unchanged(&entry, &watch)?;
            return permitted(&cached.source, protected.clone(), transport);
        }
        let stat_suffices = target.is_none() && self.indexes_are_local && is_local(&file);
        let keys = self.keyring.of(name.as_str());
        let descriptor = described.as_ref().map(|described| described.descriptor.clone());
        let opened = Source::open_with_keys(name.as_str(), file, descriptor, &keys);
        // a fault of a replaced file is not reported either
        self.check_unchanged(&entry, &watch)?;
        let files = std::slice::from_ref(protected);
        let disclosure = Disclosure::new(name.as_str(), &entry.grant, files, transport);
        let source = opened.map_err(|error| disclosure.fault(error))?;
        let source = Arc::new(self.indexed(source));
        // if the opening was cancelled, the source may be incomplete or without its index
        check_wanted()?;
        let is_described_for_long =
            described.as_ref().is_none_or(|described| described.look.is_settled());
        let is_settled = source.is_settled() && is_described_for_long;
        // a file whose changes may not show is not cached
        if let Some(file) = source.identity().filter(|_| is_settled) {
            let version = SourceVersion { file, ..version };
            let (source, protected) = (Arc::clone(&source), protected.clone());
            let cached = CachedSource { source, version, index, protected, stat_suffices };
            self.sources.keep(name.as_str(), (), Arc::new(cached));
        }
        permitted(&source, protected.clone(), transport)
    }

    /// Returns the cached source of a file that has not changed. It checks the data before the
    /// descriptor: an administrator who protects a file before writing secret data to it can rely
    /// on the protection.
    fn known(&self, name: &FileName) -> Option<Arc<CachedSource>> {
        let cached = self.sources.find(name.as_str(), &()).filter(|cached| cached.stat_suffices)?;
        let stat = self.root.tree.stat(name.as_str()).ok()?;
        let descriptor = match self.root.tree.stat(&name.descriptor()) {
            Ok(stat) => Some(identity(&stat)),
            Err(Errno::NOENT) => None,
            // the descriptor may be a symbolic link
            Err(_) => return None,
        };
        let file = identity(&stat);
        let is_same = cached.version == version_with(file, descriptor, cached.index.as_deref());
        is_same.then_some(cached)
    }

    /// Adds the index of a source, if there is a usable one. An index changes only the time.
    fn indexed(&self, source: Source) -> Source {
        let found = self.indexes.as_ref().map(|indexes| source.find_index(indexes));
        match found {
            Some(Ok(Some(index))) => source.with_index(index),
            Some(Err(error)) => {
                let error = error.to_string();
                warn!(file = source.name(), error, "an index is not used");
                source
            }
            Some(Ok(None)) | None => source,
        }
    }

    /// Opens the data of exactly the file that was looked at, and begins to watch its name.
    fn open_data(&self, entry: &Entry) -> Result<(File, Identity, Watch), Fault> {
        let unreadable = |error| Fault::Unreadable(entry.name.to_string(), error);
        let renamed = || Fault::Renamed(entry.name.to_string());
        let tree = &self.root.tree;
        let watch = Watch::begin(tree, &entry.resolved).map_err(unreadable)?.ok_or_else(renamed)?;
        let opened = tree.open(&entry.resolved.end).map_err(unreadable)?;
        self.files_opened.fetch_add(1, Ordering::Relaxed);
        let (file, stat) = opened.ok_or_else(renamed)?;
        Ok((file, identity(&stat), watch))
    }

    /// Checks that the descriptors of a file are unchanged and that its name still leads to it.
    /// Call it after the look at the data that later changes are compared with. Then an
    /// administrator who first protects a file and then writes secret data can rely on the
    /// protection.
    fn check_unchanged(&self, entry: &Entry, watch: &Watch) -> Result<(), Fault> {
        // this order ensures that the descriptors are from the time when the name led to the file
        match self.is_described(entry) && watch.holds(&self.root.tree) {
            true => Ok(()),
            false => Err(Fault::Renamed(entry.name.to_string())),
        }
    }
}

/// Returns the number of files that stay open after a Select: a quarter of what the process may
/// have open at most.
fn sources_max(limits: &Limits) -> NonZeroUsize {
    let share = NonZeroUsize::new(open_files::limit() / 4).unwrap_or(NonZeroUsize::MIN);
    limits.sources_max.min(share)
}

/// Runs `work`. If there was no file descriptor for some of it, its result may be wrong in any way:
/// a file would seem to be missing, or replaced.
fn with_descriptors<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    match open_files::watched(work) {
        (done, false) => done,
        (_, true) => {
            let limit = open_files::limit();
            warn!(limit, "the server has too many open files (RLIMIT_NOFILE)");
            Err(Fault::NoDescriptors)
        }
    }
}

/// Repeats `work` while names or descriptors change in the meantime.
fn while_renamed<T>(work: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    for _ in 1..OPEN_ATTEMPTS_MAX {
        match work() {
            Err(Fault::Renamed(_)) => {}
            done => return done,
        }
    }
    work()
}

/// Returns the version of a source, with the index if there is one.
fn version_with(
    file: Identity,
    descriptor: Option<Identity>,
    index: Option<&Path>,
) -> SourceVersion {
    let index = index.and_then(|path| lstat(path).ok()).map(|stat| identity(&stat));
    SourceVersion { file, descriptor, index }
}

/// Checks that a file may leave, and returns it with all its requirements.
fn permitted(
    source: &Arc<Source>,
    mut protected: Protected,
    transport: Transport,
) -> Result<(Arc<Source>, Protected), Fault> {
    protected.require_encryption_of(source, transport);
    protected.check_file(transport)?;
    Ok((Arc::clone(source), protected))
}

#[cfg(test)]
mod tests;
