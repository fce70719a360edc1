//! A cache of what requests need again, so that a small Select does not pay for parsing its text
//! and a descriptor, and for looking at the columns of a file.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

/// The values that were used last, by name and version.
#[derive(Debug)]
pub(crate) struct Cache<V, T> {
    /// A panic leaves it whole, so a poisoned lock is used as before.
    entries: Mutex<LruCache<String, Entry<V, T>>>,
}

#[derive(Debug)]
struct Entry<V, T> {
    version: V,
    value: Arc<T>,
}

impl<V: PartialEq, T> Cache<V, T> {
    pub(crate) fn new(entries_max: NonZeroUsize) -> Self {
        // the bound is a configuration key, so no memory is allocated for it in advance
        Self { entries: Mutex::new(LruCache::sparse(entries_max)) }
    }

    /// Returns the value of `name` if it is of this version. A value of another version is removed.
    pub(crate) fn find(&self, name: &str, version: &V) -> Option<Arc<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(name)?;
        if entry.version == *version {
            return Some(Arc::clone(&entry.value));
        }
        let removed = entries.pop(name);
        drop(entries);
        // dropping a large value takes time, so it happens after unlocking
        drop(removed);
        None
    }

    pub(crate) fn keep(&self, name: &str, version: V, value: Arc<T>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = entries.push(name.to_owned(), Entry { version, value });
        drop(entries);
        // as above
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_value_and_those_of_other_versions_are_removed() {
        let cache = Cache::new(NonZeroUsize::new(2).unwrap());
        cache.keep("a", 1, Arc::new('a'));
        cache.keep("b", 1, Arc::new('b'));
        assert_eq!(cache.find("a", &1).as_deref(), Some(&'a'));
        cache.keep("c", 1, Arc::new('c'));
        assert!(cache.find("b", &1).is_none(), "used before `a`");
        cache.keep("c", 2, Arc::new('C'));
        assert_eq!(cache.find("a", &1).as_deref(), Some(&'a'), "`c` is only replaced");
        assert_eq!(cache.find("c", &2).as_deref(), Some(&'C'));
        assert!(cache.find("a", &2).is_none() && cache.find("a", &1).is_none());
    }
}
