//! Selects over local files, without a server. There is no channel, so there is no protection,
//! except for files on a network mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sift_select::{IndexFolder, ParquetKeys, Plan, ScanOptions, Select, Source, Value, Waiting};

use crate::access::grant::Caller;
use crate::access::protect::Protection;
use crate::access::transport::Transport;
use crate::catalogue::keyring::Keyring;
use crate::catalogue::mount;
use crate::catalogue::{Catalogue, DataRoot, FileName, NamePattern};
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::memory::{AnswerMemory, UserMemory};
use crate::pool::Pool;
use crate::schedule::{Batches, Resources};

/// A running Select over local files.
#[derive(Debug)]
pub struct LocalQuery {
    schema: SchemaRef,
    batches: Batches,
}

/// The reason why there is no answer, in the words of a server.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LocalError(Reason);

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Fault(Fault),
    #[error(transparent)]
    Folder(Error),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl LocalQuery {
    /// Opens the file that FROM names by its path, or the files that match FROM as a pattern, and
    /// starts the Select. Descriptors are beside the files. Only `keys` of a configuration apply.
    /// `indexes` is the folder of indexes.
    ///
    /// # Errors
    /// The errors of a Select of a server. A protected file on a network mount is refused as on a
    /// plain channel.
    pub fn new(
        sql: &str,
        parameters: &[Value],
        options: ScanOptions,
        indexes: Option<IndexFolder>,
        keys: &LocalKeys,
    ) -> Result<Self, LocalError> {
        let select = Select::parse(sql).map_err(Fault::Select)?;
        let Some(from) = select.from() else {
            let source = Arc::new(Source::of_nothing().map_err(Fault::Select)?);
            let plan = Plan::new(&select, source, parameters).map_err(Fault::Select)?;
            return Ok(Self::of(plan, options)?);
        };
        let LocalFiles { catalogue, name, transport } = match fs::symlink_metadata(from) {
            Err(_) if NamePattern::is_one(from) => LocalFiles::of_pattern(from, keys)?,
            metadata => {
                let path = Path::new(from);
                LocalFiles::of_file(
                    path,
                    metadata.map_err(|source| unreadable(path, source))?.is_symlink(),
                    keys,
                )?
            }
        };
        let catalogue = catalogue.with_indexes(indexes);
        let caller = Caller::unrestricted(transport);
        let planned =
            catalogue.plan(Some(&name), &select, parameters, &caller, Waiting::Allowed)?;
        Ok(Self::of(planned.plan, options)?)
    }

    fn of(plan: Plan, options: ScanOptions) -> Result<Self, Fault> {
        let schema = Arc::clone(plan.schema());
        let resources = Resources {
            share: Arc::new(Pool::new(usize::MAX).share("")),
            memory: Arc::new(UserMemory::new(Arc::new(AnswerMemory::new(usize::MAX)))),
            queue_time: Duration::MAX,
            run: Arc::default(),
        };
        let batches = Batches::begin(plan, options, resources, Waiting::Allowed)?;
        Ok(Self { schema, batches })
    }

    /// Returns the columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the next records; `None` at the end.
    ///
    /// # Errors
    /// The errors of a Select of a server.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, LocalError> {
        Ok(self.batches.next(0).await?)
    }
}

/// The keys of encrypted files, and the data root to which the paths in their rules are relative.
#[derive(Debug, Default)]
pub struct LocalKeys {
    /// The keys.
    pub keyring: Keyring,
    /// The folder to which the paths in the rules are relative.
    pub data: Option<PathBuf>,
}

impl LocalKeys {
    /// Returns the keys of the file at `path`.
    pub fn of(&self, path: &Path) -> ParquetKeys {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.in_folder(folder.unwrap_or(Path::new("."))).of(&name)
    }

    /// Returns the keyring for files whose names are relative to `folder`.
    pub(crate) fn in_folder(&self, folder: &Path) -> Keyring {
        match &self.data {
            None => self.keyring.clone(),
            Some(data) => self.keyring.for_folder(data, folder),
        }
    }
}

/// Opens a whole local file to build its index. A protected file on a network mount is refused as
/// on a plain channel.
///
/// # Errors
/// The errors of a request to a server.
pub fn open_local(path: &Path, keys: &LocalKeys) -> Result<Arc<Source>, LocalError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| unreadable(path, source))?;
    let LocalFiles { catalogue, name, transport } =
        LocalFiles::of_file(path, metadata.is_symlink(), keys)?;
    let entry = catalogue.entry(&FileName::parse(&name)?, &Caller::unrestricted(transport))?;
    entry.protected.check_all(transport)?;
    Ok(catalogue.source(entry, transport)?.0)
}

/// The files of a Select: their catalogue and their name in it.
struct LocalFiles {
    catalogue: Catalogue,
    /// The name of the file in the catalogue, or the pattern.
    name: String,
    transport: Transport,
}

impl LocalFiles {
    fn of_file(path: &Path, is_link: bool, keys: &LocalKeys) -> Result<Self, LocalError> {
        let io = |source| unreadable(path, source);
        // a link may lead to another folder, and so to another descriptor
        let followed = if is_link { fs::canonicalize(path).map_err(io)? } else { path.to_owned() };
        let transport = transport_of(&followed)?;
        let folder = followed.parent().filter(|folder| !folder.as_os_str().is_empty());
        let catalogue = catalogue(folder.unwrap_or(Path::new(".")), keys)?;
        let name = followed.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { catalogue, name, transport })
    }

    /// Takes names relative to the current folder, or to `/`, because the names of folders are
    /// columns, too.
    fn of_pattern(pattern: &str, keys: &LocalKeys) -> Result<Self, LocalError> {
        let (folder, name) = match pattern.strip_prefix('/') {
            Some(rest) => (Path::new("/"), rest),
            None => (Path::new("."), pattern),
        };
        let catalogue = catalogue(folder, keys)?;
        let mut transport = Transport::Local;
        for (name, _) in catalogue.names(name, &Caller::unrestricted(Transport::Local))? {
            if let Transport::Local = transport {
                transport = transport_of(&folder.join(name.as_str()))?;
            }
        }
        Ok(Self { catalogue, name: name.to_owned(), transport })
    }
}

fn catalogue(folder: &Path, keys: &LocalKeys) -> Result<Catalogue, LocalError> {
    let root = DataRoot::open(folder).map_err(Reason::Folder)?;
    let files_opened = Arc::new(AtomicU64::new(0));
    let catalogue = Catalogue::new(root, Limits::default(), Protection::default(), files_opened);
    Ok(catalogue.with_keys(keys.in_folder(folder)))
}

fn transport_of(path: &Path) -> Result<Transport, LocalError> {
    Ok(match mount::network_of(path).map_err(|source| unreadable(path, source))? {
        Some(network) => Transport::Mount { network },
        None => Transport::Local,
    })
}

fn unreadable(path: &Path, source: std::io::Error) -> Reason {
    Reason::Io { path: path.to_owned(), source }
}

impl<F: Into<Fault>> From<F> for LocalError {
    fn from(fault: F) -> Self {
        Self(Reason::Fault(fault.into()))
    }
}

impl From<Reason> for LocalError {
    fn from(reason: Reason) -> Self {
        Self(reason)
    }
}
