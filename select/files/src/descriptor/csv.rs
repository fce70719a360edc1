//! The descriptor of CSV.

use std::collections::HashSet;

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};
use crate::field_type::FieldType;
use crate::problem::descriptor::DescriptorProblem;
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
                    let expected = "one ASCII character, no quote or line end";
                    return Err(keys.wrong_value("delimiter", expected));
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
            let problem = DescriptorProblem::SameName { tables: "fields", name };
            return Err(keys.error("name", problem));
        }
        let kind = match keys.string("type")? {
            None => None,
            Some(word) => Some(
                FieldType::parse(word)
                    .ok_or_else(|| keys.wrong_word("type", word, None, FieldType::WORDS))?,
            ),
        };
        requirements.push((name.clone(), parse_requirement(&keys)?));
        options.fields.push((name, kind));
    }
    if !options.header && options.fields.is_empty() {
        return Err(keys.error("field", DescriptorProblem::NoHeaderNoFields));
    }
    Ok(options)
}
