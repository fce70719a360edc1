//! Makes a descriptor for a file of CSV or JSON Lines, with the fields and types of its first
//! records. People correct and complete it.

use sift_select::{Descriptor, Source, type_name};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{Described, Error};

/// The properties that the file does not show.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    pub(crate) delimiter: Option<char>,
    /// A text that means NULL.
    pub(crate) null: Option<String>,
}

/// Writes the descriptor, which must not exist.
pub(crate) fn create(described: &Described, hints: &Hints) -> Result<Descriptor, Error> {
    if described.text.is_some() {
        return Err(Error::Exists { path: described.path.clone() });
    }
    if hints.delimiter.is_some_and(|c| !c.is_ascii() || matches!(c, '"' | '\r' | '\n')) {
        return Err(Error::Delimiter);
    }
    let mut document = DocumentMut::new();
    let is_json = Source::format_of(&described.name(), None)
        .is_some_and(|format| format.starts_with("jsonl"));
    document.insert("format", value(if is_json { "jsonl" } else { "csv" }));
    if hints.delimiter.is_some() || hints.null.is_some() {
        let mut csv = Table::new();
        if let Some(delimiter) = hints.delimiter {
            csv.insert("delimiter", value(delimiter.to_string()));
        }
        if let Some(null) = &hints.null {
            csv.insert("null", value(null.as_str()));
        }
        document.insert("csv", Item::Table(csv));
    }
    let source = match hints.delimiter.is_some() || hints.null.is_some() {
        true => described.source(Some(described.parse(&document.to_string())?))?,
        false => described.source(None)?,
    };
    if described.file.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv")) {
        document.insert("format", value("tsv"));
    }
    let mut fields = ArrayOfTables::new();
    for field in source.schema().fields() {
        let mut table = Table::new();
        table.insert("name", value(field.name()));
        table.insert("type", value(type_name(field.data_type())));
        fields.push(table);
    }
    document.insert("field", Item::ArrayOfTables(fields));
    let text = document.to_string();
    let descriptor = described.parse(&text)?;
    // the descriptor must give the columns that were found
    described.source(Some(descriptor.clone()))?;
    described.replace(&text)?;
    Ok(descriptor)
}
