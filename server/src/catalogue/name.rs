//! The names of files in requests: paths below the data root.

use std::fmt;

use crate::fault::Fault;

/// The maximal length of a name, which is that of a path on Linux.
const NAME_BYTES_MAX: usize = 4096;

/// The end of the name of a descriptor.
pub(super) const DESCRIPTOR_SUFFIX: &str = ".toml";

/// A path below the data root: not empty, not absolute, `/` between its parts and no part `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileName(String);

impl FileName {
    /// Parses a name. The file need not exist.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let why = if text.is_empty() {
            "empty name"
        } else if text.len() > NAME_BYTES_MAX {
            "name too long"
        } else if text.contains('\0') {
            "NUL in the name"
        } else if text.contains('\\') {
            "backslash in the name"
        } else if text.starts_with('/') {
            "absolute path"
        } else if text.split('/').any(|part| part == "..") {
            "`..` in the path"
        } else if text.split('/').any(|part| part.is_empty() || part == ".") {
            "empty part in the path"
        } else if text.ends_with(DESCRIPTOR_SUFFIX) {
            return Err(Fault::IsDescriptor(text.to_owned()));
        } else {
            return Ok(Self(text.to_owned()));
        };
        // the name may be too long for a message
        let name = text.chars().take(200).collect();
        Err(Fault::FileName { name, why })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the descriptor beside the file.
    pub(super) fn descriptor(&self) -> String {
        format!("{}{DESCRIPTOR_SUFFIX}", self.0)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_pass() {
        for name in ["a.csv", "sales/2024/orders.dat", "a b.csv", "…", "..a", "a..", "toml"] {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let long = "a".repeat(5000);
        let cases = [
            ("", "empty name"),
            ("/etc/passwd", "absolute path"),
            ("../a.csv", "`..` in the path"),
            ("a/../../b.csv", "`..` in the path"),
            ("a/..", "`..` in the path"),
            ("a//b.csv", "empty part"),
            ("a/", "empty part"),
            ("./a.csv", "empty part"),
            ("a\0.csv", "NUL"),
            ("a\\b.csv", "backslash"),
            ("a.csv.toml", "a descriptor, not a data file"),
            (&long, "name too long"),
        ];
        for (name, expected) in cases {
            let fault = FileName::parse(name).unwrap_err().to_string();
            assert!(fault.contains(expected), "{name:?}: {fault}");
            assert!(fault.len() < 400);
        }
    }
}
