//! Patterns of LIKE.
//!
//! The `%` of a pattern separate its segments. Between two segments is a gap with a minimal number
//! of characters, because a `_` beside a `%` belongs to the gap. A text matches if it starts with
//! the first segment, ends with the last segment, and contains the others between them in order.
//! The segments are found greedily from the left. This is exact, because an earlier position never
//! excludes a later match. A segment without `_` is found by substring search, and a segment with
//! `_` as [`Mixed`] describes. So the time is linear in the text and in the pattern. The exception,
//! described in `Mixed`, is a segment with `_` that almost matches many times. If a pattern starts
//! with `%`, its longest literal is searched in all texts of a column at once, and only the texts
//! that contain it are matched.
//!
//! Our own, because Arrow's LIKE makes a regular expression of such patterns and cannot be
//! cancelled within a text.

mod automaton;
mod mixed;

use std::ops::Range;

use arrow::array::{Array, BooleanBufferBuilder, StringArray};
use arrow::buffer::BooleanBuffer;
use memchr::memmem::Finder;

use mixed::Mixed;
use sift_files::cancel::{Stopped, spend};

/// The number of bytes of texts between two checks for a cancellation. A single text may be longer.
const AT_ONCE_BYTES: usize = 256 << 10;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Like {
    first: Segment,
    /// `None` in a pattern without `%`.
    rest: Option<Rest>,
}

/// The part of a pattern after the first `%`.
#[derive(Clone, Debug, PartialEq)]
struct Rest {
    /// The segments between two `%`, none of them empty, each with the minimal number of characters
    /// before it.
    middle: Vec<(usize, Segment)>,
    /// The minimal number of characters before the last segment.
    gap: usize,
    last: Segment,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(Box<Finder<'static>>),
    Mixed(Box<Mixed>),
}

impl PartialEq for Segment {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(left), Self::Literal(right)) => left.needle() == right.needle(),
            (Self::Mixed(left), Self::Mixed(right)) => left == right,
            _ => false,
        }
    }
}

impl Like {
    /// Compiles `pattern` with its characters mapped by `map`. Returns `None` if it ends in the
    /// escape character, which then escapes nothing.
    pub(crate) fn new(pattern: &str, escape: Option<char>, map: fn(char) -> char) -> Option<Self> {
        let mut segments = vec![Vec::new()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let character = match c {
                _ if Some(c) == escape => Some(map(chars.next()?)),
                '%' => {
                    segments.push(Vec::new());
                    continue;
                }
                '_' => None,
                _ => Some(map(c)),
            };
            segments.last_mut()?.push(character);
        }
        let last = if segments.len() > 1 { segments.pop() } else { None };
        let mut segments = segments.into_iter();
        let first = segments.next()?;
        let Some(last) = last else {
            return Some(Self { first: Segment::new(&first), rest: None });
        };
        let (first, mut gap) = without_any_after(&first);
        let first = Segment::new(first);
        let mut middle = Vec::new();
        for segment in segments {
            let (before, segment) = without_any_before(&segment);
            gap += before;
            if segment.is_empty() {
                continue;
            }
            let (segment, after) = without_any_after(segment);
            middle.push((std::mem::replace(&mut gap, after), Segment::new(segment)));
        }
        let (before, last) = without_any_before(&last);
        let rest = Rest { middle, gap: gap + before, last: Segment::new(last) };
        Some(Self { first, rest: Some(rest) })
    }

