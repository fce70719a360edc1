//! The `[[key]]` tables of a descriptor.

use std::collections::HashSet;

use super::keys::Keys;
use crate::Result;
use crate::problem::descriptor::DescriptorProblem;

/// Keys of a file, at most: each is read and sorted when the index is built.
const KEYS_MAX: usize = 64;

/// Columns of a key, at most.
const COLUMNS_MAX: usize = 16;

/// A `[[key]]`.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// The names of its columns, and whether each is descending.
    pub(crate) columns: Vec<(String, bool)>,
    pub(crate) unique: bool,
}

/// All keys of the file.
pub(super) fn parse(keys: &Keys<'_>) -> Result<Vec<Key>> {
    let tables = keys.tables("key")?;
    if tables.len() > KEYS_MAX {
        let (count, unit, max) = (tables.len(), "keys", KEYS_MAX);
        return Err(keys.error("key", DescriptorProblem::TooMany { count, unit, max }));
    }
    let mut parsed: Vec<Key> = Vec::new();
    for (at, table) in tables {
        let keys = Keys::new(keys.text, at, table, &["name", "columns", "descending", "unique"])?;
        let key = parse_key(&keys)?;
        if parsed.iter().any(|known| known.name == key.name) {
            let problem = DescriptorProblem::SameName { tables: "keys", name: key.name };
            return Err(keys.error("name", problem));
        }
        parsed.push(key);
    }
    Ok(parsed)
}

fn parse_key(keys: &Keys<'_>) -> Result<Key> {
    let columns = keys.required("columns", keys.texts("columns")?)?;
    let descending = keys.texts("descending")?.unwrap_or_default();
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        let (found, columns_max) = (columns.len(), COLUMNS_MAX);
        return Err(keys.error("columns", DescriptorProblem::KeyColumns { found, columns_max }));
    }
    let mut names = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !names.insert(**name)) {
        return Err(keys.twice("columns", twice));
    }
    if let Some(other) = descending.iter().find(|name| !columns.contains(name)) {
        let column = (*other).to_owned();
        return Err(keys.error("descending", DescriptorProblem::Descending { column }));
    }
    let name = keys.string("name")?.map_or_else(|| columns.join(", "), str::to_owned);
    let columns = columns.into_iter().map(|name| (name.to_owned(), descending.contains(&name)));
    let unique = keys.boolean("unique")?.unwrap_or(false);
    Ok(Key { name, columns: columns.collect(), unique })
}
