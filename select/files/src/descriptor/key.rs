//! The `[[key]]` tables of a descriptor.

use std::collections::HashSet;

use super::keys::Keys;
use crate::Result;

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
        let message = format!("{} keys, at most {KEYS_MAX} are accepted", tables.len());
        return Err(keys.error("key", message));
    }
    let mut parsed: Vec<Key> = Vec::new();
    for (at, table) in tables {
        let keys = Keys::new(keys.text, at, table, &["name", "columns", "descending", "unique"])?;
        let key = parse_key(&keys)?;
        if parsed.iter().any(|known| known.name == key.name) {
            return Err(keys.error("name", format_args!("there are two keys `{}`", key.name)));
        }
        parsed.push(key);
    }
    Ok(parsed)
}

fn parse_key(keys: &Keys<'_>) -> Result<Key> {
    let columns = keys.required("columns", keys.texts("columns")?)?;
    let descending = keys.texts("descending")?.unwrap_or_default();
    if columns.is_empty() || columns.len() > COLUMNS_MAX {
        let message = format!("`columns` has {}, expected 1 to {COLUMNS_MAX}", columns.len());
        return Err(keys.error("columns", message));
    }
    let mut names = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !names.insert(**name)) {
        return Err(keys.error("columns", format_args!("`columns` has \"{twice}\" twice")));
    }
    if let Some(other) = descending.iter().find(|name| !columns.contains(name)) {
        return Err(keys.error("descending", format_args!("\"{other}\" is not in `columns`")));
    }
    let name = keys.string("name")?.map_or_else(|| columns.join(", "), str::to_owned);
    let columns = columns.into_iter().map(|name| (name.to_owned(), descending.contains(&name)));
    let unique = keys.boolean("unique")?.unwrap_or(false);
    Ok(Key { name, columns: columns.collect(), unique })
}
