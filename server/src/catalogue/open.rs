//! Looking at and opening what is below the data root: regular files alone, without waiting for one.
//!
//! Whether symbolic links lead to a file the kernel tells at once, where it has openat2 (Linux 5.6).

use std::fs::File;
use std::io;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, statat};
use rustix::io::Errno;

use crate::fault::Fault;

/// What is found by a name.
pub(super) struct Seen {
    pub(super) stat: Stat,
    /// Whether there may be a symbolic link on the way.
    pub(super) by_link: bool,
}

/// Finds a regular file.
pub(super) fn look(dir: &Dir, path: &str) -> Result<Seen, Fault> {
    // a name without folders leads nowhere but into the root, unless it is a link
    if !path.contains('/') {
        match statat(dir, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_regular(&stat) => return Ok(Seen { stat, by_link: false }),
            Err(Errno::NOENT) => return Err(refusal(path, Errno::NOENT.into())),
            Ok(_) | Err(_) => {}
        }
    }
    // nothing can be read of it
    find(dir, path, OFlags::PATH).map(|(_, seen)| seen)
}

/// Opens a regular file that was found before.
pub(super) fn open(dir: &Dir, path: &str) -> Result<(File, Seen), Fault> {
    find(dir, path, OFlags::RDONLY | OFlags::NONBLOCK)
}

fn find(dir: &Dir, path: &str, flags: OFlags) -> Result<(File, Seen), Fault> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let (file, by_link) = match openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    {
        Ok(file) => (File::from(file), false),
        Err(Errno::NOENT) => return Err(refusal(path, Errno::NOENT.into())),
        Err(_) => {
            let mut options = OpenOptions::new();
            options.read(true);
            if let Ok(flags) = i32::try_from(flags.bits()) {
                options.custom_flags(flags);
            }
            let file = dir.open_with(path, &options).map_err(|error| refusal(path, error))?;
            (file.into_std(), true)
        }
    };
    let stat = fstat(&file).map_err(|error| refusal(path, error.into()))?;
    match is_regular(&stat) {
        true => Ok((file, Seen { stat, by_link })),
        false => Err(Fault::NotRegular(path.to_owned())),
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}

/// What the operating system's refusal means for the client.
fn refusal(path: &str, error: io::Error) -> Fault {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            Fault::UnknownFile(path)
        }
        // cap-std's own error has no number of the operating system
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Fault::Outside(path),
        _ if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => Fault::Outside(path),
        _ => Fault::Unreadable(path, error),
    }
}
