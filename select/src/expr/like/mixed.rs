//! A segment of a pattern with `_` in it: literals, and numbers of any characters between them.
//!
//! The search looks for the longest literal of the segment and compares the rest of the segment
//! there. In a text with many such literals, but without the rest, this could take time in
//! proportion to the length of the text multiplied by the length of the segment. So the search
//! stops comparing when that has cost as much as a few passes over the text. Then an [`Automaton`]
//! takes over. For each character of the text it takes one step for every 64 characters of the
//! segment, whatever the characters are.

use std::sync::OnceLock;

use memchr::memmem::Finder;

use super::automaton::Automaton;
use super::byte_after;
use sift_files::cancel::Stopped;

/// The number of passes over the text that comparing may cost. An ordinary text needs fewer, and
/// the automaton costs as much for a short segment.
const PASSES_MAX: usize = 8;

/// The number of bytes that may be compared in any text: making an automaton costs more.
const COMPARED_BYTES_MIN: usize = 4 << 10;

/// A segment with at least one `_`.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    runs: Vec<Run>,
    characters: usize,
    anchor: Anchor,
    /// The automaton, made when it is first needed.
    automaton: OnceLock<Automaton>,
}

/// Consecutive characters of the same kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Run {
    /// A literal text, not empty.
    Literal(Box<str>),
    /// A number of `_`, at least one.
    Any(usize),
}

/// The longest literal of a segment; empty if there is none.
#[derive(Clone, Debug)]
struct Anchor {
    finder: Box<Finder<'static>>,
    /// The number of characters of the segment before the literal.
    before: usize,
}

impl PartialEq for Mixed {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs
    }
}

impl Mixed {
    /// Makes a segment from its characters; `None` is `_`.
    pub(super) fn new(characters: &[Option<char>]) -> Self {
        let runs = characters.chunk_by(|left, right| left.is_some() == right.is_some());
        let runs = runs.map(|run| match run.iter().copied().collect::<Option<String>>() {
            Some(literal) => Run::Literal(literal.into()),
            None => Run::Any(run.len()),
        });
        let runs: Vec<Run> = runs.collect();
        let anchor = Anchor::of(&runs);
        Self { runs, characters: characters.len(), anchor, automaton: OnceLock::new() }
    }

    /// Returns a literal that every text with the segment contains.
    pub(super) fn literal(&self) -> &Finder<'static> {
        &self.anchor.finder
    }

    /// Returns the literal at the start of the segment.
    pub(super) fn prefix_literal(&self) -> &str {
        match self.runs.first() {
            Some(Run::Literal(literal)) => literal,
            _ => "",
        }
    }

    /// Returns the end of the segment, if `text` starts with it.
    pub(super) fn prefix(&self, text: &str) -> Option<usize> {
        self.runs.iter().try_fold(0, |at, run| match run {
            Run::Literal(literal) => text[at..].starts_with(&**literal).then(|| at + literal.len()),
            Run::Any(characters) => byte_after(text, at, *characters),
        })
    }

    pub(super) fn is_suffix(&self, text: &str) -> bool {
        let last = self.characters.saturating_sub(1);
        let start = text.char_indices().nth_back(last).map(|(start, _)| start);
        start.is_some_and(|start| self.prefix(&text[start..]).is_some())
    }

    /// Returns the end of the first occurrence of the segment in `text`. The segment must begin
    /// with a literal.
    pub(super) fn find(&self, text: &str) -> Result<Option<usize>, Stopped> {
        let bytes = text.as_bytes();
        let Anchor { finder, before } = &self.anchor;
        let mut left = text.len().saturating_mul(PASSES_MAX).saturating_add(COMPARED_BYTES_MIN);
        let mut next = 0;
        while let Some(found) = finder.find(&bytes[next..]) {
            let place = next + found;
            let start = start(text, place, *before);
            if let Some(end) = start.and_then(|start| Some(start + self.prefix(&text[start..])?)) {
                return Ok(Some(end));
            }
            // counts as if the whole segment had been compared
            match left.checked_sub(self.characters) {
                Some(rest) => left = rest,
                None => return self.automaton().find(text),
            }
            next = place + 1;
        }
        Ok(None)
    }

    fn automaton(&self) -> &Automaton {
        self.automaton.get_or_init(|| Automaton::new(&self.runs))
    }
}

/// Returns the byte offset `characters` characters before the byte offset `place`.
fn start(text: &str, place: usize, characters: usize) -> Option<usize> {
    let Some(last) = characters.checked_sub(1) else { return Some(place) };
    text[..place].char_indices().nth_back(last).map(|(start, _)| start)
}

impl Anchor {
    fn of(runs: &[Run]) -> Self {
        let (mut longest, mut before, mut passed) = ("", 0, 0);
        for run in runs {
            passed += match run {
                Run::Any(characters) => *characters,
                Run::Literal(literal) => {
                    if literal.len() > longest.len() {
                        (longest, before) = (literal, passed);
                    }
                    literal.chars().count()
                }
            };
        }
        Self { finder: Box::new(Finder::new(longest.as_bytes()).into_owned()), before }
    }
}
