//! Patterns of LIKE.
//!
//! Between its `%` a pattern is a list of pieces. Without `_` a text matches when the first piece
//! starts it, the last ends it and the others stand between them in order: found greedily from the
//! left by substring search, which is exact because an earlier place never rules out a later
//! match. A piece with `_` (any one character) is found by what of it is literal. Of a column of texts
//! a pattern that starts with `%` is matched only with those that have its longest literal, which is
//! searched in all of them at once.

use arrow::array::{Array, BooleanBufferBuilder, StringArray};
use arrow::buffer::BooleanBuffer;
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
    Characters(Vec<Option<char>>, Anchor),
}

/// The longest literal of a piece.
#[derive(Clone, Debug)]
struct Anchor {
    finder: Box<Finder<'static>>,
    /// Characters of the piece before it.
    before: usize,
}

impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(left), Self::Literal(right)) => left.needle() == right.needle(),
            (Self::Characters(left, _), Self::Characters(right, _)) => left == right,
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

    /// Where the texts match; what stands in place of NULL may.
    pub(crate) fn mask(&self, texts: &StringArray) -> BooleanBuffer {
        match (self.pieces.as_slice(), self.longest_literal()) {
            (_, Some(finder)) => self.mask_of_found(texts, finder),
            ([Piece::Literal(prefix), Piece::Literal(rest)], None) if rest.needle().is_empty() => {
                let prefix = prefix.needle();
                BooleanBuffer::collect_bool(texts.len(), |row| {
                    texts.value(row).as_bytes().starts_with(prefix)
                })
            }
            _ => BooleanBuffer::collect_bool(texts.len(), |row| self.matches(texts.value(row))),
        }
    }

    /// What every text that matches contains somewhere; `None` where that is nothing, or where the
    /// start of a text mostly tells.
    fn longest_literal(&self) -> Option<&Finder<'static>> {
        let (first, rest) = self.pieces.split_first()?;
        let is_anywhere = matches!(first, Piece::Literal(f) if f.needle().is_empty());
        let longest = rest.iter().map(Piece::literal).max_by_key(|f| f.needle().len())?;
        (is_anywhere && !longest.needle().is_empty()).then_some(longest)
    }

    /// As [`mask`](Self::mask), by the places of what `finder` finds in all texts.
    fn mask_of_found(&self, texts: &StringArray, finder: &Finder<'_>) -> BooleanBuffer {
        let offset = |row: usize| usize::try_from(texts.value_offsets()[row]).unwrap_or(0);
        let bytes = texts.value_data();
        let mut mask = BooleanBufferBuilder::new(texts.len());
        let (mut row, mut start, end) = (0, offset(0), offset(texts.len()));
        while let Some(found) = finder.find(&bytes[start..end]) {
            while offset(row + 1) <= start + found {
                row += 1;
            }
            // one that goes on in the next text is none of this
            mask.append_n(row - mask.len(), false);
            mask.append(self.matches(texts.value(row)));
            row += 1;
            start = offset(row);
        }
        mask.append_n(texts.len() - mask.len(), false);
        mask.finish()
    }

    /// What every text that matches begins with, and whether each that begins so matches; `None`
    /// where that is nothing.
    pub(crate) fn prefix(&self) -> Option<(String, bool)> {
        let (first, rest) = self.pieces.split_first()?;
        let (prefix, is_literal) = match first {
            Piece::Literal(finder) => (String::from_utf8(finder.needle().to_vec()).ok()?, true),
            Piece::Characters(characters, _) => {
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
            None => {
                let anchor = Anchor::of(&characters);
                Self::Characters(characters, anchor)
            }
        }
    }

    /// Where the piece ends if it starts `text`.
    fn prefix(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(finder) => {
                text.as_bytes().starts_with(finder.needle()).then(|| finder.needle().len())
            }
            Self::Characters(characters, _) => {
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

    /// What every text that has the piece contains.
    fn literal(&self) -> &Finder<'static> {
        match self {
            Self::Literal(finder) | Self::Characters(_, Anchor { finder, .. }) => finder,
        }
    }

    /// Where the piece ends at its first place in `text`.
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(finder) => {
                finder.find(text.as_bytes()).map(|start| start + finder.needle().len())
            }
            Self::Characters(_, anchor) => anchor
                .starts(text)
                .find_map(|start| self.prefix(&text[start..]).map(|end| start + end)),
        }
    }

    fn is_suffix(&self, text: &str) -> bool {
        match self {
            Self::Literal(finder) => text.as_bytes().ends_with(finder.needle()),
            Self::Characters(characters, _) => {
                let start = match characters.len() {
                    0 => Some(text.len()),
                    n => text.char_indices().nth_back(n - 1).map(|(start, _)| start),
                };
                start.is_some_and(|start| self.prefix(&text[start..]).is_some())
            }
        }
    }
}

impl Anchor {
    fn of(characters: &[Option<char>]) -> Self {
        let literals = characters.chunk_by(|left, right| left.is_some() && right.is_some());
        let mut before = 0;
        let mut longest = (0, String::new());
        for literal in literals {
            let text: String = literal.iter().copied().flatten().collect();
            if text.len() > longest.1.len() {
                longest = (before, text);
            }
            before += literal.len();
        }
        let (before, text) = longest;
        Self { finder: Box::new(Finder::new(text.as_bytes()).into_owned()), before }
    }

    /// Where the piece may start in a text, by its anchor; ascending.
    fn starts<'t>(&'t self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        let mut next = 0;
        let found = move || {
            let place = next + self.finder.find(text.as_bytes().get(next..)?)?;
            next = place + 1;
            Some(place)
        };
        // of `_` alone the anchor is empty, and found within characters, too
        let places = std::iter::from_fn(found).filter(|place| text.is_char_boundary(*place));
        places.filter_map(|place| {
            let start = text[..place].char_indices().rev().map(|(start, _)| start);
            std::iter::once(place).chain(start).nth(self.before)
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::Like;

    fn check(text: &str, pattern: &str, expected: bool) {
        let like = Like::new(pattern, Some('\\'), |c| c).unwrap();
        assert_eq!(like.matches(text), expected, "{text:?} LIKE {pattern:?}");
        let texts = ["", text, text.trim_start_matches('a'), text, text, "x"];
        let texts = StringArray::from(texts.to_vec());
        let mask = like.mask(&texts.slice(1, 4));
        for (row, matched) in mask.iter().enumerate() {
            let text = texts.value(row + 1);
            assert_eq!(matched, like.matches(text), "{text:?} LIKE {pattern:?} in a column");
        }
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
        check("a ré_ué b", "%ré_ué%", true);
        check("日本ré", "%__ré", true);
        check("é本ré", "%_é_é%", false);
        check("xx本abé", "%_本a_é%", true);
        check("aab", "%_ab%", true);
        check("ab", "%_ab%", false);
        check("ab", "%__%", true);
        check("本", "%__%", false);
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
