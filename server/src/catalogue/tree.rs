//! The entries below the data root: each is opened from the folder that it stands in.
//!
//! A name is followed from the root, one folder after the other, and each symbolic link on the way
//! is read, so nothing leads out of the root, and the name that links lead to is known. What is
//! opened later, a descriptor or the data, is opened from the folder that is held here, whatever
//! the folder is called by then. Nothing here waits for a file: until [`Tree::open`] entries are
//! opened with `O_PATH`, which reads nothing.

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

/// Links that a name may lead through, as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Opens what a folder has by a name; a symbolic link is not followed.
pub(super) type LookUp = fn(&File, &str, OFlags) -> Result<OwnedFd, Errno>;

/// All that is below a folder.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Arc<Node>,
    /// The file system's answer to a name; tests have others.
    pub(super) look_up: LookUp,
}

/// An entry of a folder, opened without being read.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) file: File,
    pub(super) stat: Stat,
    /// The folder that it was found in and its name there; none of the root.
    pub(super) above: Option<(Arc<Self>, String)>,
}

/// What a name leads to.
#[derive(Debug)]
pub(super) struct Way {
    /// The entry of the name itself: the file, or a link.
    pub(super) own: Arc<Node>,
    /// The symbolic links on the way, in order.
    pub(super) links: Vec<Arc<Node>>,
    /// The end of the way, which is not a link.
    pub(super) end: Arc<Node>,
}

/// Why a name leads to nothing.
#[derive(Debug)]
pub(super) enum Lost {
    /// There is no such entry, or it is spelled otherwise.
    Nowhere { by_link: bool },
    /// A symbolic link leads out of the data root.
    Outside,
    /// The operating system's refusal.
    Unreadable { error: io::Error, by_link: bool },
}

/// How a name has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the entries of the folders are.
    Exact,
    /// It is that of an entry.
    Listed,
    /// So that the file system finds it.
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

    /// Looks at a regular file without holding the way to it; `NOENT` if there is nothing. No
    /// symbolic link is followed, and a kernel without openat2 (Linux 5.6) finds nothing in folders.
    pub(super) fn near(&self, path: &str) -> Result<Stat, Errno> {
        let root = &self.root.file;
        let stat = if path.contains('/') {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            fstat(openat2(root, path, flags, Mode::empty(), resolve)?)?
        } else {
            statat(root, path, AtFlags::SYMLINK_NOFOLLOW)?
        };
        if is_regular(&stat) { Ok(stat) } else { Err(Errno::INVAL) }
    }

    /// Follows `path` from the folder `from`.
    pub(super) fn find(
        &self,
        from: &Arc<Node>,
        path: &str,
        spelling: Spelling,
    ) -> Result<Way, Lost> {
        let mut folder = Arc::clone(from);
        // the next part is the last
        let mut parts: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut own = None;
        let mut links = Vec::new();
        while let Some(part) = parts.pop() {
            let by_link = !links.is_empty();
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    let (above, _) = folder.above.as_ref().ok_or(Lost::Outside)?;
                    folder = Arc::clone(above);
                    continue;
                }
                _ => {}
            }
            let spelling = match spelling {
                // what links say was not listed
                Spelling::Listed if by_link => Spelling::Exact,
                spelling => spelling,
            };
            let node = self
                .enter(&folder, &part, parts.is_empty(), spelling)
                .map_err(|error| Lost::of(error, by_link))?;
            if parts.is_empty() && own.is_none() {
                own = Some(Arc::clone(&node));
            }
            match node.kind() {
                FileType::Symlink => {
                    if links.len() == LINKS_MAX {
                        return Err(Lost::Nowhere { by_link });
                    }
                    let text = link_text(&node)?;
                    parts.extend(text.rsplit('/').map(str::to_owned));
                    links.push(node);
                }
                FileType::Directory => folder = node,
                _ if parts.is_empty() => {
                    let own = own.unwrap_or_else(|| Arc::clone(&node));
                    return Ok(Way { own, links, end: node });
                }
                _ => return Err(Lost::Nowhere { by_link }),
            }
        }
        Ok(Way { own: own.unwrap_or_else(|| Arc::clone(&folder)), links, end: folder })
    }

    /// Opens the entry `name` of a folder, if it is spelled so.
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

    /// Opens an entry that is probably a folder: asked for one, the kernel mounts what is to be
    /// mounted there.
    pub(super) fn folder(&self, folder: &Arc<Node>, name: &str) -> io::Result<Arc<Node>> {
        match self.opened(folder, name, OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOTDIR | Errno::LOOP) => self.node(folder, name),
            opened => Ok(opened?),
        }
    }

    /// Opens an entry of whatever kind.
    pub(super) fn node(&self, folder: &Arc<Node>, name: &str) -> io::Result<Arc<Node>> {
        Ok(self.opened(folder, name, OFlags::PATH)?)
    }

    fn opened(&self, folder: &Arc<Node>, name: &str, flags: OFlags) -> Result<Arc<Node>, Errno> {
        let file = File::from((self.look_up)(&folder.file, name, flags)?);
        let stat = fstat(&file)?;
        Ok(Arc::new(Node { file, stat, above: Some((Arc::clone(folder), name.to_owned())) }))
    }

    /// Opens the data of a regular file; `None` if its name is that of another file by now.
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

    /// Whether the name of an entry still leads to it.
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

    /// The path below the root, by the names that were found; empty of the root itself.
    pub(super) fn path(&self) -> String {
        match &self.above {
            None => String::new(),
            Some((folder, name)) => match folder.path() {
                path if path.is_empty() => name.clone(),
                path => format!("{path}/{name}"),
            },
        }
    }

    /// Opens a folder to read what is in it.
    pub(super) fn entries(&self) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Dir::new(openat(&self.file, ".", flags, Mode::empty())?)?)
    }
}

impl Lost {
    pub(super) fn of(error: io::Error, by_link: bool) -> Self {
        match is_missing(&error) {
            true => Self::Nowhere { by_link },
            false => Self::Unreadable { error, by_link },
        }
    }
}

/// Whether there is nothing by a name.
pub(super) fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

fn look_up(folder: &File, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The text of a symbolic link, if it can be followed.
fn link_text(link: &Node) -> Result<String, Lost> {
    let nowhere = Lost::Nowhere { by_link: true };
    let text = match readlinkat(&link.file, "", Vec::new()) {
        Ok(text) => text,
        Err(error) => return Err(Lost::of(error.into(), true)),
    };
    match text.into_string() {
        Ok(text) if text.starts_with('/') => Err(Lost::Outside),
        Ok(text) if !text.is_empty() => Ok(text),
        // no grant and no protection could name what it leads to
        Ok(_) | Err(_) => Err(nowhere),
    }
}

pub(super) fn is_same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}
