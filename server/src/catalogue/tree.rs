//! The entries below the data root. Each entry is opened from the folder that contains it.
//!
//! A name is followed from the root, one folder after the other, and each symbolic link on the way
//! is read. So nothing leads out of the root, and the name to which links lead is known. A
//! descriptor or the data is later opened from the folder that is held open here, even if the
//! folder has been renamed. Nothing here waits for a file: until [`Tree::open`], entries are opened
//! with `O_PATH`, which reads nothing.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2,
    readlinkat, statat,
};
use rustix::io::Errno;

use super::spelling;
use crate::open_files::noted;

/// The maximal number of links on the way of a name; Linux has the same limit.
const LINKS_MAX: usize = 40;

/// Opens an entry of a folder by its name. It does not follow a symbolic link.
pub(super) type LookUp = fn(&File, &str, OFlags) -> Result<OwnedFd, Errno>;

/// Everything below a folder.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Arc<Node>,
    /// The file system's lookup; tests replace it.
    pub(super) look_up: LookUp,
}

/// An entry of a folder, opened with `O_PATH`.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) file: File,
    pub(super) stat: Stat,
    /// The folder that contains the entry, and its name there; `None` for the root.
    pub(super) above: Option<(Arc<Self>, String)>,
}

/// The result of following a name.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The entry of the name itself: the file or a link.
    pub(super) own: Arc<Node>,
    /// The symbolic links on the way, in order.
    pub(super) links: Vec<Arc<Node>>,
    /// The last entry, which is not a link.
    pub(super) end: Arc<Node>,
}

/// The reason why a name leads to nothing.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// There is no such entry, or its spelling is different.
    Nowhere { by_link: bool },
    /// A symbolic link leads out of the data root.
    Outside,
    /// The operating system returned an error.
    Unreadable { error: io::Error, by_link: bool },
}

/// The spelling that is required of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Exactly the spelling of the entries in the folders.
    Exact,
    /// The name was read from the folder, so its spelling is right.
    Listed,
    /// Any spelling that the file system finds.
    Any,
}

