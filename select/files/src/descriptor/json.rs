//! The descriptor of JSON Lines, and of files whose names tell their format.

use std::collections::HashSet;

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};
use crate::field_type::FieldType;
use crate::json::Declared;
use crate::problem::descriptor::DescriptorProblem;
use crate::requirement::Requirement;
use crate::{Error, Result, csv};

/// The words for the type of a field.
const WORDS: &str = "boolean, bigint, double precision, numeric(p,s), date, timestamp, text, json";

pub(super) fn parse(keys: &Keys<'_>, requirements: &mut Requirements) -> Result<Vec<Declared>> {
    let mut fields = Vec::new();
    let mut names = HashSet::new();
    for keys in parse_fields(keys, &["name", "type", "path", "network_encrypt", "scl_min"])? {
        let name = parse_name(&keys)?;
        if !names.insert(name.clone()) {
            let problem = DescriptorProblem::SameName { tables: "fields", name };
            return Err(keys.error("name", problem));
        }
        let kind = match keys.string("type")? {
            None => None,
            Some("json") => Some(FieldType::Json),
            Some(word) => Some(
                FieldType::parse(word).ok_or_else(|| keys.wrong_word("type", word, None, WORDS))?,
            ),
        };
        let path = parse_path(&keys)?;
        requirements.push((name.clone(), parse_requirement(&keys)?));
        fields.push(Declared { name, kind, path });
    }
    share(&fields, requirements);
    Ok(fields)
}

/// Makes the options of a CSV file, once it is known to be one.
pub(super) fn csv_options(file: &str, fields: Vec<Declared>) -> Result<csv::CsvOptions> {
    let is_of_json =
        |field: &&Declared| field.path.is_some() || field.kind == Some(FieldType::Json);
    if let Some(Declared { name, .. }) = fields.iter().find(is_of_json) {
        let problem = DescriptorProblem::FieldOfJson { field: name.clone() };
        return Err(Error::descriptor(format!("{file}.toml"), problem));
    }
    let fields = fields.into_iter().map(|field| (field.name, field.kind)).collect();
    Ok(csv::CsvOptions { fields, ..csv::CsvOptions::default() })
}

/// Makes the field names of a file that stores its types, once it is known to be one.
pub(super) fn names_alone(file: &str, fields: Vec<Declared>) -> Result<Vec<String>> {
    if fields.iter().any(|field| field.kind.is_some() || field.path.is_some()) {
        let problem = DescriptorProblem::OwnTypes { file: file.to_owned() };
        return Err(Error::descriptor(format!("{file}.toml"), problem));
    }
    Ok(fields.into_iter().map(|field| field.name).collect())
}

/// A dotted path, or a list of names where there are dots in them.
fn parse_path(keys: &Keys<'_>) -> Result<Option<Vec<String>>> {
    let Some(path) = keys.texts("path")? else { return Ok(None) };
    let path: Vec<String> = match path.as_slice() {
        [dotted] if keys.is_string("path") => dotted.split('.').map(str::to_owned).collect(),
        _ => path.into_iter().map(str::to_owned).collect(),
    };
    if path.is_empty() {
        return Err(keys.error("path", DescriptorProblem::Empty { key: "path" }));
    }
    Ok(Some(path))
}

/// A field that holds another, or is it under another name, demands what that one does: they are
/// ways to read one another.
fn share(fields: &[Declared], requirements: &mut Requirements) {
    let paths: Vec<Vec<String>> = fields.iter().map(Declared::names).collect();
    let protected: Vec<(&Vec<String>, Requirement)> = paths
        .iter()
        .zip(&*requirements)
        .filter(|(_, (_, requirement))| *requirement != Requirement::None)
        .map(|(path, (_, requirement))| (path, *requirement))
        .collect();
    for (path, (_, requirement)) in paths.iter().zip(requirements) {
        let related = protected
            .iter()
            .filter(|(other, _)| path.starts_with(other) || other.starts_with(path));
        *requirement = related.map(|(_, other)| *other).fold(*requirement, Requirement::max);
    }
}
