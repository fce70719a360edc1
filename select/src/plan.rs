//! A Select bound to a source.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::{Result, Select, Source, Value};

/// A Select bound to the columns and types of a source. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Plan {}

impl Plan {
    /// Binds `select` to `source`; `parameters[0]` is `$1`.
    ///
    /// # Errors
    /// `UnknownColumn`, `TypeMismatch`, `Parameter`; each with line and column.
    pub fn new(select: &Select, source: Arc<Source>, parameters: &[Value]) -> Result<Self> {
        let _ = (select, source, parameters);
        unimplemented!()
    }

    /// The columns of the answer.
    pub fn schema(&self) -> &SchemaRef {
        unimplemented!()
    }

    /// What it scans.
    pub fn source(&self) -> &Arc<Source> {
        unimplemented!()
    }
}

/// What EXPLAIN shows: one line an operator.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("")
    }
}
