//! A file before it is opened: its resolved name, its grant, its descriptor and its protection.
//!
//! A file that symbolic links lead to has two names. Both names need a grant, and the protection of
//! both names applies.

use std::io::Read;
use std::sync::Arc;

use sift_select::{Descriptor, FileError, Look, Source, is_local};
use tracing::warn;

use super::granted::{granted, told};
use super::name::DESCRIPTOR_SUFFIX;
use super::tree::{Node, Resolved, Spelling, Unresolved};
use super::version::{bytes, identity};
use super::{Catalogue, FileName};
use crate::access::grant::{Caller, Grant};
use crate::access::protect::Protected;
use crate::access::transport::Transport;
use crate::fault::Fault;

/// The maximal size of a descriptor.
const DESCRIPTOR_BYTES_MAX: u64 = 1 << 20;

/// A descriptor that has been read.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) descriptor: Descriptor,
    /// The look at its file, from before it was read.
    pub(super) look: Look,
}

/// A regular file that the caller may know about.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: FileName,
    pub(super) resolved: Resolved,
    /// The name that symbolic links lead to, if it is another name.
    pub(super) target: Option<FileName>,
    /// The grant that is common to all of its names.
    pub(super) grant: Arc<Grant>,
}

/// A file that has not been opened: the facts from its name and its descriptor.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) name: FileName,
    pub(crate) format: &'static str,
    pub(crate) bytes: u64,
    pub(crate) protected: Protected,
    pub(crate) grant: Arc<Grant>,
    pub(super) resolved: Resolved,
    pub(super) described: Option<Arc<Described>>,
    /// The file that symbolic links lead to, and its descriptor.
    pub(super) target: Option<(FileName, Option<Arc<Described>>)>,
}

/// The reason why a descriptor cannot be used. It may quote the descriptor.
enum Unusable {
    /// The file with this name was replaced.
    Renamed(String),
    Unread {
        path: String,
        why: String,
    },
    Invalid(FileError),
}

impl Unusable {
    /// Returns the fault for a caller who may see the parts of the file `name` that are granted.
    fn fault(self, name: &FileName, grant: &Grant) -> Fault {
        let fault = match self {
            Self::Renamed(name) => return Fault::Renamed(name),
            Self::Unread { path, why } => Fault::Descriptor(path, why),
            Self::Invalid(error) => Fault::Select(error.into()),
        };
        told(name.as_str(), grant, fault)
    }
}

impl Entry {
    pub(crate) fn has_descriptor(&self) -> bool {
        self.described.is_some()
    }
}

impl Catalogue {
    /// Returns the facts about a file that the caller may know on any transport.
    pub(crate) fn entry(&self, name: &FileName, caller: &Caller) -> Result<Entry, Fault> {
        // the grant is checked before the file system is asked
        let grant = granted(caller, name)?;
        let resolved = self.root.tree.resolve(&self.root.tree.root, name.as_str(), Spelling::Exact);
        self.described(self.found(name.clone(), resolved, grant, caller)?, caller.transport)
    }

