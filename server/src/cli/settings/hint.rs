//! The hint for an unknown key of the configuration file: the known key that was probably meant.
//!
//! The known keys are the fields that the types of the file declare to serde.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use sift_server::{AuditOptions, Limits};
use toml::de::{DeTable, DeValue};

use super::{FileListener, FileSettings, access, keys, protection};

/// The minimal similarity of a suggestion: 1 means equal, 0 means nothing in common.
const SIMILARITY_MIN: f64 = 0.5;

type KeyNames = &'static [&'static str];

/// Returns the complaint about the first unknown key, if there is one.
pub(super) fn unknown_key(text: &str) -> Option<String> {
    let file = DeTable::parse(text).ok()?;
    let file = file.get_ref();
    let named = file.iter().flat_map(|(name, value)| {
        let known = known_keys(name.get_ref());
        tables(value.get_ref()).filter_map(move |table| Some((table, known?)))
    });
    let tables = std::iter::once((file, declared::<FileSettings>())).chain(named);
    let unknown = tables.flat_map(|(table, known)| {
        let keys = table.keys().map(move |key| {
            let name: &str = key.get_ref();
            (key.span().start, name, known)
        });
        keys.filter(|(_, name, known)| !known.contains(name))
    });
    let (at, key, known) = unknown.min_by_key(|(at, ..)| *at)?;
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Some(format!("line {line}, column {column}: unknown field `{key}`; {}", hint(key, known)))
}

/// Returns the tables in a value: itself, or its items.
fn tables<'t>(value: &'t DeValue<'t>) -> impl Iterator<Item = &'t DeTable<'t>> {
    let items = value.as_array().into_iter().flat_map(|items| items.iter());
    value.as_table().into_iter().chain(items.filter_map(|item| item.get_ref().as_table()))
}

/// Returns the keys of the tables that have this name in the file.
fn known_keys(table: &str) -> Option<KeyNames> {
    Some(match table {
        "listener" => declared::<FileListener>(),
        "audit" => declared::<AuditOptions>(),
        "limits" => declared::<Limits>(),
        "defaults" => declared::<protection::Defaults>(),
        "protect" => declared::<protection::Rule>(),
        "parquet_key" => declared::<keys::Key>(),
        "parquet" => declared::<keys::Rule>(),
        "grant" => declared::<access::GrantRule>(),
        _ => return None,
    })
}

fn hint(key: &str, known: KeyNames) -> String {
    let near = known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(key, known), known))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match near {
        Some((similarity, near)) if similarity >= SIMILARITY_MIN => {
            format!("did you mean `{near}`?")
        }
        _ => format!("expected one of `{}`", known.join("`, `")),
    }
}

/// Returns the fields of a struct.
fn declared<T: DeserializeOwned>() -> KeyNames {
    let mut fields: KeyNames = &[];
    // it always fails, after it has been told the fields
    let _ = T::deserialize(Declared(&mut fields));
    fields
}

/// A deserializer that contains no data. It only notes the fields that a struct asks for.
struct Declared<'a>(&'a mut KeyNames);

impl<'de> Deserializer<'de> for Declared<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: KeyNames,
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_unknown_key_gets_a_hint() {
        for (text, expected) in [
            (
                "data = 'd'\nstat = 1",
                "line 2, column 1: unknown field `stat`; did you mean `state`?",
            ),
            (
                "[[listener]]\nport = 1\n\n[[listener]]\nport = 2\n  porrt = 1",
                "line 6, column 3: unknown field `porrt`; did you mean `port`?",
            ),
            (
                "[limits]\nidle_second = 1\n[defautls]\n",
                "line 2, column 1: unknown field `idle_second`; did you mean `idle_seconds`?",
            ),
            (
                "[defaults]\nx = 1",
                "line 2, column 1: unknown field `x`; expected one of `network_encrypt`, `scl_min`",
            ),
        ] {
            assert_eq!(unknown_key(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn all_tables_of_the_file_are_known() {
        for table in declared::<FileSettings>() {
            let is_table = |text: &str| toml::from_str::<FileSettings>(text).is_ok();
            if is_table(&format!("{table} = []")) || is_table(&format!("[{table}]")) {
                assert!(known_keys(table).is_some_and(|keys| !keys.is_empty()), "{table}");
            }
        }
    }

    #[test]
    fn other_faults_get_none() {
        for text in ["port", "log_format = 'xml'", "[[listener]]\nport = 'x'", "data = 'd'"] {
            assert_eq!(unknown_key(text), None, "{text}");
        }
    }
}
