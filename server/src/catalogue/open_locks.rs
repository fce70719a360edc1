//! Locks by name, so that only one thread at a time opens a file. The next thread finds the cached
//! source, and many clients at once do not load the file many times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// One lock for each file that is being opened.
#[derive(Debug, Default)]
pub(super) struct OpenLocks(Mutex<HashMap<String, Weak<Mutex<()>>>>);

impl OpenLocks {
    /// Returns the lock to hold while the file of this name is opened.
    pub(super) fn of(&self, name: &str) -> Arc<Mutex<()>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = names.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        names.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        names.insert(name.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_lock_as_long_as_somebody_has_it() {
        let open_locks = OpenLocks::default();
        let (a, b) = (open_locks.of("a"), open_locks.of("b"));
        assert!(Arc::ptr_eq(&a, &open_locks.of("a")) && !Arc::ptr_eq(&a, &b));
        drop((a, b));
        drop(open_locks.of("c"));
        assert_eq!(open_locks.0.lock().unwrap().len(), 1);
    }
}
