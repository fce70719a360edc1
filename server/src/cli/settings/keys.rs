//! `[[parquet_key]]` and `[[parquet]]`: the keys of encrypted Parquet files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use sift_server::{KeyFault, KeyRule, KeySource, Keyring};

use super::error::ValueFault;

/// A section `[[parquet_key]]`: a key and its source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    name: String,
    file: Option<PathBuf>,
    env: Option<String>,
}

/// A section `[[parquet]]`: the key and the prefix of files that do not name them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    files: Vec<String>,
    key: Option<String>,
    aad_prefix: Option<String>,
}

/// The treatment of a key that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The configuration is refused.
    Refused,
    /// The reason is reported when a file needs the key.
    Told,
}

pub(super) fn checked(
    keys: Vec<Key>,
    rules: Vec<Rule>,
    beside: impl Fn(PathBuf) -> PathBuf,
    unreadable: Unreadable,
) -> Result<Keyring, ValueFault> {
    let mut known = BTreeMap::new();
    for (Key { name, file, env }, number) in keys.into_iter().zip(1..) {
        let source = match (file, env) {
            (Some(file), None) => KeySource::File(beside(file)),
            (None, Some(variable)) => KeySource::Variable(variable),
            _ => return Err(ValueFault::KeyPlace { number }),
        };
        let key = match source.read() {
            Err(error) if unreadable == Unreadable::Refused => {
                return Err(ValueFault::KeyUnreadable { number, name, error });
            }
            key => key,
        };
        if known.insert(name.clone(), key).is_some() {
            return Err(ValueFault::KeyTwice { number, name });
        }
    }
    let rules = rules.into_iter().zip(1..).map(|(rule, number)| checked_rule(rule, number, &known));
    let rules = rules.collect::<Result<_, _>>()?;
    Ok(Keyring::new(known, rules))
}

fn checked_rule<T>(
    rule: Rule,
    number: usize,
    known: &BTreeMap<String, Result<T, KeyFault>>,
) -> Result<KeyRule, ValueFault> {
    let Rule { files, key, aad_prefix } = rule;
    if files.is_empty() || (key.is_none() && aad_prefix.is_none()) {
        return Err(ValueFault::TellsNothing { number });
    }
    if let Some(name) = &key
        && !known.contains_key(name)
    {
        return Err(ValueFault::KeyUnknown { number, name: name.clone() });
    }
    KeyRule::new(&files, key, aad_prefix).map_err(|error| ValueFault::KeyGlob { number, error })
}
