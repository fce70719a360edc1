//! The only file that names sqlparser.

use crate::Result;

/// A Select, as written: names and literals not yet bound to a file.
#[derive(Clone, Debug)]
pub struct Select {}

impl Select {
    /// Parses one SELECT.
    ///
    /// # Errors
    /// `Syntax`, `Unsupported`, `UnknownFunction`, `LimitExceeded`; each with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let _ = text;
        unimplemented!()
    }

    /// The file that it selects from, as written.
    pub fn from(&self) -> &str {
        ""
    }
}
