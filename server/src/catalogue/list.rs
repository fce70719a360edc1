//! The files below the data root that match a pattern.
//!
//! The walk does not go into folders by symbolic links, so it ends; a link to a file is listed if
//! it stays in the root. It is bounded in entries, depth and files.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use cap_std::fs::{Dir, DirEntry, Metadata};
use sift_proto::frame::CONTROL_BYTES_MAX;
use sift_proto::message::{FileEntry, FileList};
use sift_select::{Requirement, has_encrypted_footer, may_wait};

use super::name::DESCRIPTOR_SUFFIX;
use super::pattern::NamePattern;
use super::{Catalogue, Entry, FileName, open};
use crate::fault::Fault;
use crate::grant::{Caller, Grant};

impl Catalogue {
    /// The files that match `pattern`, all for the empty one, and that the caller may read, in
    /// order.
    pub(crate) fn list(&self, pattern: &str, caller: &Caller) -> Result<FileList, Fault> {
        let mut files = Vec::new();
        let max = self.limits.list_files_max.get();
        self.walk(pattern, caller, Unreadable::Skip, &mut |found| {
            if let Some(entry) = self.listed(found, caller) {
                if files.len() >= max {
                    return Err(Fault::TooMany { what: "files", max });
                }
                files.push(entry);
            }
            Ok(())
        })?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let list = FileList { files };
        let bytes = prost::Message::encoded_len(&list);
        if bytes > CONTROL_BYTES_MAX as usize {
            let max = CONTROL_BYTES_MAX as usize;
            return Err(Fault::TooMany { what: "bytes of file names", max });
        }
        Ok(list)
    }

    /// The names that match `pattern` of data files that the caller may read, in order. None that
    /// may be one is left out: what is wrong with it is told when it is opened.
    pub(crate) fn names(&self, pattern: &str, caller: &Caller) -> Result<Vec<FileName>, Fault> {
        if !may_wait() {
            return Err(Fault::Internal("folders are not read where nothing may wait"));
        }
        let mut names = Vec::new();
        let max = self.limits.list_files_max.get();
        self.walk(pattern, caller, Unreadable::Refuse, &mut |Found { name, .. }| {
            if let Err(Fault::UnknownFormat(_)) = self.entry(&name, caller.transport) {
                return Ok(());
            }
            if names.len() >= max {
                return Err(Fault::TooMany { what: "files", max });
            }
            names.push(name);
            Ok(())
        })?;
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Ok(names)
    }

    fn walk(
        &self,
        pattern: &str,
        caller: &Caller,
        unreadable: Unreadable,
        visit: &mut dyn FnMut(Found) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let pattern = NamePattern::parse(pattern)?;
        let mut walk = Walk { catalogue: self, caller, pattern, entries: 0, unreadable, visit };
        walk.folder(&self.root.dir, "", 0)
    }

    /// A file as a list shows it, if it does.
    fn listed(&self, found: Found, caller: &Caller) -> Option<FileEntry> {
        let Found { name, metadata, grant } = found;
        let (format, requirement, is_whole) = match self.entry(&name, caller.transport) {
            Ok(entry) => {
                let demanded = self.demanded(&entry);
                let is_whole = caller.transport.meets(demanded)
                    && !entry.protected.withholds(caller.transport);
                (entry.format, demanded, is_whole)
            }
            Err(Fault::UnknownFormat(_) | Fault::NetworkEncryptUnknown(_)) => return None,
            // what protects everything hides nothing from those who may see it
            Err(_) => ("", Requirement::Encryption, false),
        };
        // how long the file is, and when it changed, tells of what may not be seen
        let is_whole = is_whole && grant.is_whole();
        let modified = metadata.modified().ok().and_then(|time| {
            let since = time.into_std().duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_micros()).ok()
        });
        Some(FileEntry {
            path: name.to_string(),
            format: format.to_owned(),
            bytes: is_whole.then_some(metadata.len()),
            modified: modified.filter(|_| is_whole),
            network_encrypt: requirement.network_encrypt(),
            scl_min: requirement.scl_min().map_or(0, u32::from),
        })
    }
}

