//! What must be unchanged for what is kept of a file to be true.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sift_select::Identity;

/// What must be unchanged for a source to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceVersion {
    pub(super) file: Identity,
    pub(super) descriptor: Option<TextVersion>,
    pub(super) index: Option<Identity>,
}

/// What must be unchanged for a descriptor to be true. Its time of change is the kernel's own: nobody
/// sets it back, as `cp -p` does the time of modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextVersion {
    file: Identity,
    changed: (i64, i64),
}

/// A file system's clock ticks at least this often; two changes between two ticks look like one.
const TICK: Duration = Duration::from_secs(2);

impl TextVersion {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Self { file: Identity::from(metadata), changed }
    }

    /// Whether a change from `now` on is sure to be another version.
    pub(super) fn is_settled(self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(u64::MAX));
        now.checked_sub(changed).is_some_and(|age| age > TICK)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_settled_when_it_has_not_changed_for_a_while() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let version = TextVersion::of(&file.as_file().metadata().unwrap());
        let now = SystemTime::now();
        assert!(!version.is_settled(now));
        assert!(version.is_settled(now + 2 * TICK));
        // a clock that was set back
        assert!(!version.is_settled(UNIX_EPOCH));
    }

    #[test]
    fn a_change_shows_that_leaves_length_and_modification_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = || fs::metadata(file.path()).unwrap();
        let (before, modified) = (TextVersion::of(&metadata()), metadata().modified().unwrap());
        // the clock of the file system ticks in between
        while TextVersion::of(&metadata()) == before {
            file.as_file().set_modified(modified).unwrap();
        }
        let after = TextVersion::of(&metadata());
        assert_eq!(after.file, before.file);
        assert_ne!(after, before);
    }
}