    /// Returns whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, Stopped> {
        let Some(mut at) = self.first.prefix(text) else { return Ok(false) };
        let Some(Rest { middle, gap, last }) = &self.rest else { return Ok(at == text.len()) };
        for (gap, segment) in middle {
            let Some(start) = byte_after(text, at, *gap) else { return Ok(false) };
            match segment.find(&text[start..])? {
                Some(end) => at = start + end,
                None => return Ok(false),
            }
        }
        let start = byte_after(text, at, *gap);
        Ok(start.is_some_and(|start| last.is_suffix(&text[start..])))
    }

    /// Returns a mask of the matching texts; the bits of NULLs have no meaning.
    pub(crate) fn mask(&self, texts: &StringArray) -> Result<BooleanBuffer, Stopped> {
        mask(texts, |texts| match (self.longest_literal(), self.whole_prefix()) {
            (Some(finder), _) => self.mask_of_found(texts, finder),
            (None, Some(prefix)) => Ok(BooleanBuffer::collect_bool(texts.len(), |row| {
                texts.value(row).as_bytes().starts_with(prefix)
            })),
            (None, None) => try_collect(texts.len(), |row| self.matches(texts.value(row))),
        })
    }

    /// Returns a literal that every matching text contains. Returns `None` if there is none, or if
    /// the start of a text is usually enough to decide.
    fn longest_literal(&self) -> Option<&Finder<'static>> {
        let Rest { middle, last, .. } = self.rest.as_ref().filter(|_| self.first.is_empty())?;
        let segments = middle.iter().map(|(_, segment)| segment).chain([last]);
        let longest = segments.map(Segment::literal).max_by_key(|f| f.needle().len())?;
        (!longest.needle().is_empty()).then_some(longest)
    }

    /// Returns the prefix that alone decides whether a text matches.
    fn whole_prefix(&self) -> Option<&[u8]> {
        let Rest { middle, gap, last } = self.rest.as_ref()?;
        match &self.first {
            Segment::Literal(prefix) if middle.is_empty() && *gap == 0 && last.is_empty() => {
                Some(prefix.needle())
            }
            _ => None,
        }
    }

    /// Returns the same as [`mask`](Self::mask), from the positions at which `finder` matches in
    /// all texts.
    fn mask_of_found(
        &self,
        texts: &StringArray,
        finder: &Finder<'_>,
    ) -> Result<BooleanBuffer, Stopped> {
        let offset = |row: usize| usize::try_from(texts.value_offsets()[row]).unwrap_or(0);
        let bytes = texts.value_data();
        let mut mask = BooleanBufferBuilder::new(texts.len());
        let (mut row, mut start, end) = (0, offset(0), offset(texts.len()));
        while let Some(found) = finder.find(&bytes[start..end]) {
            while offset(row + 1) <= start + found {
                row += 1;
            }
            // an occurrence that ends in the next text is not in this text, so `matches` decides
            mask.append_n(row - mask.len(), false);
            mask.append(self.matches(texts.value(row))?);
            row += 1;
            start = offset(row);
        }
        mask.append_n(texts.len() - mask.len(), false);
        Ok(mask.finish())
    }

    /// Returns the prefix of every matching text, and whether every text with the prefix matches.
    /// Returns `None` if the prefix is empty.
    pub(crate) fn prefix(&self) -> Option<(String, bool)> {
        let prefix = match &self.first {
            Segment::Literal(finder) => String::from_utf8(finder.needle().to_vec()).ok()?,
            Segment::Mixed(mixed) => mixed.prefix_literal().to_owned(),
        };
        (!prefix.is_empty()).then_some((prefix, self.whole_prefix().is_some()))
    }
}

/// Joins the masks that `of` returns for consecutive texts, some hundred thousand bytes at a time.
pub(crate) fn mask(
    texts: &StringArray,
    of: impl Fn(&StringArray) -> Result<BooleanBuffer, Stopped>,
) -> Result<BooleanBuffer, Stopped> {
    let mut mask: Option<BooleanBufferBuilder> = None;
    for rows in runs(texts) {
        let offsets = texts.value_offsets();
        let bytes = offsets[rows.end] - offsets[rows.start];
        spend(usize::try_from(bytes).unwrap_or(0) + rows.len())?;
        if rows.len() == texts.len() {
            return of(texts);
        }
        let mask = mask.get_or_insert_with(|| BooleanBufferBuilder::new(texts.len()));
        mask.append_buffer(&of(&texts.slice(rows.start, rows.len()))?);
    }
    Ok(mask.map_or_else(|| BooleanBuffer::new_unset(0), |mut mask| mask.finish()))
}

