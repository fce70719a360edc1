//! The files below the data root that match a pattern.
//!
//! The walk does not follow symbolic links to folders, so it ends. A link to a file is listed if
//! the caller may know about its target. The number of entries, the depth and the number of files
//! are limited.
//!
//! A folder below the root that cannot be read counts as empty in a list, because a list shows the
//! files that can be read. A Select over a pattern that reaches into such a folder fails, because
//! its result would look complete.

use std::fmt::{self, Display};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::FileType;
use sift_proto::frame::CONTROL_BYTES_MAX;
use sift_proto::message::{FileEntry, FileList};
use sift_select::{Requirement, check_wanted, has_encrypted_footer};
use tracing::warn;

use super::entry::{Entry, Found};
use super::name::DESCRIPTOR_SUFFIX;
use super::pattern::NamePattern;
use super::tree::{Node, Resolved, Spelling, Unresolved, is_missing};
use super::version::bytes;
use super::watch::Watch;
use super::{Catalogue, FileName, with_descriptors};
use crate::access::grant::{Caller, Grant};
use crate::fault::Fault;

/// The files that the caller may read, and the remarks about the other entries.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Sorted by path.
    pub(crate) files: Vec<Listed>,
    pub(crate) remarks: Vec<Remark>,
}

/// A file as a list shows it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) entry: FileEntry,
    /// The name that symbolic links lead to, if it is another name.
    pub(crate) target: Option<String>,
}

/// A fact about an entry that an administrator should know.
#[derive(Debug)]
pub(crate) enum Remark {
    /// A folder that cannot be read, or an entry that cannot be looked at.
    Unread { path: String, why: String },
    /// Entries of a folder whose names are not UTF-8, so no request can name them.
    Unnamed { folder: String, entries: usize },
    /// A symbolic link that does not lead to a data file.
    Link { path: String, end: LinkEnd },
}

/// The target of a symbolic link.
#[derive(Debug)]
pub(crate) enum LinkEnd {
    /// A folder below the data root; empty for the root itself.
    Folder(String),
    Outside,
    Nowhere,
}

impl Remark {
    /// Returns whether files are served through the entry.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self, Self::Link { end: LinkEnd::Folder(_), .. })
    }
}

impl Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread { path, why } => write!(f, "{path}: not served: {why}"),
            Self::Unnamed { folder, entries } => {
                let folder = if folder.is_empty() { "the data root" } else { folder };
                write!(f, "{folder}: not served: {entries} names that are not UTF-8")
            }
            Self::Link { path, end: LinkEnd::Folder(folder) } => {
                let folder = if folder.is_empty() { "the data root" } else { folder };
                write!(
                    f,
                    "{path}: a link to {folder}; a file that is named through it needs a \
                    grant, and has the protection, by both of its names"
                )
            }
            Self::Link { path, end: LinkEnd::Outside } => {
                write!(f, "{path}: not served: a link that leads out of the data root")
            }
            Self::Link { path, end: LinkEnd::Nowhere } => {
                write!(f, "{path}: not served: a link that leads nowhere")
            }
        }
    }
}

impl Catalogue {
    /// Returns the files that match `pattern` and that the caller may read, sorted by path. An
    /// empty pattern matches all files. Folders that cannot be read are logged.
    pub(crate) fn list(&self, pattern: &str, caller: &Caller) -> Result<FileList, Fault> {
        let Listing { files, remarks } = with_descriptors(|| self.listing(pattern, caller))?;
        let mut unread = remarks.iter().filter(|remark| matches!(remark, Remark::Unread { .. }));
        if let Some(first) = unread.next() {
            warn!(folder = %first, others = unread.count(), "a folder is not listed");
        }
        let files = files.into_iter().map(|listed| listed.entry).collect();
        let list = FileList { files };
        let bytes = prost::Message::encoded_len(&list);
        if bytes > CONTROL_BYTES_MAX as usize {
            let max = CONTROL_BYTES_MAX as usize;
            return Err(Fault::TooMany { what: "bytes of file names", max });
        }
        Ok(list)
    }

    /// Returns the same files as [`list`](Self::list), with the remarks about other entries.
    pub(crate) fn listing(&self, pattern: &str, caller: &Caller) -> Result<Listing, Fault> {
        let mut files = Vec::new();
        let max = self.limits.list_files_max.get();
        let remarks = self.walk(pattern, caller, Unread::Remark, &mut |file| {
            let target = file.target.as_ref().map(ToString::to_string);
            if let Some(entry) = self.listed(file, caller) {
                if files.len() >= max {
                    return Err(Fault::TooMany { what: "files", max });
                }
                files.push(Listed { entry, target });
            }
            Ok(())
        })?;
        files.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        Ok(Listing { files, remarks })
    }

