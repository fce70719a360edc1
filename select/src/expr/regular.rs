//! Regular expressions, whose matching can be cancelled.
//!
//! At worst, the regex crate takes time in proportion to the length of the text multiplied by the
//! size of the compiled pattern, and it cannot be interrupted. So it is used only if this product
//! is small. For a longer text, this file runs the compiled pattern itself and regularly checks
//! whether the result is still wanted. It first uses a lazy DFA, which takes a few nanoseconds for
//! a byte and gives up if it gets too large. After that, or if the pattern has word boundaries,
//! which a lazy DFA does not support, it follows all states of the pattern at once (Thompson,
//! Regular expression search algorithm, Communications of the ACM 11(6), 1968). At worst, that
//! takes time in proportion to the product of text and pattern.

use regex::{Regex, RegexBuilder};
use regex_automata::Input;
use regex_automata::hybrid::dfa::DFA;
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::primitives::StateID;

use sift_files::cancel::{Stopped, check_wanted, spend};

/// The maximal size of a compiled pattern in bytes, and of the cache of a search on each thread.
const PROGRAM_BYTES_MAX: usize = 512 << 10;

/// The maximal product of the bytes of a text and the states of a pattern for a search that cannot
/// be interrupted. At worst, such a search takes some tens of milliseconds.
const UNINTERRUPTED_MAX: usize = 4 << 20;

/// The maximal product, as above, that is searched without a check for a cancellation.
const UNSEEN_MAX: usize = 64 << 10;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Regular {
    regex: Regex,
    nfa: NFA,
    /// `None` if the DFA cannot be built.
    dfa: Option<Box<DFA>>,
}

impl PartialEq for Regular {
    fn eq(&self, other: &Self) -> bool {
        // the text of the pattern contains its flags, so it is enough
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Regular {
    /// Compiles a pattern in the syntax of the regex crate. `written` is the text in the Select,
    /// for messages.
    ///
    /// # Errors
    /// A description of the fault in the pattern.
    pub(crate) fn new(pattern: &str, written: &str) -> Result<Self, String> {
        let too_long =
            || format!("the pattern '{written}' compiles to more than {PROGRAM_BYTES_MAX} bytes");
        let regex = RegexBuilder::new(pattern)
            .size_limit(PROGRAM_BYTES_MAX)
            .dfa_size_limit(PROGRAM_BYTES_MAX)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => too_long(),
                error => {
                    let text = error.to_string();
                    let complaint = text.lines().last().unwrap_or_default();
                    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
                    format!("the pattern '{written}' is not a regular expression: {complaint}")
                }
            })?;
        let config = thompson::Config::new()
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(PROGRAM_BYTES_MAX));
        let nfa = thompson::Compiler::new().configure(config).build(pattern);
        let nfa = nfa.map_err(|_too_long| too_long())?;
        let config = DFA::config()
            .cache_capacity(PROGRAM_BYTES_MAX)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone());
        Ok(Self { regex, nfa, dfa: dfa.ok().map(Box::new) })
    }

    /// Returns whether some part of the text matches.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, Stopped> {
        let work = text.len().saturating_mul(self.nfa.states().len());
        if work > UNINTERRUPTED_MAX {
            return match self.automaton_matches(text.as_bytes())? {
                Some(is_match) => Ok(is_match),
                None => Follower::new(&self.nfa).finds_match(text.as_bytes()),
            };
        }
        if work > UNSEEN_MAX {
            check_wanted()?;
        }
        Ok(self.regex.is_match(text))
    }

    /// Does the same as [`is_match`](Self::is_match) with the DFA; `None` if there is no DFA, or if
    /// it gets too large.
    fn automaton_matches(&self, text: &[u8]) -> Result<Option<bool>, Stopped> {
        let Some(dfa) = &self.dfa else { return Ok(None) };
        let mut cache = dfa.create_cache();
        let Ok(mut state) = dfa.start_state_forward(&mut cache, &Input::new(text)) else {
            return Ok(None);
        };
        // each byte may create a DFA state from all states of the pattern
        let unseen = UNSEEN_MAX / self.nfa.states().len().max(1) + 1;
        for bytes in text.chunks(unseen) {
            check_wanted()?;
            for byte in bytes {
                let Ok(next) = dfa.next_state(&mut cache, state, *byte) else { return Ok(None) };
                state = next;
                if state.is_match() {
                    return Ok(Some(true));
                }
                if state.is_dead() {
                    return Ok(Some(false));
                }
                if state.is_quit() {
                    return Ok(None);
                }
            }
        }
        Ok(dfa.next_eoi_state(&mut cache, state).ok().map(|state| state.is_match()))
    }
}

