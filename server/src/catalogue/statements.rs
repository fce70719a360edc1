//! Selects that have been parsed: programs send the same few texts again and again, with other
//! parameters.

use std::sync::Arc;

use sift_select::{Select, may_wait};

use super::cache::Cache;
use crate::fault::Fault;

/// Texts that are kept; what a text is does not depend on who sends it.
const TEXTS_MAX: usize = 64;

/// Longer ones are not kept.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// The Selects that were parsed last.
#[derive(Debug)]
pub(crate) struct Statements(Cache<(), Select>);

impl Statements {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TEXTS_MAX))
    }

    /// The Select that a text is.
    ///
    /// # Errors
    /// As [`Select::parse`].
    pub(crate) fn parsed(&self, sql: &str) -> Result<Arc<Select>, Fault> {
        if let Some(select) = self.0.find(sql, &()) {
            return Ok(select);
        }
        if !may_wait() {
            return Err(Fault::Internal("a text is not parsed where that may take too long"));
        }
        let select = Arc::new(Select::parse(sql)?);
        if sql.len() <= TEXT_BYTES_MAX {
            self.0.keep(sql, (), Arc::clone(&select));
        }
        Ok(select)
    }
}