/// Returns ranges of consecutive texts. A range is so long that a check for a cancellation after it
/// costs almost nothing. A very long text is a range of its own.
fn runs(texts: &StringArray) -> impl Iterator<Item = Range<usize>> {
    let offsets = texts.value_offsets();
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = *offsets.get(start).filter(|_| start < texts.len())?;
        let max = first.saturating_add(i32::try_from(AT_ONCE_BYTES).unwrap_or(i32::MAX));
        let rest = &offsets[start + 1..];
        let rows = rest.partition_point(|end| *end <= max).max(1);
        let run = start..start + rows;
        start = run.end;
        Some(run)
    })
}

/// Collects one boolean for each row.
pub(crate) fn try_collect(
    rows: usize,
    mut of: impl FnMut(usize) -> Result<bool, Stopped>,
) -> Result<BooleanBuffer, Stopped> {
    let mut all = Ok(());
    let mask = BooleanBuffer::collect_bool(rows, |row| {
        let one = if all.is_ok() { of(row) } else { Ok(false) };
        one.unwrap_or_else(|stopped| {
            all = Err(stopped);
            false
        })
    });
    all.map(|()| mask)
}

/// Returns the number of `_` at the start of a segment, and the rest of the segment.
fn without_any_before(segment: &[Option<char>]) -> (usize, &[Option<char>]) {
    let any = segment.iter().take_while(|character| character.is_none()).count();
    (any, &segment[any..])
}

/// Returns the segment without the `_` at its end, and their number.
fn without_any_after(segment: &[Option<char>]) -> (&[Option<char>], usize) {
    let any = segment.iter().rev().take_while(|character| character.is_none()).count();
    (&segment[..segment.len() - any], any)
}

/// Returns the byte offset `characters` characters after the byte offset `at`; `None` if the text
/// is shorter.
fn byte_after(text: &str, at: usize, characters: usize) -> Option<usize> {
    let Some(last) = characters.checked_sub(1) else { return Some(at) };
    let mut rest = text[at..].chars();
    rest.nth(last)?;
    Some(text.len() - rest.as_str().len())
}

impl Segment {
    fn new(characters: &[Option<char>]) -> Self {
        match characters.iter().copied().collect::<Option<String>>() {
            Some(literal) => Self::Literal(Box::new(Finder::new(literal.as_bytes()).into_owned())),
            None => Self::Mixed(Box::new(Mixed::new(characters))),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Literal(finder) if finder.needle().is_empty())
    }

    /// Returns the end of the segment, if `text` starts with it.
    fn prefix(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(finder) => {
                text.as_bytes().starts_with(finder.needle()).then(|| finder.needle().len())
            }
            Self::Mixed(mixed) => mixed.prefix(text),
        }
    }

    /// Returns a literal that every text with the segment contains.
    fn literal(&self) -> &Finder<'static> {
        match self {
            Self::Literal(finder) => finder,
            Self::Mixed(mixed) => mixed.literal(),
        }
    }

    /// Returns the end of the first occurrence of the segment in `text`.
    fn find(&self, text: &str) -> Result<Option<usize>, Stopped> {
        match self {
            Self::Literal(finder) => {
                Ok(finder.find(text.as_bytes()).map(|start| start + finder.needle().len()))
            }
            Self::Mixed(mixed) => mixed.find(text),
        }
    }

    fn is_suffix(&self, text: &str) -> bool {
        match self {
            Self::Literal(finder) => text.as_bytes().ends_with(finder.needle()),
            Self::Mixed(mixed) => mixed.is_suffix(text),
        }
    }
}

#[cfg(test)]
mod tests;
