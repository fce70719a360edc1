//! The descriptor of CSV.

use std::collections::HashSet;

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};
use crate::text::FieldType;
use crate::{Result, csv};

/// The keys of the file.
pub(super) const KEYS: &[&str] = &["csv"];

pub(super) fn parse(
    keys: &Keys<'_>,
    tsv: bool,
    requirements: &mut Requirements,
) -> Result<csv::CsvOptions> {
    let mut options = csv::CsvOptions::default();
    if tsv {
        options.delimiter = Some(b'\t');
    }
    if let Some((at, table)) = keys.table("csv")? {
        let keys = Keys::new(keys.text, at, table, &["delimiter", "header", "null"])?;
        if let Some(delimiter) = keys.string("delimiter")? {
            match *delimiter.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => {
                    options.delimiter = Some(byte);
                }
                _ => {
                    let message = "`delimiter` has to be one ASCII character, no quote or line end";
                    return Err(keys.error("delimiter", message));
                }
            }
        }
        options.header = keys.boolean("header")?.unwrap_or(true);
        let null = keys.texts("null")?.unwrap_or_default();
        options.null = null.into_iter().map(str::to_owned).collect();
    }
    let mut names = HashSet::new();
    for keys in parse_fields(keys, &["name", "type", "network_encrypt", "scl_min"])? {
        let name = parse_name(&keys)?;
        if !names.insert(name.clone()) {
            return Err(keys.error("name", format_args!("there are two fields `{name}`")));
        }
        let kind = match keys.string("type")? {
            None => None,
            Some(word) => Some(FieldType::parse(word).ok_or_else(|| {
                keys.error(
                    "type",
                    format_args!("`type` cannot be \"{word}\"; it is one of {}", FieldType::WORDS),
                )
            })?),
        };
        requirements.push((name.clone(), parse_requirement(&keys)?));
        options.fields.push((name, kind));
    }
    if !options.header && options.fields.is_empty() {
        return Err(keys.error("field", "without a header, every field needs a `[[field]]`"));
    }
    Ok(options)
}
