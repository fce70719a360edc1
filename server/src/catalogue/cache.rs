//! Sources that stay open between requests, so that a small Select does not pay for looking at
//! the file's columns again.

use std::sync::Arc;

use sift_select::{Identity, Source};

use super::FileName;

/// What must be unchanged for a source to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) file: Identity,
    pub(super) descriptor: Option<Identity>,
    pub(super) index: Option<Identity>,
}

/// A few sources, the least recently used first.
#[derive(Debug)]
pub(super) struct Cache {
    sources_max: usize,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: FileName,
    version: Version,
    source: Arc<Source>,
}

impl Cache {
    pub(super) fn new(sources_max: usize) -> Self {
        Self { sources_max, entries: Vec::new() }
    }

    /// The source of `name` if file and descriptor are what they were; forgets it otherwise.
    pub(super) fn find(&mut self, name: &FileName, version: Version) -> Option<Arc<Source>> {
        let at = self.entries.iter().position(|entry| entry.name == *name)?;
        let entry = self.entries.remove(at);
        if entry.version != version {
            return None;
        }
        let source = Arc::clone(&entry.source);
        self.entries.push(entry);
        Some(source)
    }

    pub(super) fn keep(&mut self, name: FileName, version: Version, source: Arc<Source>) {
        self.entries.retain(|entry| entry.name != name);
        if self.entries.len() >= self.sources_max {
            self.entries.remove(0);
        }
        self.entries.push(Entry { name, version, source });
    }
}
