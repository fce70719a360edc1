//! A cache of what requests need again, so that a small Select does not pay for parsing its text
//! and a descriptor, and for looking at the columns of a file.

use std::sync::{Arc, Mutex, PoisonError};

/// A few values by name and version.
#[derive(Debug)]
pub(crate) struct Cache<V, T> {
    entries_max: usize,
    /// The least recently used first. As good after a panic as before.
    entries: Mutex<Vec<Entry<V, T>>>,
}

#[derive(Debug)]
struct Entry<V, T> {
    name: String,
    version: V,
    value: Arc<T>,
}

impl<V: PartialEq, T> Cache<V, T> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries_max, entries: Mutex::default() }
    }

    /// Returns the value of `name` if it is of this version. A value of another version is removed.
    pub(crate) fn find(&self, name: &str, version: &V) -> Option<Arc<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at = entries.iter().position(|entry| entry.name == name)?;
        let entry = entries.remove(at);
        if entry.version != *version {
            return None;
        }
        let value = Arc::clone(&entry.value);
        entries.push(entry);
        Some(value)
    }

    pub(crate) fn keep(&self, name: &str, version: V, value: Arc<T>) {
        let entry = Entry { name: name.to_owned(), version, value };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let older = entries.iter().position(|entry| entry.name == name);
        let is_full = entries.len() >= self.entries_max;
        let dropped = older.or(is_full.then_some(0)).map(|at| entries.remove(at));
        entries.push(entry);
        drop(entries);
        // large ones, without the others' having to wait
        drop(dropped);
    }
}
