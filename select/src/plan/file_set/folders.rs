//! The `key=value` folders of a path, and the encoding of their keys and values.
//!
//! Hive and Spark write a byte that a path cannot have, or that has a special meaning in it, as `%`
//! and two hexadecimal digits. A `%` without two such digits is not an escape, as in Hive, and a
//! text stays as it is if its decoded bytes are not UTF-8. The decoded text is a value, never a
//! part of a path.

use std::borrow::Cow;

/// The value of a folder that means NULL.
const NULL_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// A folder `key=value`, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder<'a> {
    pub(crate) key: Cow<'a, str>,
    /// `None` for NULL.
    pub(crate) value: Option<Cow<'a, str>>,
}

/// Returns the folders of a path that have a key, in order.
pub(crate) fn folders(path: &str) -> impl Iterator<Item = Folder<'_>> {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pairs = folders.split('/').filter_map(|folder| folder.split_once('='));
    pairs.filter(|(key, _)| !key.is_empty()).map(|(key, value)| Folder {
        key: decoded(key),
        value: (value != NULL_VALUE).then(|| decoded(value)),
    })
}

/// Decodes a key or a value.
fn decoded(written: &str) -> Cow<'_, str> {
    if !written.contains('%') {
        return Cow::Borrowed(written);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(written.len()), written.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = if first == b'%' { escaped(after) } else { None };
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(written), Cow::Owned)
}

/// Returns the byte whose two digits follow a `%`.
fn escaped(after: &[u8]) -> Option<u8> {
    let [high, low] = *after.first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_percent_signs_are_decoded() {
        for (written, expected) in [
            ("plain", "plain"),
            ("a%3Db", "a=b"),
            ("00%3a00", "00:00"),
            ("a%2Fb", "a/b"),
            ("%2E%2E", ".."),
            ("%00", "\0"),
            ("caf%C3%A9", "café"),
            ("é%20é", "é é"),
            ("50%25", "50%"),
            // decoded once
            ("50%2525", "50%25"),
            // not two digits
            ("50%", "50%"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%+1", "%+1"),
            ("%é1", "%é1"),
            ("%%41", "%A"),
            ("%3%44", "%3D"),
            // no UTF-8
            ("%41%FF", "%41%FF"),
            ("%C3", "%C3"),
            ("%ED%A0%80", "%ED%A0%80"),
        ] {
            assert_eq!(decoded(written), expected, "{written}");
        }
    }

    #[test]
    fn folders_with_a_key_are_found() {
        let found = |path| -> Vec<(String, Option<String>)> {
            folders(path)
                .map(|folder| (folder.key.into_owned(), folder.value.map(Cow::into_owned)))
                .collect()
        };
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(
            found("d/my%20key=a%3Db/x/=1/e=/n=__HIVE_DEFAULT_PARTITION__/k=a=b/f=1.csv"),
            [
                pair("my key", Some("a=b")),
                pair("e", Some("")),
                pair("n", None),
                pair("k", Some("a=b"))
            ]
        );
        assert_eq!(found("k=1.csv"), []);
        // the text of that name, not what means NULL
        assert_eq!(
            found("k=__HIVE_DEFAULT_PARTITION%5F_/f"),
            [pair("k", Some("__HIVE_DEFAULT_PARTITION__"))]
        );
    }
}
