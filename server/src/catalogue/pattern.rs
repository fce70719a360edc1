//! Patterns of names, and the folders that can contain matching files.

use glob::{MatchOptions, Pattern};

use crate::fault::Fault;

/// The maximal number of stars. Matching tries all combinations of stars, so many stars are slow.
const STARS_MAX: usize = 16;
const BYTES_MAX: usize = 4096;

/// The rules of a shell: `*` does not match a `/`, `**` does.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// A pattern of names below the data root.
#[derive(Debug)]
pub(crate) struct NamePattern {
    whole: Pattern,
    /// The patterns of the folders, from the root on. After `**`, folders need not match anything.
    folders: Vec<Pattern>,
    is_deep: bool,
}

impl NamePattern {
    /// Returns whether a text is a pattern and not a name.
    pub(crate) fn is_one(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    /// Parses `text`; `None` for an empty text, which matches all names.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, Fault> {
        if text.is_empty() {
            return Ok(None);
        }
        let refuse = |why: &str| {
            let pattern = text.chars().take(200).collect();
            Fault::Pattern { pattern, why: why.to_owned() }
        };
        if text.len() > BYTES_MAX {
            return Err(refuse("too long"));
        }
        if text.starts_with('/') || text.contains('\\') || text.split('/').any(|part| part == "..")
        {
            let why = "a pattern is over paths below the data root, without `..` and backslash";
            return Err(refuse(why));
        }
        if text.matches('*').count() > STARS_MAX {
            return Err(refuse("too many stars"));
        }
        let pattern = |text| Pattern::new(text).map_err(|error| refuse(error.msg));
        let parts: Vec<&str> = text.split('/').collect();
        let depth = parts.iter().position(|part| *part == "**");
        let folders = parts[..depth.unwrap_or(parts.len() - 1)].iter().map(|part| pattern(part));
        let folders = folders.collect::<Result<_, _>>()?;
        Ok(Some(Self { whole: pattern(text)?, folders, is_deep: depth.is_some() }))
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.whole.matches_with(name, OPTIONS)
    }

    /// Returns whether a name in or below the folder `path` may match.
    pub(super) fn reaches_into(&self, path: &str) -> bool {
        let mut folders = self.folders.iter();
        path.split('/').all(|part| match folders.next() {
            Some(pattern) => pattern.matches_with(part, OPTIONS),
            None => self.is_deep,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_entered_where_the_pattern_may_match_below() {
        for (pattern, reached, not) in [
            ("*.csv", &[][..], &["a", "a/b"][..]),
            ("a/*.csv", &["a"], &["b", "a/b", "b/a"]),
            ("year=*/m?/*.csv", &["year=1", "year=1/m1"], &["day=1", "year=1/m11", "year=1/m1/a"]),
            ("a/**/b.csv", &["a", "a/b", "a/b/c"], &["b", "b/a"]),
            ("**/b.csv", &["a", "a/b"], &[]),
            ("*/b.csv", &["a"], &[".a"]),
        ] {
            let pattern = NamePattern::parse(pattern).unwrap().unwrap();
            for path in reached {
                assert!(pattern.reaches_into(path), "{pattern:?} {path}");
            }
            for path in not {
                assert!(!pattern.reaches_into(path), "{pattern:?} {path}");
            }
        }
        assert!(NamePattern::parse("a[b/c]d").is_err());
    }
}
