//! Patterns of LIKE.
//!
//! Between its `%` a pattern is a list of pieces. Without `_` a text matches when the first piece
//! starts it, the last ends it and the others stand between them in order: found greedily from the
//! left by substring search, which is exact because an earlier place never rules out a later
//! match. Pieces with `_` (any one character) are found the same way, character by character.

use memchr::memmem::Finder;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Like {
    /// Between the `%`, at least one; the first is anchored at the start, the last at the end.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<Finder<'static>>),
    /// `None` is `_`.
    Characters(Vec<Option<char>>),
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(left), Self::Literal(right)) => left.needle() == right.needle(),
            (Self::Characters(left), Self::Characters(right)) => left == right,
            _ => false,
        }
    }
}

impl Like {
    /// Compiles `pattern`, its characters mapped by `map`; `None` when it ends in the escape
    /// character, which then escapes nothing.
    pub(crate) fn new(pattern: &str, escape: Option<char>, map: fn(char) -> char) -> Option<Self> {
        let mut pieces = vec![Vec::new()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let character = match c {
                _ if Some(c) == escape => Some(map(chars.next()?)),
                '%' => {
                    pieces.push(Vec::new());
                    continue;
                }
                '_' => None,
                _ => Some(map(c)),
            };
            pieces.last_mut()?.push(character);
        }
        Some(Self { pieces: pieces.into_iter().map(Piece::new).collect() })
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.iter().all(|piece| piece.prefix(text) == Some(text.len()));
        };
        let Some(mut at) = first.prefix(text) else { return false };
        for piece in middle {
            match piece.find(&text[at..]) {
                Some(end) => at += end,
                None => return false,
            }
        }
        last.is_suffix(&text[at..])
    }

    /// What every text that matches begins with, and whether each that begins so matches; `None`
    /// where that is nothing.
    pub(crate) fn prefix(&self) -> Option<(String, bool)> {
        let (first, rest) = self.pieces.split_first()?;
        let (prefix, is_literal) = match first {
            Piece::Literal(finder) => (String::from_utf8(finder.needle().to_vec()).ok()?, true),
            Piece::Characters(characters) => {
                (characters.iter().copied().map_while(|character| character).collect(), false)
            }
        };
        let is_rest = |piece: &Piece| matches!(piece, Piece::Literal(f) if f.needle().is_empty());
        let is_all = is_literal && matches!(rest, [rest] if is_rest(rest));
        (!prefix.is_empty()).then_some((prefix, is_all))
    }
}

impl Piece {
    fn new(characters: Vec<Option<char>>) -> Self {
        match characters.iter().copied().collect::<Option<String>>() {
            Some(literal) => Self::Literal(Box::new(Finder::new(literal.as_bytes()).into_owned())),
            None => Self::Characters(characters),
        }
    }

    /// Where the piece ends if it starts `text`.
    fn prefix(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(finder) => {
                text.as_bytes().starts_with(finder.needle()).then(|| finder.needle().len())
            }
            Self::Characters(characters) => {
                let mut rest = text.chars();
                let fits = characters.iter().all(|expected| match (rest.next(), expected) {
                    (Some(found), Some(expected)) => found == *expected,
                    (found, None) => found.is_some(),
                    (None, _) => false,
                });
                fits.then(|| text.len() - rest.as_str().len())
            }
        }
    }

    /// Where the piece ends at its first place in `text`.
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(finder) => {
                finder.find(text.as_bytes()).map(|start| start + finder.needle().len())
            }
            Self::Characters(_) => text
                .char_indices()
                .find_map(|(start, _)| self.prefix(&text[start..]).map(|end| start + end)),
        }
    }

    fn is_suffix(&self, text: &str) -> bool {
        match self {
            Self::Literal(finder) => text.as_bytes().ends_with(finder.needle()),
            Self::Characters(characters) => {
                let start = match characters.len() {
                    0 => Some(text.len()),
                    n => text.char_indices().nth_back(n - 1).map(|(start, _)| start),
                };
                start.is_some_and(|start| self.prefix(&text[start..]).is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Like;

    fn check(text: &str, pattern: &str, expected: bool) {
        let like = Like::new(pattern, Some('\\'), |c| c).unwrap();
        assert_eq!(like.matches(text), expected, "{text:?} LIKE {pattern:?}");
    }

    #[test]
    fn patterns() {
        check("", "", true);
        check("a", "", false);
        check("", "%", true);
        check("", "_", false);
        check("é", "_", true);
        check("aé", "_%é", true);
        check("abc", "abc", true);
        check("abc", "ab", false);
        check("abc", "ab%", true);
        check("abc", "%bc", true);
        check("abc", "%b%", true);
        check("abc", "a%c", true);
        check("ab", "a%b", true);
        check("a", "a%a", false);
        check("aba", "ab%ba", false);
        check("abba", "ab%ba", true);
        check("a special and requests b", "%special%requests%", true);
        check("a requests and special b", "%special%requests%", false);
        check("xaxbx", "%a_b%", true);
        check("xabx", "%a_b%", false);
        check("axbxc", "a_b_c", true);
        check("abcabd", "%ab_", true);
        check("ab", "___", false);
        check("日本語", "日__", true);
        check("日本語", "%本%", true);
        check("100%", "100\\%", true);
        check("1000", "100\\%", false);
        check("a_b", "a\\_b", true);
        check("axb", "a\\_b", false);
        check("a\\b", "a\\\\b", true);
        check("aXbX", "%X", true);
        check("%%", "%\\%%", true);
        check("abab", "%ab", true);
        check("abcb", "a%_b", true);
        check("ab", "a%_b", false);
    }

    #[test]
    fn escapes() {
        assert!(Like::new("a\\", Some('\\'), |c| c).is_none());
        assert!(Like::new("a\\", None, |c| c).unwrap().matches("a\\"));
        assert!(Like::new("a!%", Some('!'), |c| c).unwrap().matches("a%"));
        assert!(!Like::new("a!%", Some('!'), |c| c).unwrap().matches("ab"));
    }
}
