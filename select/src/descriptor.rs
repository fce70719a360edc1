//! The descriptor of a data file: the TOML file beside it that tells its layout.

use crate::{Error, ErrorKind, Result};

/// A parsed descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor {}

impl Descriptor {
    /// Parses the text of `<file>.toml`; `name` is what errors call it.
    ///
    /// # Errors
    /// `Descriptor`, with line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let _ = text;
        Err(Error::new(ErrorKind::Descriptor, format!("{name}: no reader yet")))
    }
}
