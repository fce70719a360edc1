//! The cached layouts of a file for several views.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sql::Predicate;
use sift_files::data_file::DataFile;

/// The maximal number of views for which a file caches its layout. The oldest is removed first.
const VIEWS_MAX: usize = 16;

/// A cache of the same file with the layouts for several views.
#[derive(Debug, Default)]
pub(crate) struct ViewCache(Mutex<Vec<(ViewKey, Arc<DataFile>)>>);

/// The parts of a view that determine the layout of a file.
#[derive(Clone, Debug)]
pub(crate) struct ViewKey {
    pub(crate) filter: Option<Predicate>,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) withheld: Vec<String>,
}

impl ViewCache {
    /// Returns the file with the layout for a view, if it is cached.
    pub(crate) fn get(&self, key: &ViewKey) -> Option<Arc<DataFile>> {
        let cached = self.lock();
        cached.iter().find(|(other, _)| other.is(key)).map(|(_, file)| Arc::clone(file))
    }

    /// Caches the file with the layout for a view.
    pub(crate) fn insert(&self, key: ViewKey, file: Arc<DataFile>) {
        let mut cached = self.lock();
        if cached.len() == VIEWS_MAX {
            cached.remove(0);
        }
        cached.push((key, file));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(ViewKey, Arc<DataFile>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ViewKey {
    fn is(&self, other: &Self) -> bool {
        let is_same = match (&self.filter, &other.filter) {
            (None, None) => true,
            (Some(filter), Some(other)) => filter.is(other),
            _ => false,
        };
        is_same && self.names == other.names && self.withheld == other.withheld
    }
}
