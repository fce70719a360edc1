//! What must be unchanged for what is kept of a file to be true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;
use sift_select::Identity;

/// What must be unchanged for a source to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceVersion {
    pub(super) file: FileVersion,
    pub(super) descriptor: Option<FileVersion>,
    pub(super) index: Option<Identity>,
}

/// What must be unchanged for what was read of a file to be true, and for it to be readable. Its time of change
/// is the kernel's own: nobody sets it back, as `cp -p` does the time of modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileVersion {
    file: Identity,
    /// Since 1970.
    changed_nanos: i128,
}

/// What tells that a file is still the one that was looked at.
pub(super) fn identity(stat: &Stat) -> Identity {
    let seconds = i128::from(stat.st_mtime);
    Identity {
        device: stat.st_dev,
        inode: stat.st_ino,
        bytes: bytes(stat),
        modified_nanos: seconds * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
    }
}

/// Length of a file.
pub(super) fn bytes(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// A file system's clock ticks at least this often; two changes between two ticks look like one.
const TICK: Duration = Duration::from_secs(2);

impl FileVersion {
    pub(super) fn of(stat: &Stat) -> Self {
        let nanos = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
        Self { file: identity(stat), changed_nanos: nanos }
    }

    pub(super) fn identity(self) -> Identity {
        self.file
    }

    /// Whether a change from `now` on is sure to be another version.
    pub(super) fn is_settled(self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(self.changed_nanos).unwrap_or(u64::MAX);
        let changed = Duration::from_nanos(changed);
        now.checked_sub(changed).is_some_and(|age| age > TICK)
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn all_ways_to_look_at_a_file_see_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        assert_eq!(identity(&fstat(&file).unwrap()), Identity::from(&metadata));
    }

    #[test]
    fn a_file_is_settled_when_it_has_not_changed_for_a_while() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let version = FileVersion::of(&fstat(&file).unwrap());
        let now = SystemTime::now();
        assert!(!version.is_settled(now));
        assert!(version.is_settled(now + 2 * TICK));
        // a clock that was set back
        assert!(!version.is_settled(UNIX_EPOCH));
    }

    #[test]
    fn a_change_shows_that_leaves_length_and_modification_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let version = || FileVersion::of(&fstat(&file).unwrap());
        let (before, metadata) = (version(), file.as_file().metadata().unwrap());
        let modified = metadata.modified().unwrap();
        // the clock of the file system ticks in between
        while version() == before {
            file.as_file().set_modified(modified).unwrap();
        }
        let after = version();
        assert_eq!(after.file, before.file);
        assert_ne!(after, before);
    }
}
