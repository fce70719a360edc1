//! CSV: records of text fields between delimiters, decoded only where somebody asks for them.
//!
//! RFC 4180, strictly. A quote opens only at the start of a field and closes only before a
//! delimiter, the end of the record or another quote, which together are one quote of the text;
//! anything else is a fault of that record, and what follows it is not read, for where records end
//! is then anyone's guess. Records end with LF or CRLF, or with several CR and a LF, as a text that
//! was converted twice has it. The last record may lack its line end. Any other CR outside of
//! quotes is a fault too: it would be part of a value, or the end of a line that nobody sees. A
//! UTF-8 byte order mark at the start is skipped, and so are empty lines before the header. An
//! empty line after it is a NULL in a file of one field, and no record in all others; a line of
//! spaces is not empty.
//!
//! An empty field without quotes is NULL, `""` is the empty text. The first record names the fields
//! unless the descriptor says otherwise; a name that is empty there becomes `column1`, by its
//! place. Types come from the descriptor or from the first records (`text/shape.rs`). They are
//! then checked: a value that does not fit is a fault that names the remedy, never a wrong or
//! missing value.
//!
//! Every record's number of fields, every quote and every CR is checked, also in fields that nobody
//! asks for; values, and whether text is UTF-8, only where they are decoded.

mod cursor;
mod decode;
mod format;
mod infer;
mod open;
mod structure;
mod turns;

pub use structure::Structure;

use std::fmt;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field as ArrowField, Schema};

use crate::block::Block;
use crate::excerpt::Excerpt;
use crate::field_type::FieldType;
use crate::io::compressed::Compression;
use crate::problem::{Problem, TypeOrigin};
use crate::record::{RecordFault, Rows};
use crate::sample::Sample;
use infer::Sampler;

/// The options of a CSV file in its descriptor.
#[derive(Clone, Debug)]
pub(crate) struct CsvOptions {
    /// Told by the file's name when `None`.
    pub(crate) delimiter: Option<u8>,
    /// True if the first record holds the names.
    pub(crate) header: bool,
    /// Texts that are NULL.
    pub(crate) null: Vec<String>,
    /// Names, with types where they are given.
    pub(crate) fields: Vec<(String, Option<FieldType>)>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: None, header: true, null: Vec::new(), fields: Vec::new() }
    }
}

/// How the records of a CSV file are laid out.
#[derive(Clone, Debug)]
pub(crate) struct CsvLayout {
    /// The name that errors call the descriptor, whether there is one or not.
    descriptor: String,
    /// The position of the first record, after the byte order mark and the header.
    start: u64,
    delimiter: u8,
    header: bool,
    null: Vec<String>,
    fields: Vec<CsvField>,
    /// How the whole file is compressed.
    compression: Option<Compression>,
}

#[derive(Clone, Debug)]
struct CsvField {
    name: String,
    kind: FieldType,
    /// True if the descriptor gives the type.
    declared: bool,
}

impl CsvLayout {
    pub(crate) fn schema(&self) -> Schema {
        let fields = self.fields.iter();
        let fields = fields.map(|field| ArrowField::new(&field.name, field.kind.data_type(), true));
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// All that decides where records are and what they hold, as text.
    pub(crate) fn fingerprint(&self) -> String {
        // indexes store it, so the names in it do not change with those of the types
        let Self { start, delimiter, header, null, fields, .. } = self;
        let fields: Vec<_> = fields.iter().map(CsvField::stored_form).collect();
        format!(
            "Layout {{ descriptor: , start: {start}, delimiter: {delimiter}, header: {header}, \
             null: {null:?}, fields: {fields:?} }}"
        )
    }

    /// How the file holds a column, for people.
    pub(crate) fn storage(&self, column: usize) -> Option<String> {
        let field = self.fields.get(column)?;
        let from = if field.declared { "declared" } else { "by the first records" };
        Some(format!("text, field {}, {} {from}", column + 1, field.kind))
    }
}

impl CsvField {
    /// Returns the form that a fingerprint is made of.
    fn stored_form(&self) -> impl fmt::Debug {
        fmt::from_fn(|f| {
            f.debug_struct("Field")
                .field("name", &self.name)
                .field("kind", &self.kind)
                .field("declared", &self.declared)
                .finish()
        })
    }
}

/// Records in memory.
pub(crate) struct CsvBlock<'a> {
    layout: &'a CsvLayout,
    bytes: &'a [u8],
    /// Positions in `bytes` where fields end.
    ends: &'a [u32],
    /// For each record the index in `ends` of its first field; the fields follow one another.
    firsts: &'a [u32],
    /// The position of `bytes` in the file.
    start: u64,
    fault: Option<RecordFault>,
}