impl Tree {
    /// Opens the folder at `path`.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = File::from(open(path, flags, Mode::empty())?);
        let stat = fstat(&file)?;
        Ok(Self { root: Arc::new(Node { file, stat, above: None }), look_up })
    }

    /// Looks at a regular file without opening the folders on its way. Returns `NOENT` if there is
    /// nothing. It follows no symbolic link. On a kernel without openat2 (before Linux 5.6) it
    /// finds no files in folders.
    pub(super) fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let root = &self.root.file;
        let stat = if path.contains('/') {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            fstat(noted(openat2(root, path, flags, Mode::empty(), resolve))?)?
        } else {
            statat(root, path, AtFlags::SYMLINK_NOFOLLOW)?
        };
        if is_regular(&stat) { Ok(stat) } else { Err(Errno::INVAL) }
    }

    /// Follows `path` from the folder `from`.
    pub(super) fn resolve(
        &self,
        from: &Arc<Node>,
        path: &str,
        spelling: Spelling,
    ) -> Result<Resolved, Unresolved> {
        let mut folder = Arc::clone(from);
        // in reverse order: `pop` returns the next part
        let mut parts: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut own = None;
        let mut links = Vec::new();
        while let Some(part) = parts.pop() {
            let by_link = !links.is_empty();
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    let (above, _) = folder.above.as_ref().ok_or(Unresolved::Outside)?;
                    folder = Arc::clone(above);
                    continue;
                }
                _ => {}
            }
            let spelling = match spelling {
                // the names in a link were not read from a folder
                Spelling::Listed if by_link => Spelling::Exact,
                spelling => spelling,
            };
            let node = self
                .enter(&folder, &part, parts.is_empty(), spelling)
                .map_err(|error| Unresolved::of(error, by_link))?;
            if parts.is_empty() && own.is_none() {
                own = Some(Arc::clone(&node));
            }
            match node.kind() {
                FileType::Symlink => {
                    if links.len() == LINKS_MAX {
                        return Err(Unresolved::Nowhere { by_link });
                    }
                    let text = link_text(&node)?;
                    parts.extend(text.rsplit('/').map(str::to_owned));
                    links.push(node);
                }
                FileType::Directory => folder = node,
                _ if parts.is_empty() => {
                    let own = own.unwrap_or_else(|| Arc::clone(&node));
                    return Ok(Resolved { own, links, end: node });
                }
                _ => return Err(Unresolved::Nowhere { by_link }),
            }
        }
        Ok(Resolved { own: own.unwrap_or_else(|| Arc::clone(&folder)), links, end: folder })
    }

    /// Opens the entry `name` of a folder, if the spelling is right.
    fn enter(
        &self,
        folder: &Arc<Node>,
        name: &str,
        is_last: bool,
        spelling: Spelling,
    ) -> io::Result<Arc<Node>> {
        let node = if is_last { self.node(folder, name)? } else { self.folder(folder, name)? };
        let is_it = spelling != Spelling::Exact || spelling::is_exact(self, folder, name, &node)?;
        if is_it { Ok(node) } else { Err(Errno::NOENT.into()) }
    }

    /// Opens an entry that is probably a folder. It asks for a folder, because only then the kernel
    /// mounts what is mounted there on demand.
    pub(super) fn folder(&self, folder: &Arc<Node>, name: &str) -> io::Result<Arc<Node>> {
        match self.opened(folder, name, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOTDIR | Errno::LOOP) => self.node(folder, name),
            opened => Ok(opened?),
        }
    }

    /// Opens an entry of any kind.
    pub(super) fn node(&self, folder: &Arc<Node>, name: &str) -> io::Result<Arc<Node>> {
        Ok(self.opened(folder, name, OFlags::PATH)?)
    }

    fn opened(&self, folder: &Arc<Node>, name: &str, flags: OFlags) -> Result<Arc<Node>, Errno> {
        let file = File::from((self.look_up)(&folder.file, name, flags)?);
        let stat = fstat(&file)?;
        Ok(Arc::new(Node { file, stat, above: Some((Arc::clone(folder), name.to_owned())) }))
    }

    /// Opens the data of a regular file; `None` if the name now leads to another file.
    pub(super) fn open(&self, node: &Node) -> io::Result<Option<(File, Stat)>> {
        let Some((folder, name)) = &node.above else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match (self.look_up)(&folder.file, name, flags) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&file)?;
        Ok(is_same(&stat, &node.stat).then_some((file, stat)))
    }

    /// Returns whether the name of an entry still leads to it.
    pub(super) fn has(&self, node: &Node) -> bool {
        let Some((folder, name)) = &node.above else { return true };
        let found = (self.look_up)(&folder.file, name, OFlags::PATH);
        found.is_ok_and(|file| fstat(file).is_ok_and(|stat| is_same(&stat, &node.stat)))
    }
}

impl Node {
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    pub(super) fn is_regular(&self) -> bool {
        is_regular(&self.stat)
    }

    /// Returns the path below the root, with the names that were found. It is empty for the root
    /// itself.
    pub(super) fn path(&self) -> String {
        match &self.above {
            None => String::new(),
            Some((folder, name)) => match folder.path() {
                path if path.is_empty() => name.clone(),
                path => format!("{path}/{name}"),
            },
        }
    }

    /// Opens a folder to read its entries.
    pub(super) fn entries(&self) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Dir::new(noted(openat(&self.file, ".", flags, Mode::empty()))?)?)
    }
}

impl Unresolved {
    pub(super) fn of(error: io::Error, by_link: bool) -> Self {
        match is_missing(&error) {
            true => Self::Nowhere { by_link },
            false => Self::Unreadable { error, by_link },
        }
    }
}

/// Returns whether the error says that there is no such entry.
pub(super) fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

fn look_up(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    noted(openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()))
}

/// Returns the text of a symbolic link that can be followed.
fn link_text(link: &Node) -> Result<String, Unresolved> {
    let nowhere = Unresolved::Nowhere { by_link: true };
    let text = match readlinkat(&link.file, "", Vec::new()) {
        Ok(text) => text,
        Err(error) => return Err(Unresolved::of(error.into(), true)),
    };
    match text.into_string() {
        Ok(text) if text.starts_with('/') => Err(Unresolved::Outside),
        Ok(text) if !text.is_empty() => Ok(text),
        // no grant and no protection could name the target
        Ok(_) | Err(_) => Err(nowhere),
    }
}

pub(super) fn is_same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}
