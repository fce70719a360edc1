//! The keys of encrypted Parquet files: their sources in a configuration, and the rules that assign
//! them to files.
//!
//! A file names the keys that encrypt it. For files that do not name their key, rules by path name
//! it, and the prefix of the authenticated data. Keys are written as hexadecimal digits. Neither
//! the digits nor the bytes are in any error, log or `Debug` text, and both are wiped after use.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};
use sift_select::{ParquetKey, ParquetKeys};
use zeroize::Zeroizing;

/// The maximal size of a key file: a key, with spaces and comments.
const FILE_BYTES_MAX: usize = 1024;

/// The keys of a server.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: ParquetKeys,
    rules: Vec<KeyRule>,
    /// The folder to which the paths of rules are relative, and the folder of the names.
    folders: Option<(PathBuf, PathBuf)>,
}

/// The key and the prefix of files that do not name them.
#[derive(Clone, Debug)]
pub struct KeyRule {
    files: Vec<Pattern>,
    key: Option<String>,
    aad_prefix: Option<Vec<u8>>,
}

/// The source of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The first line of a file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
}

/// The reason why a key cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The variable is not set, or is not a text.
    #[error("the environment has no {0}")]
    Variable(String),
    /// The text is not a key.
    #[error("{0}: not a key of 32, 48 or 64 hexadecimal digits")]
    Digits(String),
}

impl KeySource {
    /// Reads the key.
    ///
    /// # Errors
    /// `Io`, `Variable`, `Digits`.
    pub fn read(&self) -> Result<ParquetKey, KeyFault> {
        let (place, text) = match self {
            Self::File(path) => {
                let io = |source| KeyFault::Io { path: path.clone(), source };
                // the buffer never grows, so no copy of the key stays in memory
                let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX));
                let file = File::open(path).map_err(io)?;
                file.take(FILE_BYTES_MAX as u64).read_to_string(&mut text).map_err(io)?;
                (path.display().to_string(), text)
            }
            Self::Variable(name) => match std::env::var(name) {
                Ok(text) => (name.clone(), Zeroizing::new(text)),
                Err(_absent) => return Err(KeyFault::Variable(name.clone())),
            },
        };
        let bytes = from_hex(text.lines().next().unwrap_or_default().trim());
        bytes.and_then(|bytes| ParquetKey::new(&bytes)).ok_or(KeyFault::Digits(place))
    }
}

fn from_hex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.as_bytes().chunks_exact(2) {
        let [high, low] = pair else { return None };
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(bytes)
}

impl KeyRule {
    /// Makes a rule for files that match one of the globs: `key` names the key of files that name
    /// none, and `aad_prefix` is for files that do not contain their prefix. `*` does not match a
    /// `/`, `**` does.
    ///
    /// # Errors
    /// The error of an invalid glob.
    pub fn new(
        files: &[String],
        key: Option<String>,
        aad_prefix: Option<String>,
    ) -> Result<Self, PatternError> {
        let files = files.iter().map(|glob| Pattern::new(glob)).collect::<Result<_, _>>()?;
        Ok(Self { files, key, aad_prefix: aad_prefix.map(String::into_bytes) })
    }

    const OPTIONS: MatchOptions = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };

    fn applies_to(&self, name: &str) -> bool {
        self.files.iter().any(|glob| glob.matches_with(name, Self::OPTIONS))
    }
}

impl Keyring {
    /// Makes a keyring of keys by their names. A key that cannot be read is the reason instead. The
    /// first rule that matches a file applies.
    pub fn new(keys: BTreeMap<String, Result<ParquetKey, KeyFault>>, rules: Vec<KeyRule>) -> Self {
        let keys =
            keys.into_iter().map(|(name, key)| (name, key.map_err(|fault| fault.to_string())));
        Self { keys: ParquetKeys::new(keys.collect()), rules, folders: None }
    }

    /// Returns the keyring for files whose names are relative to `folder`, while the paths of the
    /// rules are relative to `root`.
    #[must_use]
    pub fn for_folder(&self, root: &Path, folder: &Path) -> Self {
        let folders = fs::canonicalize(root).ok().zip(fs::canonicalize(folder).ok());
        Self { folders, ..self.clone() }
    }

    /// Returns the keys for the file with this name.
    pub(crate) fn of(&self, name: &str) -> ParquetKeys {
        let path = match &self.folders {
            None => PathBuf::from(name),
            Some((root, folder)) => {
                let path = folder.join(name);
                path.strip_prefix(root).map_or_else(|_elsewhere| path.clone(), Path::to_owned)
            }
        };
        let path = path.to_string_lossy();
        match self.rules.iter().find(|rule| rule.applies_to(&path)) {
            None => self.keys.clone(),
            Some(rule) => self.keys.of_file(rule.key.as_deref(), rule.aad_prefix.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_hexadecimal() {
        for length in [32, 48, 64] {
            assert_eq!(from_hex(&"aF".repeat(length / 2)).unwrap()[..], vec![0xaf; length / 2]);
        }
        for text in ["0", "0g", "+1", " 1", "é"] {
            assert!(from_hex(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_is_in_the_first_line_of_a_file_or_in_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            KeySource::File(path.clone()).read().map_err(|fault| fault.to_string())
        };
        let digits = "00112233445566778899aabbccddeeff";
        read(&format!("{digits}\r\nof 2024\n")).unwrap();
        for text in ["", "\n", &digits[2..], &digits.replace('0', "x"), &format!("0x{digits}")] {
            let error = read(text).unwrap_err();
            let expected =
                format!("{}: not a key of 32, 48 or 64 hexadecimal digits", path.display());
            assert_eq!(error, expected, "{text}");
        }
        let error = KeySource::Variable("NO_SUCH_KEY".to_owned()).read().unwrap_err();
        assert_eq!(error.to_string(), "the environment has no NO_SUCH_KEY");
    }

    #[test]
    fn rules_are_by_the_path_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        let rule = KeyRule::new(&["a/*/c.parquet".to_owned()], Some("k".to_owned()), None).unwrap();
        let ring = Keyring::new(BTreeMap::new(), vec![rule]);
        let knows = |ring: &Keyring, name: &str| format!("{:?}", ring.of(name)).contains("\"k\"");
        assert!(knows(&ring, "a/b/c.parquet") && !knows(&ring, "c.parquet"));
        let there = ring.for_folder(root.path(), &folder);
        assert!(knows(&there, "c.parquet") && !knows(&there, "d.parquet"));
        let above = ring.for_folder(root.path(), Path::new("/"));
        let path = fs::canonicalize(&folder).unwrap().join("c.parquet");
        assert!(knows(&above, path.to_str().unwrap().trim_start_matches('/')));
    }
}
