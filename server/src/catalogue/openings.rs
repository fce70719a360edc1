//! One thread at a time opens the file of a name: who comes later finds what the first one has kept, and
//! many clients that come at once do not have it in memory many times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The files that are being opened.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<String, Weak<Mutex<()>>>>);

impl Openings {
    /// What is to be locked while the file of this name is opened.
    pub(super) fn of(&self, name: &str) -> Arc<Mutex<()>> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opening) = names.get(name).and_then(Weak::upgrade) {
            return opening;
        }
        names.retain(|_, opening| opening.strong_count() > 0);
        let opening = Arc::default();
        names.insert(name.to_owned(), Arc::downgrade(&opening));
        opening
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_lock_as_long_as_somebody_has_it() {
        let openings = Openings::default();
        let (a, b) = (openings.of("a"), openings.of("b"));
        assert!(Arc::ptr_eq(&a, &openings.of("a")) && !Arc::ptr_eq(&a, &b));
        drop((a, b));
        drop(openings.of("c"));
        assert_eq!(openings.0.lock().unwrap().len(), 1);
    }
}
