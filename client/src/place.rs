//! The file that an output path means: links are followed as by a shell's `>`, and what is no
//! regular file is never replaced.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Links on the way to a file; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// The mode of a new file, before the umask takes away from it.
const MODE_NEW: u32 = 0o666;

/// The mode of a file that will replace another one, until it has that one's mode.
const MODE_PRIVATE: u32 = 0o600;

/// The file that an output path means.
pub(crate) enum Place {
    /// A device, FIFO or socket, or what a link of /proc such as /dev/stdout leads to.
    Special(PathBuf),
    /// A regular file, or none yet, at a path whose last part is not a link.
    Regular { path: PathBuf, old: Option<Metadata> },
}

impl Place {
    /// Looks at what `path` leads to. Opens nothing.
    ///
    /// # Errors
    /// The operating system's, and for a folder.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // it is the kernel that follows the links here: it knows which of them it would refuse
        let old = match fs::metadata(path) {
            Ok(old) if old.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => return Ok(Self::Special(path.to_owned())),
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(match target(path)? {
            Some(path) => Self::Regular { path, old },
            None => Self::Special(path.to_owned()),
        })
    }

    /// Checks that what is about to be replaced by a file for `path` is a regular file still, or
    /// nothing.
    ///
    /// # Errors
    /// That it is not.
    pub(crate) fn check_regular(path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Ok(now) if !now.is_file() => {
                let text = "it has become something else than a regular file meanwhile";
                Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
            }
            _ => Ok(()),
        }
    }
}

/// The path that links lead to from `path`, whether or not there is a file; `None` for a link of
/// /proc, which leads to an open file and not to a name.
fn target(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        if path.file_name().is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let folder = folder_of(&path);
        match fs::read_link(&path) {
            Ok(_) if fs::canonicalize(folder)?.starts_with("/proc") => return Ok(None),
            Ok(to) => path = folder.join(to),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(Some(path));
            }
            Err(error) => return Err(error),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The mode to create a file with that will be at the place of `old`.
pub(crate) fn mode(old: Option<&Metadata>) -> u32 {
    if old.is_some() { MODE_PRIVATE } else { MODE_NEW }
}

/// Gives a file the owner, the group and the mode of the one that it replaces, as far as its owner
/// may.
///
/// # Errors
/// The operating system's about the mode.
pub(crate) fn take_after(old: &Metadata, file: &File) -> io::Result<()> {
    let mut mode = old.mode() & 0o777;
    let owned = fchown(file, Some(old.uid()), Some(old.gid()));
    if owned.or_else(|_| fchown(file, None, Some(old.gid()))).is_err() {
        // another group may no more than everybody
        mode = (mode & !0o070) | ((mode & 0o007) << 3);
    }
    file.set_permissions(Permissions::from_mode(mode))
}

/// Opens a file whose name others can guess, to read and to write; makes it unless it is there.
/// In a folder where others may make files, it must not be theirs, nor lead to another file.
///
/// # Errors
/// `Ok(None)` where the file is somebody else's, a link, has a second name, or is not regular; the
/// operating system's.
pub(crate) fn open_own(path: &Path, mode: u32, flags: OFlags) -> io::Result<Option<File>> {
    // a FIFO without a reader is not waited for
    let flags = flags | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(mode)) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    let is_own =
        found.is_file() && found.nlink() == 1 && found.uid() == rustix::process::geteuid().as_raw();
    Ok(is_own.then_some(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn regular(path: &Path) -> PathBuf {
        match Place::of(path).unwrap() {
            Place::Regular { path, .. } => path,
            Place::Special(path) => panic!("{} is special", path.display()),
        }
    }

    #[test]
    fn links_lead_to_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("in")).unwrap();
        fs::write(at("in/file"), "").unwrap();
        symlink("in/file", at("one")).unwrap();
        symlink("one", at("two")).unwrap();
        symlink("in/missing", at("dangling")).unwrap();
        symlink("round", at("round")).unwrap();
        assert_eq!(regular(&at("two")), at("in/file"));
        assert_eq!(regular(&at("dangling")), at("in/missing"));
        assert_eq!(regular(&at("new")), at("new"));
        for wrong in [at("round"), at("in"), at("new/"), PathBuf::new(), at("in/file/x")] {
            assert!(Place::of(&wrong).is_err(), "{}", wrong.display());
        }
        assert!(matches!(Place::of(Path::new("/dev/null")).unwrap(), Place::Special(_)));
        // whatever it is open on
        assert!(matches!(Place::of(Path::new("/proc/self/fd/1")).unwrap(), Place::Special(_)));
        let open = File::create(at("open")).unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        assert!(matches!(Place::of(Path::new(&link)).unwrap(), Place::Special(_)));
    }
}