impl Block for CsvBlock<'_> {
    fn records(&self) -> usize {
        self.firsts.len()
    }

    fn decode_column(&self, column: usize, rows: Rows<'_>) -> Result<ArrayRef, RecordFault> {
        decode::column(self, column, rows).map_err(|record| {
            let field = &self.layout.fields[column];
            let mut scratch = Vec::new();
            let value = self.value(record, column, &mut scratch).unwrap_or_default();
            let value = Excerpt::text(value);
            let problem = match (field.kind, field.declared) {
                (FieldType::Text, _) => Problem::NotUtf8 { value },
                (field_type, declared) => Problem::NotOfType {
                    value,
                    field_type,
                    origin: if declared { TypeOrigin::Declared } else { TypeOrigin::Inferred },
                    descriptor: self.layout.descriptor.as_str().into(),
                },
            };
            let (byte, field) = (self.byte_of(record), Some(field.name.clone()));
            RecordFault { record, byte, field, problem }
        })
    }

    fn fault(&self) -> Option<&RecordFault> {
        self.fault.as_ref()
    }

    fn byte_of(&self, record: usize) -> Option<u64> {
        let first = self.firsts.get(record).map_or(0, |&first| first as usize);
        Some(self.start + self.start_of(first) as u64)
    }

    fn sample(&self, records: &[usize], sample: &mut Sample) {
        if let Some(sampler) = sample.values_mut::<Sampler>() {
            records.iter().for_each(|record| sampler.record(self, *record));
        }
    }
}

impl CsvBlock<'_> {
    /// Returns the start of the field whose end has the index `end`.
    #[inline]
    fn start_of(&self, end: usize) -> usize {
        match end.checked_sub(1) {
            None => 0,
            Some(before) => self.ends[before] as usize + 1,
        }
    }

    /// The text of a field, `None` for NULL; `scratch` keeps it where quotes had to be taken out.
    #[inline]
    fn value<'s>(
        &'s self,
        record: usize,
        column: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Option<&'s [u8]> {
        let end = self.firsts[record] as usize + column;
        let mut text = &self.bytes[self.start_of(end)..self.ends[end] as usize];
        if column + 1 == self.layout.fields.len() {
            text = without_line_end(text);
        }
        match text {
            [] => None,
            [b'"', text @ .., b'"'] if memchr::memchr(b'"', text).is_none() => Some(text),
            [b'"', text @ .., b'"'] => {
                unquote(text, scratch);
                Some(scratch)
            }
            _ if self.layout.null.iter().any(|null| null.as_bytes() == text) => None,
            _ => Some(text),
        }
    }
}

/// The last field of a record without the carriage returns before its line feed.
#[inline]
fn without_line_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r'] = text {
        text = rest;
    }
    text
}

/// The text between the outer quotes, two quotes made one.
fn unquote(mut text: &[u8], unquoted: &mut Vec<u8>) {
    unquoted.clear();
    while let Some(quote) = memchr::memchr(b'"', text) {
        let (before, rest) = text.split_at(quote + 1);
        unquoted.extend_from_slice(before);
        text = rest.get(1..).unwrap_or_default();
    }
    unquoted.extend_from_slice(text);
}

#[cfg(test)]
mod tests;