    /// Returns the data files that match `pattern` and that the caller may read, with their grants,
    /// sorted by name. A file with a fault is included: its fault is reported when it is opened.
    /// Only files that are certainly not data files are left out.
    pub(crate) fn names(
        &self,
        pattern: &str,
        caller: &Caller,
    ) -> Result<Vec<(FileName, Arc<Grant>)>, Fault> {
        let mut names = Vec::new();
        let max = self.limits.list_files_max.get();
        self.walk(pattern, caller, Unread::Refuse, &mut |file| {
            let found = (file.name.clone(), Arc::clone(&file.grant));
            if let Err(Fault::UnknownFormat(_)) = self.described(file, caller.transport) {
                return Ok(());
            }
            if names.len() >= max {
                return Err(Fault::TooMany { what: "files", max });
            }
            names.push(found);
            Ok(())
        })?;
        names.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Ok(names)
    }

    fn walk(
        &self,
        pattern: &str,
        caller: &Caller,
        unread: Unread,
        visit: &mut dyn FnMut(Found) -> Result<(), Fault>,
    ) -> Result<Vec<Remark>, Fault> {
        let pattern = NamePattern::parse(pattern)?;
        let remarks = Vec::new();
        let mut walk =
            Walk { catalogue: self, caller, pattern, entries: 0, unread, remarks, visit };
        let root = &self.root.tree.root;
        // if the root cannot be read, the walk fails
        let entries = walk.read(root).map_err(|why| why.fault("."))?;
        walk.folder(root, entries, "", 0)?;
        Ok(walk.remarks)
    }

    /// A file as a list shows it, if it does.
    fn listed(&self, file: Found, caller: &Caller) -> Option<FileEntry> {
        let path = file.name.to_string();
        let (stat, grant) = (file.resolved.end.stat, Arc::clone(&file.grant));
        // a file that takes another name for a moment must not be described under that name
        let watch = grant.is_whole().then(|| Watch::begin(&self.root.tree, &file.resolved));
        let watch = watch.and_then(|watch| watch.ok().flatten());
        let (format, requirement, is_whole) = match self.described(file, caller.transport) {
            Ok(entry) => {
                let required = self.file_requirement(&entry);
                let is_whole = caller.transport.meets(required)
                    && !entry.protected.withholds(caller.transport);
                (entry.format, required, is_whole)
            }
            Err(Fault::UnknownFormat(_) | Fault::NetworkEncryptUnknown(_)) => return None,
            // with a fault, the whole file requires encryption; callers who get here may still see
            // its name
            Err(_) => ("", Requirement::Encryption, false),
        };
        // the size and the time of change reveal something about hidden parts
        let is_whole = is_whole && watch.is_some_and(|watch| watch.holds(&self.root.tree));
        let modified =
            i128::from(stat.st_mtime) * 1_000_000 + i128::from(stat.st_mtime_nsec) / 1000;
        Some(FileEntry {
            path,
            format: format.to_owned(),
            bytes: is_whole.then_some(bytes(&stat)),
            modified: i64::try_from(modified.max(0)).ok().filter(|_| is_whole),
            network_encrypt: requirement.network_encrypt(),
            scl_min: requirement.scl_min().map_or(0, u32::from),
        })
    }
}

impl Catalogue {
    /// Returns the protection that a file as a whole requires, as its description shows it. It
    /// includes the encryption of the file's own footer. A footer that cannot be read requires
    /// nothing.
    fn file_requirement(&self, entry: &Entry) -> Requirement {
        let required = entry.protected.file;
        if required != Requirement::None || entry.format != PARQUET {
            return required;
        }
        let opened = self.root.tree.open(&entry.resolved.end);
        self.files_opened.fetch_add(1, Ordering::Relaxed);
        let is_encrypted = opened.is_ok_and(|opened| {
            opened.is_some_and(|(file, stat)| {
                let name = entry.name.as_str();
                has_encrypted_footer(name, &file, bytes(&stat)).unwrap_or_default()
            })
        });
        if is_encrypted { Requirement::Encryption } else { required }
    }
}

/// The only format whose files can be encrypted.
const PARQUET: &str = "parquet";

/// The treatment of a folder that cannot be read.
#[derive(Clone, Copy, PartialEq)]
enum Unread {
    /// It has no files for us.
    Remark,
    /// There might be files in it that are asked for.
    Refuse,
}

struct Walk<'a> {
    catalogue: &'a Catalogue,
    caller: &'a Caller,
    pattern: Option<NamePattern>,
    entries: usize,
    unread: Unread,
    remarks: Vec<Remark>,
    visit: &'a mut dyn FnMut(Found) -> Result<(), Fault>,
}

/// The entries of a folder: those with a name in UTF-8, and the number of the others.
struct Entries {
    named: Vec<(String, FileType)>,
    unnamed: usize,
}

/// The reason why a folder is not read.
enum Failed {
    Io(io::Error),
    TooMany(usize),
}

