//! The file that an output path leads to. Links are followed as by a shell's `>`, and only a
//! regular file is ever replaced.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The maximal number of links on the way to a file; the kernel has the same limit.
const LINKS_MAX: usize = 40;

/// The bit of a folder's mode by which only owners rename and remove files.
const STICKY: u32 = 0o1000;

/// The mode of a new file before the umask is applied.
const MODE_NEW: u32 = 0o666;

/// The mode of a file that will replace another one, until it takes over the old mode.
const MODE_PRIVATE: u32 = 0o600;

/// The file that an output path leads to.
pub(crate) enum OutputPath {
    /// A device, FIFO or socket, or the target of a link in /proc, such as /dev/stdout.
    Special(PathBuf),
    /// A regular file, or no file yet, at a path whose last part is not a link.
    Regular { path: PathBuf, old: Option<Metadata> },
}

impl OutputPath {
    /// Looks at the target of `path`. It opens nothing.
    ///
    /// # Errors
    /// An error of the operating system, or that the target is a folder.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // the kernel follows the links here, because it knows which links it refuses
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

    /// Checks that `path`, which a new file is about to replace, is still a regular file or does
    /// not exist.
    ///
    /// # Errors
    /// It is something else.
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

/// Follows the links from `path`, even if there is no file at the end. Returns `None` for a link in
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

/// Returns the folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns whether the folder keeps others from replacing `old` by another file, as /tmp does.
pub(crate) fn is_protected_by_folder(path: &Path, old: &Metadata) -> io::Result<bool> {
    let folder = fs::metadata(folder_of(path))?;
    let me = rustix::process::geteuid();
    let is_mine = me.is_root() || [old.uid(), folder.uid()].contains(&me.as_raw());
    Ok(folder.mode() & STICKY != 0 && !is_mine)
}

/// Returns the mode for making a file that will replace `old`.
pub(crate) fn mode(old: Option<&Metadata>) -> u32 {
    if old.is_some() { MODE_PRIVATE } else { MODE_NEW }
}

/// Gives a file the owner, group and mode of the file that it replaces, as far as the caller may
/// change them.
///
/// # Errors
/// An error of the operating system about the mode.
pub(crate) fn copy_owner_and_mode(old: &Metadata, file: &File) -> io::Result<()> {
    let mut mode = old.mode() & 0o777;
    let owned = fchown(file, Some(old.uid()), Some(old.gid()));
    if owned.or_else(|_| fchown(file, None, Some(old.gid()))).is_err() {
        // another group must not get more rights than everybody
        mode = (mode & !0o070) | ((mode & 0o007) << 3);
    }
    file.set_permissions(Permissions::from_mode(mode))
}

/// Opens a file with a name that others can guess, for reading and writing. With `CREATE` in
/// `flags`, it makes a missing file. In a folder where others can make files, they must not replace
/// it by their own file or by a link.
///
/// # Errors
/// Errors of the operating system. A file that is somebody else's, is a link, has a second name, or
/// is not regular is `Ok(None)`.
pub(crate) fn open_own(path: &Path, mode: u32, flags: OFlags) -> io::Result<Option<File>> {
    // does not wait at a FIFO without a reader
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
        match OutputPath::of(path).unwrap() {
            OutputPath::Regular { path, .. } => path,
            OutputPath::Special(path) => panic!("{} is special", path.display()),
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
            assert!(OutputPath::of(&wrong).is_err(), "{}", wrong.display());
        }
        assert!(matches!(OutputPath::of(Path::new("/dev/null")).unwrap(), OutputPath::Special(_)));
        // a link in /proc, whatever standard output is
        assert!(matches!(
            OutputPath::of(Path::new("/proc/self/fd/1")).unwrap(),
            OutputPath::Special(_)
        ));
        let open = File::create(at("open")).unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        assert!(matches!(OutputPath::of(Path::new(&link)).unwrap(), OutputPath::Special(_)));
    }
}