/// The active states between two bytes of a text.
struct Follower<'n> {
    nfa: &'n NFA,
    /// The active states that consume a byte.
    alive: Vec<StateID>,
    next: Vec<StateID>,
    /// For each state, the last position in the text, counted from 1, where it was reached.
    reached: Vec<usize>,
    /// States that have not been visited yet.
    stack: Vec<StateID>,
}

impl<'n> Follower<'n> {
    fn new(nfa: &'n NFA) -> Self {
        let reached = vec![0; nfa.states().len()];
        Self { nfa, alive: Vec::new(), next: Vec::new(), reached, stack: Vec::new() }
    }

    fn finds_match(mut self, text: &[u8]) -> Result<bool, Stopped> {
        if self.reach(self.nfa.start_unanchored(), text, 0)? {
            return Ok(true);
        }
        for (at, byte) in text.iter().enumerate() {
            self.alive = std::mem::replace(&mut self.next, std::mem::take(&mut self.alive));
            self.next.clear();
            if self.alive.is_empty() {
                return Ok(false);
            }
            for index in 0..self.alive.len() {
                let next = match self.nfa.state(self.alive[index]) {
                    State::ByteRange { trans } if trans.matches_byte(*byte) => Some(trans.next),
                    State::Sparse(transitions) => transitions.matches_byte(*byte),
                    State::Dense(transitions) => transitions.matches_byte(*byte),
                    _ => None,
                };
                if let Some(next) = next
                    && self.reach(next, text, at + 1)?
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Adds all states that can be reached from `next` at this position without reading a byte.
    /// Returns whether one of them is a match.
    fn reach(&mut self, next: StateID, text: &[u8], at: usize) -> Result<bool, Stopped> {
        self.stack.push(next);
        while let Some(state) = self.stack.pop() {
            spend(4)?;
            if std::mem::replace(&mut self.reached[state.as_usize()], at + 1) == at + 1 {
                continue;
            }
            match self.nfa.state(state) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                    self.next.push(state);
                }
                State::Look { look, next } => {
                    if self.nfa.look_matcher().matches(*look, text, at) {
                        self.stack.push(*next);
                    }
                }
                State::Union { alternates } => self.stack.extend_from_slice(alternates),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt1, *alt2]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Match { .. } => return Ok(true),
                State::Fail => {}
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: &[&str] = &[
        "a",
        "b",
        "é",
        ".",
        "[ab]",
        "[^a]",
        "a*",
        "(?:ab|b)+",
        "b{2,3}",
        "\\w",
        "\\s",
        "\\b",
        "\\B",
        "^",
        "$",
        "\\b{start}",
        "\\b{end}",
        "(?:a|)",
        "\\A",
        "\\z",
        " ",
        "(?:é.?){2}",
        "[0-9]",
    ];

    const CHARS: &[char] = &['a', 'b', 'B', 'é', ' ', '1', '\n'];

    #[test]
    fn states_are_followed_as_the_regex_crate_does() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut matched, mut told) = (0, 0);
        for _ in 0..5000 {
            let flags = if random.bool() { "(?s)" } else { "(?si)" };
            let mut pattern = flags.to_owned();
            (0..random.usize(0..5)).for_each(|_| pattern.push_str(random.choice(PARTS).unwrap()));
            let regular = Regular::new(&pattern, &pattern).unwrap();
            for _ in 0..4 {
                let mut text = String::new();
                (0..random.usize(0..8)).for_each(|_| text.push(*random.choice(CHARS).unwrap()));
                let expected = regular.regex.is_match(&text);
                let got = Follower::new(&regular.nfa).finds_match(text.as_bytes());
                assert_eq!(got, Ok(expected), "{text:?} ~ {pattern:?}");
                let by_automaton = regular.automaton_matches(text.as_bytes()).unwrap();
                assert_eq!(by_automaton.unwrap_or(expected), expected, "{text:?} ~ {pattern:?}");
                told += usize::from(by_automaton.is_some());
                matched += usize::from(expected);
            }
        }
        assert!((4000..18_000).contains(&matched), "{matched} of 20000 match");
        assert!(told > 4000, "{told} of 20000 are told by automata");
    }
}
