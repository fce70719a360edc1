//! Layouts out of COBOL copybooks: the text of one in, the text of a descriptor out.
//!
//! ```text
//! text -> Word* -> Item* -> fields with their places -> descriptor
//! ```
//!
//! Read are data description entries of levels 01 to 49 and 77 with PICTURE, USAGE, SIGN, OCCURS
//! and REDEFINES, in fixed and in free source format. Elements of an OCCURS are fields of their
//! own, `name_1` and so on. Of definitions that redefine one another, and of several records, one
//! is taken: the chosen one, else the first. What lays out the record in a way that is not read
//! (OCCURS DEPENDING ON, SYNCHRONIZED, P in a PICTURE, …) is refused by name; what does not lay it
//! out (VALUE, level 88, indexes) is passed over.
//!
//! Source: IBM, Enterprise COBOL for z/OS Language Reference, 'Data division, data description
//! entry' and 'Reference format'; GnuCOBOL Programmer's Guide, 'USAGE' for what compilers differ
//! in.

mod entry;
mod field;
mod layout;
mod picture;
mod source;

pub use crate::fixed::{ByteOrder, Encoding};
pub use source::SourceFormat;

use crate::problem::copybook::CopybookProblem;
use crate::problem::descriptor::DescriptorProblem;
use crate::{Error, Result};
use field::Field;

/// The longest text of a copybook, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// The properties of a file that its copybook does not tell.
#[derive(Clone, Debug, Default)]
pub struct CopybookOptions {
    /// The columns of a line that have text.
    pub source: SourceFormat,
    /// The encoding of characters; with EBCDIC, COMP-1 and COMP-2 are floats of IBM.
    pub encoding: Encoding,
    /// The byte order of COMP-5, COMP-1 and COMP-2, which is the machine's: by default big in
    /// EBCDIC and little elsewhere. COMP, COMP-4 and BINARY are big-endian.
    pub byte_order: Option<ByteOrder>,
    /// How many bytes a binary number takes.
    pub binary_size: BinarySize,
    /// How an overpunched sign looks in ASCII.
    pub overpunch: Overpunch,
    /// The definitions to take, by name, where some share their bytes.
    pub redefines: Vec<String>,
}

/// Bytes of COMP, COMP-4, COMP-5 and BINARY by the digits of their PICTURE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BinarySize {
    /// 2 up to 4 digits, 4 up to 9, 8 up to 18: IBM, and GnuCOBOL with `-std=ibm`.
    #[default]
    From2,
    /// 1 up to 2 digits, then the same: GnuCOBOL by default.
    From1,
}

/// How an overpunched sign looks in ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overpunch {
    /// 'p' to 'y' for -0 to -9: GnuCOBOL, Micro Focus.
    #[default]
    Ascii,
    /// '{', 'A' to 'I' and '}', 'J' to 'R': what EBCDIC becomes when a file is transferred as text.
    Ebcdic,
}

/// The record of a copybook.
#[derive(Clone, Debug)]
pub struct Copybook {
    encoding: Encoding,
    record_bytes: u32,
    fields: Vec<Field>,
    notes: Vec<String>,
}

impl Copybook {
    /// Lays out the record of the copybook `text`; `name` is what errors call it.
    ///
    /// # Errors
    /// `Descriptor`, with line and column.
    pub fn parse(name: &str, text: &str, options: &CopybookOptions) -> Result<Self> {
        let source = Source { name };
        if text.len() > TEXT_BYTES_MAX {
            let (count, unit, max) = (text.len(), "bytes", TEXT_BYTES_MAX);
            return Err(Error::descriptor(name, DescriptorProblem::TooMany { count, unit, max }));
        }
        let words = source::words(source, text, options.source)?;
        let mut notes = Vec::new();
        let items = entry::parse(source, &words, &mut notes)?;
        let (record_bytes, fields) = layout::lay_out(source, &items, options, &mut notes)?;
        Ok(Self { encoding: options.encoding, record_bytes, fields, notes })
    }

    /// Bytes of a record, without a terminator.
    pub fn record_bytes(&self) -> u32 {
        self.record_bytes
    }

    /// Returns notes for people about what was passed over and may matter: `line 7: …`.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The text of a descriptor; `terminator` is its word for what stands after each record.
    pub fn to_descriptor(&self, terminator: &str) -> String {
        let mut text = format!("format = \"fixed\"\nrecord_length = {}\n", self.record_bytes);
        text += &format!("terminator = \"{terminator}\"\nencoding = \"{}\"\n", self.encoding);
        for field in &self.fields {
            text += &format!("\n[[field]]\n{field}");
        }
        text
    }
}

/// A position in the copybook; line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Position {
    line: usize,
    column: usize,
}

/// The name that errors call the copybook.
#[derive(Clone, Copy)]
struct Source<'t> {
    name: &'t str,
}

impl Source<'_> {
    fn error(&self, at: Position, problem: CopybookProblem) -> Error {
        Error::descriptor_at(self.name, (at.line, at.column), problem.into())
    }
}

#[cfg(test)]
mod tests;