impl Catalogue {
    /// What a file demands as a whole, as its description tells: also by what it has encrypted itself.
    /// What cannot be read of it demands nothing.
    fn demanded(&self, entry: &Entry) -> Requirement {
        let demanded = entry.protected.file;
        if demanded != Requirement::None || entry.format != PARQUET {
            return demanded;
        }
        let name = entry.name.as_str();
        let opened = open::open(&self.root.dir, name);
        self.files_opened.fetch_add(1, Ordering::Relaxed);
        let is_encrypted = opened.is_ok_and(|(file, _)| {
            file.metadata().is_ok_and(|metadata| {
                has_encrypted_footer(name, &file, metadata.len()).unwrap_or_default()
            })
        });
        if is_encrypted { Requirement::Encryption } else { demanded }
    }
}

/// The format whose files may be encrypted.
const PARQUET: &str = "parquet";

/// A file that a walk has come to.
struct Found {
    name: FileName,
    metadata: Metadata,
    grant: Arc<Grant>,
}

/// What becomes of a folder that may not be read.
#[derive(Clone, Copy)]
enum Unreadable {
    /// It has no files for us.
    Skip,
    /// There might be files in it that are asked for.
    Refuse,
}

struct Walk<'a> {
    catalogue: &'a Catalogue,
    caller: &'a Caller,
    pattern: Option<NamePattern>,
    entries: usize,
    unreadable: Unreadable,
    visit: &'a mut dyn FnMut(Found) -> Result<(), Fault>,
}

impl Walk<'_> {
    fn folder(&mut self, dir: &Dir, prefix: &str, depth: usize) -> Result<(), Fault> {
        let limits = &self.catalogue.limits;
        let unreadable = |error| {
            let name = if prefix.is_empty() { "." } else { prefix.trim_end_matches('/') };
            Fault::Unreadable(name.to_owned(), error)
        };
        for entry in dir.entries().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            self.entries += 1;
            if self.entries > limits.list_entries_max.get() {
                let max = limits.list_entries_max.get();
                return Err(Fault::TooMany {
                    what: "entries in the folders of the data root",
                    max,
                });
            }
            // no Select could name it
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                let reaches = |pattern: &NamePattern| pattern.reaches_into(&path);
                if !self.caller.reaches_into(&path) || !self.pattern.as_ref().is_none_or(reaches) {
                    continue;
                }
                if depth + 1 >= limits.list_depth_max.get() {
                    let max = limits.list_depth_max.get();
                    return Err(Fault::TooMany { what: "folders within folders", max });
                }
                match (entry.open_dir(), self.unreadable) {
                    (Ok(inner), _) => self.folder(&inner, &format!("{path}/"), depth + 1)?,
                    (Err(_), Unreadable::Skip) => {}
                    (Err(error), Unreadable::Refuse) => return Err(Fault::Unreadable(path, error)),
                }
            } else if self.matches(&path) {
                self.file(&entry, path)?;
            }
        }
        Ok(())
    }

    fn matches(&self, path: &str) -> bool {
        !path.ends_with(DESCRIPTOR_SUFFIX)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
    }

    fn file(&mut self, entry: &DirEntry, path: String) -> Result<(), Fault> {
        let Ok(name) = FileName::parse(&path) else { return Ok(()) };
        let Ok(grant) = self.caller.grant(&name) else { return Ok(()) };
        // through a link it may lead anywhere: to a device, or out of the root, which is an error
        let metadata = if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            self.catalogue.root.dir.metadata(&path)
        } else {
            entry.metadata()
        };
        let Ok(metadata) = metadata else { return Ok(()) };
        if !metadata.is_file() {
            return Ok(());
        }
        (self.visit)(Found { name, metadata, grant })
    }
}
