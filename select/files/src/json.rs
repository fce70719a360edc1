//! JSON Lines: an object a line, of which the members that somebody asks for are decoded.
//!
//! RFC 8259, strictly, also in members that nobody asks for: the structure, names, escapes, numbers
//! and literals of every record are checked, and that all of it is UTF-8; half of a surrogate pair,
//! a control character in a string, a leading zero, a trailing comma or whatever else is not JSON is
//! a fault of its record. A line feed ends a record wherever it stands, since no JSON text needs
//! one, and a blank line is not a record. The last record may lack its line end. A UTF-8 byte order
//! mark at the start is skipped. Arrays and objects are nested 64 deep at most. A name that comes
//! twice in a record, or in an object of it whose members are columns, is a fault: which one would
//! count is anyone's guess.
//!
//! Columns are the leaves of objects, `address.city` by its dotted path; in their order in the
//! descriptor, if that gives a type or a path to any, and else as the [first records](infer) have
//! them. A member that is missing or `null`, or whose object is, is NULL. Other members are
//! checked, and are no columns. Where a descriptor tells the columns, that is as it is meant. Where
//! the first records do, a record that has others fails a Select of `*`, and no other.
//!
//! Types are those of CSV, from the descriptor or the first records, and "json": the text of any
//! value as it stands. Numbers are exact by their text; a whole number may be written `1e3` or
//! `1.0`, but not `1.5`. Text, dates and timestamps are strings; of a declared type, numbers and
//! booleans may be in strings as well. Any other value is a fault, told where somebody asks for it,
//! that names the remedy; so are an array where nobody has declared "json", and a scalar where
//! there should be an object. Nothing is flattened or dropped silently.

mod block;
mod decode;
mod format;
mod infer;
mod lines;
mod number;
mod open;
mod syntax;
mod tree;
mod walk;

use std::fmt;

use arrow::datatypes::{Field as ArrowField, Schema};

use crate::field_type::FieldType;
use crate::io::compressed::Compression;
use crate::record::RECORD_BYTES_MAX;
use block::JsonBlock;
use tree::Tree;

/// The shortest record, `{}` and its line feed.
const RECORD_BYTES_MIN: usize = 3;

/// A field of a descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    /// Told by the first records when `None`.
    pub(crate) kind: Option<FieldType>,
    /// The parts of its dotted name when `None`.
    pub(crate) path: Option<Vec<String>>,
}

impl Declared {
    /// The names that lead to it.
    pub(crate) fn names(&self) -> Vec<String> {
        let dotted = || self.name.split('.').map(str::to_owned).collect();
        self.path.clone().unwrap_or_else(dotted)
    }
}

/// How the records of a file of JSON Lines are laid out.
#[derive(Clone, Debug)]
pub(crate) struct JsonLayout {
    /// The name that errors call the descriptor, whether there is one or not.
    descriptor: String,
    /// The position of the first record, after the byte order mark.
    start: u64,
    /// How the whole file is compressed.
    compression: Option<Compression>,
    fields: Vec<JsonField>,
    /// True if the first records tell which members are columns.
    is_inferred: bool,
    tree: Tree,
}

#[derive(Clone, Debug)]
struct JsonField {
    name: String,
    kind: FieldType,
    /// True if the descriptor gives the type.
    declared: bool,
    /// The member of the tree that it is.
    member: usize,
}

impl JsonLayout {
    pub(crate) fn schema(&self) -> Schema {
        let fields = self.fields.iter();
        let fields = fields.map(|field| ArrowField::new(&field.name, field.kind.data_type(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// All that decides where records are and what they hold, as text.
    pub(crate) fn fingerprint(&self) -> String {
        let paths: Vec<_> = self.fields.iter().map(|field| self.tree.path(field.member)).collect();
        let fields: Vec<_> = self.fields.iter().map(JsonField::stored_form).collect();
        format!("{} {fields:?} {paths:?}", self.start)
    }

    /// How the file holds a column, for people.
    pub(crate) fn storage(&self, column: usize) -> Option<String> {
        let field = self.fields.get(column)?;
        let from = if field.declared { "declared" } else { "by the first records" };
        let path = self.tree.path(field.member);
        let path: Vec<_> = path.iter().map(|name| String::from_utf8_lossy(name)).collect();
        Some(format!("member `{}`, {} {from}", path.join("."), field.kind))
    }
}

impl JsonField {
    /// Returns the form that a fingerprint is made of. Indexes store it, so the names in it do not
    /// change with those of the types.
    fn stored_form(&self) -> impl fmt::Debug {
        fmt::from_fn(|f| {
            f.debug_struct("Field")
                .field("name", &self.name)
                .field("kind", &self.kind)
                .field("declared", &self.declared)
                .field("member", &self.member)
                .finish()
        })
    }
}

#[cfg(test)]
mod tests;