impl Failed {
    fn fault(self, path: &str) -> Fault {
        match self {
            Self::Io(error) => Fault::Unreadable(path.to_owned(), error),
            Self::TooMany(max) => {
                Fault::TooMany { what: "entries in the folders of the data root", max }
            }
        }
    }
}

impl Walk<'_> {
    fn folder(
        &mut self,
        folder: &Arc<Node>,
        entries: Entries,
        prefix: &str,
        depth: usize,
    ) -> Result<(), Fault> {
        if entries.unnamed > 0 {
            let folder = prefix.trim_end_matches('/').to_owned();
            self.remarks.push(Remark::Unnamed { folder, entries: entries.unnamed });
        }
        for (name, kind) in entries.named {
            let path = format!("{prefix}{name}");
            // some file systems do not report the kind
            let is_folder = kind == FileType::Directory
                || kind == FileType::Unknown
                    && (self.catalogue.root.tree.node(folder, &name))
                        .is_ok_and(|node| node.kind() == FileType::Directory);
            if is_folder {
                self.inner(folder, &name, path, depth)?;
            } else if self.matches(&path) {
                self.file(folder, &name, path)?;
            }
        }
        Ok(())
    }

    /// Walks through a folder inside another folder.
    fn inner(
        &mut self,
        folder: &Arc<Node>,
        name: &str,
        path: String,
        depth: usize,
    ) -> Result<(), Fault> {
        let reaches = |pattern: &NamePattern| pattern.reaches_into(&path);
        if !self.caller.reaches_into(&path) || !self.pattern.as_ref().is_none_or(reaches) {
            return Ok(());
        }
        let max = self.catalogue.limits.list_depth_max.get();
        if depth + 1 >= max {
            return Err(Fault::TooMany { what: "folders within folders", max });
        }
        check_wanted()?;
        let opened = self.catalogue.root.tree.folder(folder, name).map_err(Failed::Io);
        let read = opened.and_then(|inner| Ok((self.read(&inner)?, inner)));
        match read {
            Ok((entries, inner)) => self.folder(&inner, entries, &format!("{path}/"), depth + 1),
            // it was removed or replaced in the meantime
            Err(Failed::Io(error)) if is_missing(&error) => Ok(()),
            Err(Failed::Io(error)) if self.unread == Unread::Remark => {
                self.remarks.push(Remark::Unread { path, why: error.to_string() });
                Ok(())
            }
            Err(why) => Err(why.fault(&path)),
        }
    }

    /// Reads all entries of a folder first, so that a folder that fails halfway is not listed in
    /// part.
    fn read(&mut self, folder: &Node) -> Result<Entries, Failed> {
        let max = self.catalogue.limits.list_entries_max.get();
        let mut entries = Entries { named: Vec::new(), unnamed: 0 };
        for entry in folder.entries().map_err(Failed::Io)? {
            let entry = entry.map_err(|error| Failed::Io(error.into()))?;
            let name = entry.file_name().to_str();
            if matches!(name, Ok("." | "..")) {
                continue;
            }
            self.entries += 1;
            if self.entries > max {
                return Err(Failed::TooMany(max));
            }
            match name {
                Ok(name) => entries.named.push((name.to_owned(), entry.file_type())),
                Err(_) => entries.unnamed += 1,
            }
        }
        Ok(entries)
    }

    fn matches(&self, path: &str) -> bool {
        !path.ends_with(DESCRIPTOR_SUFFIX)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.matches(path))
    }

    fn file(&mut self, folder: &Arc<Node>, leaf: &str, path: String) -> Result<(), Fault> {
        let Ok(name) = FileName::parse(&path) else { return Ok(()) };
        let Some(grant) = self.caller.grant(name.as_str()) else { return Ok(()) };
        check_wanted()?;
        let resolved = self.catalogue.root.tree.resolve(folder, leaf, Spelling::Listed);
        self.remark(&path, resolved.as_ref());
        match self.catalogue.found(name, resolved, grant, self.caller) {
            Ok(file) => (self.visit)(file),
            Err(fault @ Fault::Unreadable(..)) if self.unread == Unread::Refuse => Err(fault),
            // a link may lead anywhere, for example to a device or out of the root
            Err(_) => Ok(()),
        }
    }

    fn remark(&mut self, path: &str, resolved: Result<&Resolved, &Unresolved>) {
        let path = path.to_owned();
        let link = |path, end| Remark::Link { path, end };
        self.remarks.push(match resolved {
            Ok(resolved) if resolved.end.kind() == FileType::Directory => {
                link(path, LinkEnd::Folder(resolved.end.path()))
            }
            Ok(_) | Err(Unresolved::Nowhere { by_link: false }) => return,
            Err(Unresolved::Nowhere { by_link: true }) => link(path, LinkEnd::Nowhere),
            Err(Unresolved::Outside) => link(path, LinkEnd::Outside),
            Err(Unresolved::Unreadable { error, .. }) => {
                Remark::Unread { path, why: error.to_string() }
            }
        });
    }
}
