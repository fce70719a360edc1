//! The version of a cached source: it is valid as long as these identities are unchanged.

use rustix::fs::Stat;
use sift_select::Identity;

/// The identities of all files that a source was made of. A file whose owner or mode changed
/// is opened again too: it may not be readable any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceVersion {
    pub(super) file: Identity,
    pub(super) descriptor: Option<Identity>,
    pub(super) index: Option<Identity>,
}

/// Returns the identity of a file.
pub(super) fn identity(stat: &Stat) -> Identity {
    let nanos = |seconds, nanos| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Identity {
        device: stat.st_dev,
        inode: stat.st_ino,
        bytes: bytes(stat),
        modified_nanos: nanos(stat.st_mtime, stat.st_mtime_nsec),
        changed_nanos: nanos(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// Returns the length of a file.
pub(super) fn bytes(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rustix::fs::fstat;

    use super::*;

    #[test]
    fn all_ways_to_look_at_a_file_see_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        file.as_file().set_modified(hour_ago).unwrap();
        let metadata = file.as_file().metadata().unwrap();
        assert_eq!(identity(&fstat(&file).unwrap()), Identity::from(&metadata));
    }
}
