//! The keys of a configuration file with their values as texts, to tell what a reload changes.

use std::collections::BTreeMap;

use sift_server::KeyChange;
use toml::{Table, Value};

/// Returns the keys of a file that parses, as `limits.idle_seconds` or `grant[2].files`.
pub(super) fn keys(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    if let Ok(table) = text.parse::<Table>() {
        for (name, value) in table {
            add(name, value, &mut keys);
        }
    }
    keys
}

/// Adds the keys of a value. The parser bounds how deep tables are.
fn add(name: String, value: Value, keys: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                add(format!("{name}.{key}"), value, keys);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for (number, value) in (1..).zip(items) {
                add(format!("{name}[{number}]"), value, keys);
            }
        }
        value => {
            keys.insert(name, value.to_string());
        }
    }
}

/// Returns the keys whose values differ, in their order.
pub(crate) fn changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Vec<KeyChange> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter_map(|key| {
        let (before, after) = (before.get(key).cloned(), after.get(key).cloned());
        (before != after).then(|| KeyChange { key: key.clone(), before, after })
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_by_its_key() {
        let before = keys("data = 'd'\n[limits]\nidle_seconds = 600\n[[grant]]\nusers = ['a']\n");
        let after = keys("data = 'd'\n[limits]\nidle_seconds = 60\n[[grant]]\nfiles = ['**']\n");
        let told: Vec<String> = changes(&before, &after)
            .into_iter()
            .map(|KeyChange { key, before, after }| format!("{key} {before:?} {after:?}"))
            .collect();
        assert_eq!(
            told,
            [
                "grant[1].files None Some(\"[\\\"**\\\"]\")",
                "grant[1].users Some(\"[\\\"a\\\"]\") None",
                "limits.idle_seconds Some(\"600\") Some(\"60\")",
            ]
        );
        assert_eq!(changes(&after, &after), []);
    }
}