    /// Checks that the caller may know about the file that was found. `grant` is the grant for
    /// `name`.
    pub(super) fn found(
        &self,
        name: FileName,
        resolved: Result<Resolved, Unresolved>,
        grant: Arc<Grant>,
        caller: &Caller,
    ) -> Result<Found, Fault> {
        let unknown = || Fault::UnknownFile(name.to_string());
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(Unresolved::Nowhere { .. }) => return Err(unknown()),
            // the error would reveal a link that may not be granted to the caller
            Err(Unresolved::Outside) if !caller.may_read_everything() => return Err(unknown()),
            Err(Unresolved::Outside) => return Err(Fault::Outside(name.to_string())),
            // the error would reveal a name that may not be granted to the caller
            Err(Unresolved::Unreadable { error, by_link: true })
                if !caller.may_read_everything() =>
            {
                warn!(file = %name, %error, "a symbolic link leads to what cannot be read");
                return Err(unknown());
            }
            Err(Unresolved::Unreadable { error, .. }) => {
                return Err(Fault::Unreadable(name.to_string(), error));
            }
        };
        let mut target = None;
        let mut grant = grant;
        if !resolved.links.is_empty() {
            // only a name of a data file can be granted or protected
            let leads_to =
                FileName::parse(&resolved.end.path()).map_err(|_not_a_name| unknown())?;
            if leads_to != name {
                let there = caller.grant(leads_to.as_str()).ok_or_else(unknown)?;
                grant = Grant::join(&grant, &there).ok_or_else(unknown)?;
                target = Some(leads_to);
            }
        }
        match resolved.end.is_regular() {
            true => Ok(Found { name, resolved, target, grant }),
            false => Err(Fault::NotRegular(name.to_string())),
        }
    }

    /// Adds the contents of the descriptors.
    pub(super) fn described(&self, file: Found, transport: Transport) -> Result<Entry, Fault> {
        let Found { name, resolved, target, grant } = file;
        let described = self.descriptions(&name, &resolved, target.as_ref());
        let (described, at_target) = described.map_err(|unusable| match transport {
            // without the descriptor, the strictest protection has to be assumed
            Transport::Plain | Transport::Mount { .. } => {
                Fault::NetworkEncryptUnknown(name.to_string())
            }
            Transport::Encrypted { .. } | Transport::Local => unusable.fault(&name, &grant),
        })?;
        let descriptor = described.as_ref().map(|described| &described.descriptor);
        let Some(format) = Source::format_of(name.as_str(), descriptor) else {
            return Err(Fault::UnknownFormat(name.to_string()));
        };
        let mut protected = self.protection.of(name.as_str(), descriptor);
        if let Some(target) = &target {
            let descriptor = at_target.as_ref().map(|described| &described.descriptor);
            protected.join(self.protection.of(target.as_str(), descriptor));
        }
        let bytes = bytes(&resolved.end.stat);
        let target = target.map(|target| (target, at_target));
        Ok(Entry { name, format, bytes, protected, grant, resolved, described, target })
    }

    /// Returns the descriptor of a file, and the descriptor of the file that links lead to.
    #[expect(clippy::type_complexity, reason = "a pair of what `descriptor` returns")]
    fn descriptions(
        &self,
        name: &FileName,
        resolved: &Resolved,
        target: Option<&FileName>,
    ) -> Result<(Option<Arc<Described>>, Option<Arc<Described>>), Unusable> {
        let own = self.descriptor(&resolved.own, name)?;
        let at_target = match target {
            Some(target) => self.descriptor(&resolved.end, target)?,
            None => None,
        };
        Ok((own, at_target))
    }

    /// Reads the descriptor beside `file`, which has the name `name`.
    fn descriptor(&self, file: &Node, name: &FileName) -> Result<Option<Arc<Described>>, Unusable> {
        let path = name.descriptor();
        let refuse = |why: &str| Unusable::Unread { path: path.clone(), why: why.to_owned() };
        let failed = |error: std::io::Error| refuse(&error.to_string());
        let node = match self.beside(file) {
            Ok(Some(resolved)) => resolved.end,
            Ok(None) => return Ok(None),
            Err(Unresolved::Nowhere { .. }) => return Err(refuse("the link leads nowhere")),
            Err(Unresolved::Outside) => return Err(refuse("leads out of the data root")),
            Err(Unresolved::Unreadable { error, .. }) => return Err(failed(error)),
        };
        if !node.is_regular() {
            return Err(refuse("not a regular file"));
        }
        if let Some(known) = self.descriptors.find(&path, &identity(&node.stat)) {
            return Ok(Some(known));
        }
        let Some((file, _)) = self.root.tree.open(&node).map_err(failed)? else {
            return Err(Unusable::Renamed(name.to_string()));
        };
        let look = Look::settled(&file).map_err(failed)?;
        let can_be_kept = look.is_settled() && is_local(&file);
        let mut text = String::new();
        let read = file.take(DESCRIPTOR_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if read as u64 > DESCRIPTOR_BYTES_MAX {
            let why = format!("more than {DESCRIPTOR_BYTES_MAX} bytes, which no layout needs");
            return Err(Unusable::Unread { path, why });
        }
        let descriptor = Descriptor::parse(&path, &text).map_err(Unusable::Invalid)?;
        let described = Arc::new(Described { descriptor, look });
        if can_be_kept {
            self.descriptors.keep(&path, look.identity(), Arc::clone(&described));
        }
        Ok(Some(described))
    }

    /// Finds the descriptor beside a file. On a file system that ignores case, it finds the
    /// descriptor in any case. A link that leads nowhere is an error, not a missing descriptor.
    fn beside(&self, file: &Node) -> Result<Option<Resolved>, Unresolved> {
        let Some((folder, name)) = &file.above else { return Ok(None) };
        let name = format!("{name}{DESCRIPTOR_SUFFIX}");
        match self.root.tree.resolve(folder, &name, Spelling::Any) {
            Ok(resolved) => Ok(Some(resolved)),
            Err(Unresolved::Nowhere { by_link: false }) => Ok(None),
            Err(unresolved) => Err(unresolved),
        }
    }

    /// Returns whether the descriptors of a file are unchanged.
    pub(super) fn is_described(&self, entry: &Entry) -> bool {
        self.is_described_by(&entry.resolved.own, entry.described.as_deref())
            && entry
                .target
                .iter()
                .all(|(_, by)| self.is_described_by(&entry.resolved.end, by.as_deref()))
    }

    /// Returns whether the descriptor beside `file` is unchanged, or still missing.
    fn is_described_by(&self, file: &Node, described: Option<&Described>) -> bool {
        match (self.beside(file), described) {
            (Ok(None), None) => true,
            // on a network mount, opening the file asks the server again
            (Ok(Some(resolved)), Some(described)) => match self.root.tree.open(&resolved.end) {
                Ok(Some((file, _))) => described.look.holds(&file).unwrap_or(false),
                Ok(None) | Err(_) => false,
            },
            _ => false,
        }
    }
}
