//! Selects over files of this machine, for whoever can read them anyway: the server's scan without
//! a channel, and so without protection, except where the file comes over a network mount.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use sift_select::{Plan, ScanOptions, Select, Value};

use crate::catalogue::{Catalogue, DataRoot};
use crate::config::Limits;
use crate::error::Error;
use crate::fault::Fault;
use crate::grant::Caller;
use crate::mount;
use crate::protect::{Protection, Transport};
use crate::schedule::Batches;

/// A Select over a local file, under way.
#[derive(Debug)]
pub struct LocalQuery {
    schema: SchemaRef,
    batches: Batches,
}

/// Why there is no answer, in the words that a client would read.
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
    /// Opens the file that the Select is from, a path as the operating system knows it, and begins.
    /// Its descriptor is beside it; what a configuration says of it does not count here.
    ///
    /// # Errors
    /// As those of a Select at a server. A file on a network mount is refused as on a plain channel.
    pub fn new(sql: &str, parameters: &[Value], options: ScanOptions) -> Result<Self, LocalError> {
        let select = Select::parse(sql)?;
        let path = Path::new(select.from());
        let io = |source| Reason::Io { path: path.to_owned(), source };
        // behind a link there is another folder, and another descriptor
        let followed = match fs::symlink_metadata(path).map_err(io)?.is_symlink() {
            true => fs::canonicalize(path).map_err(io)?,
            false => path.to_owned(),
        };
        let transport = match mount::network_of(&followed).map_err(io)? {
            Some(network) => Transport::Mount { network },
            None => Transport::Local,
        };
        let folder = followed.parent().filter(|folder| !folder.as_os_str().is_empty());
        let root = DataRoot::open(folder.unwrap_or(Path::new("."))).map_err(Reason::Folder)?;
        let name = followed.file_name().unwrap_or_default().to_string_lossy();
        let limits = Limits { sources_max: NonZeroUsize::MIN, ..Limits::default() };
        let catalogue =
            Catalogue::new(root, limits, Protection::default(), Arc::new(AtomicU64::new(0)));
        let caller = Caller::unrestricted(transport);
        let planned = catalogue.plan(&name, &select, parameters, &caller)?;
        Ok(Self::of(planned.plan, options))
    }

    fn of(plan: Plan, options: ScanOptions) -> Self {
        let schema = Arc::clone(plan.schema());
        Self { schema, batches: Batches::new(plan, options, Arc::new(AtomicU64::new(0))) }
    }

    /// The columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next records; `None` at the end.
    ///
    /// # Errors
    /// As those of a Select at a server.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, LocalError> {
        Ok(self.batches.next().await?)
    }
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
