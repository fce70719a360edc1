//! Looking at and opening what is below the data root: regular files alone, without waiting for one.
//!
//! Whether symbolic links lead to a file the kernel tells at once, where it has openat2 (Linux 5.6).

use std::fs::{File, Metadata};
use std::io;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::fault::Fault;

/// What is found by a name.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) metadata: Metadata,
    /// Whether there may be a symbolic link on the way.
    pub(super) by_link: bool,
}

/// Finds a regular file; nothing can be read of it yet.
pub(super) fn look(dir: &Dir, path: &str) -> Result<Found, Fault> {
    find(dir, path, OFlags::PATH)
}

/// Opens a regular file that was found before.
pub(super) fn open(dir: &Dir, path: &str) -> Result<Found, Fault> {
    find(dir, path, OFlags::RDONLY | OFlags::NONBLOCK)
}

fn find(dir: &Dir, path: &str, flags: OFlags) -> Result<Found, Fault> {
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
    let metadata = file.metadata().map_err(|error| refusal(path, error))?;
    match metadata.is_file() {
        true => Ok(Found { file, metadata, by_link }),
        false => Err(Fault::NotRegular(path.to_owned())),
    }
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
