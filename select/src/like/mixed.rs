//! A piece of a pattern with `_` in it: literals, and numbers of characters between them.
//!
//! It is sought by its longest literal: where that is, the rest is compared. On texts that have the
//! literal often, and the rest of the piece nowhere, comparing could take as long as text and piece
//! are long, multiplied. So it is only done until it has cost as much as a few passes over the text;
//! then an [`Automaton`] takes over, which takes a step for 64 characters of the piece for each
//! character of the text, whatever they are.

use std::sync::OnceLock;

use memchr::memmem::Finder;

use super::automaton::Automaton;
use super::behind;
use crate::cancel::Stopped;

/// Passes over the text that comparing may cost: more than an ordinary text takes, and as much as
/// the automaton does for a short piece.
const PASSES_MAX: usize = 8;

/// What comparing may cost in any text, in bytes: making an automaton costs more.
const COMPARED_BYTES_MIN: usize = 4 << 10;

/// A piece with at least one `_`.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    runs: Vec<Run>,
    characters: usize,
    anchor: Anchor,
    /// Made when it is first needed.
    automaton: OnceLock<Automaton>,
}

/// Neighbours of a kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Run {
    /// Not empty.
    Literal(Box<str>),
    /// So many `_`, at least one.
    Any(usize),
}

/// The longest literal of a piece; empty where there is none.
#[derive(Clone, Debug)]
struct Anchor {
    finder: Box<Finder<'static>>,
    /// Characters of the piece before it.
    before: usize,
}

impl PartialEq for Mixed {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs
    }
}

impl Mixed {
    /// `None` is `_`.
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

    /// What every text that has the piece contains.
    pub(super) fn literal(&self) -> &Finder<'static> {
        &self.anchor.finder
    }

    /// What the piece begins with.
    pub(super) fn prefix_literal(&self) -> &str {
        match self.runs.first() {
            Some(Run::Literal(literal)) => literal,
            _ => "",
        }
    }

    /// Where the piece ends if it starts `text`.
    pub(super) fn prefix(&self, text: &str) -> Option<usize> {
        self.runs.iter().try_fold(0, |at, run| match run {
            Run::Literal(literal) => text[at..].starts_with(&**literal).then(|| at + literal.len()),
            Run::Any(characters) => behind(text, at, *characters),
        })
    }

    pub(super) fn is_suffix(&self, text: &str) -> bool {
        let last = self.characters.saturating_sub(1);
        let start = text.char_indices().nth_back(last).map(|(start, _)| start);
        start.is_some_and(|start| self.prefix(&text[start..]).is_some())
    }

    /// Where the piece, which begins with a literal, ends at its first place in `text`.
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
            // as if all of the piece had been compared
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

/// The byte so many characters before the byte `place`.
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
