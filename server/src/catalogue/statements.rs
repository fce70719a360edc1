//! A cache of parsed Selects, because programs send the same few texts again with other parameters.

use std::num::NonZeroUsize;
use std::sync::Arc;

use sift_select::{Select, Waiting};

use super::cache::Cache;
use crate::fault::Fault;

/// The maximal number of cached texts. All users share them, because parsing does not depend on the
/// user.
const TEXTS_MAX: usize = 64;

/// The maximal length of a cached text.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// The Selects that were used last.
#[derive(Debug)]
pub(crate) struct Statements(Cache<(), Select>);

impl Statements {
    pub(crate) fn new() -> Self {
        Self(Cache::new(NonZeroUsize::new(TEXTS_MAX).unwrap_or(NonZeroUsize::MIN)))
    }

    /// Parses a text, or returns its cached Select.
    ///
    /// # Errors
    /// The errors of [`Select::parse`]; `WouldBlock` without the time for it.
    pub(crate) fn parsed(&self, sql: &str, waiting: Waiting) -> Result<Arc<Select>, Fault> {
        if let Some(select) = self.0.find(sql, &()) {
            return Ok(select);
        }
        waiting.check()?;
        let select = Arc::new(Select::parse(sql).map_err(Fault::Select)?);
        if sql.len() <= TEXT_BYTES_MAX {
            self.0.keep(sql, (), Arc::clone(&select));
        }
        Ok(select)
    }
}
