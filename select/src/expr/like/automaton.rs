//! An automaton for a segment of a pattern. It reads a text once, character by character.
//!
//! Shift-And: bit `i` of the state is set if the last characters of the text so far match the first
//! `i + 1` characters of the segment. Each character of the text shifts the bits by one, and keeps
//! the bits of the positions where the segment allows this character. Baeza-Yates and Gonnet, A new
//! approach to text searching, Communications of the ACM 35(10), 1992.

use std::collections::HashMap;

use ahash::RandomState;

use super::mixed::Run;
use sift_files::cancel::{Stopped, spend};

const BITS: usize = u64::BITS as usize;

/// A segment with at least one character.
#[derive(Clone, Debug)]
pub(super) struct Automaton {
    /// The bits that stay set for every character: the positions of `_`.
    any: Vec<u64>,
    /// For each literal character, the words with bits that it leaves set, and these bits.
    literal: HashMap<char, Vec<(usize, u64)>, RandomState>,
    /// The word and the bit of the last character.
    last: (usize, u64),
}

impl Automaton {
    pub(super) fn new(runs: &[Run]) -> Self {
        let mut any = Vec::new();
        let mut literal: HashMap<char, Vec<(usize, u64)>, RandomState> = HashMap::default();
        let mut place = 0;
        for run in runs {
            let (characters, count) = match run {
                Run::Literal(literal) => (Some(literal), literal.chars().count()),
                Run::Any(count) => (None, *count),
            };
            any.resize((place + count).div_ceil(BITS), 0);
            match characters {
                None => (place..place + count).for_each(|at| any[at / BITS] |= 1 << (at % BITS)),
                Some(characters) => {
                    for (c, at) in characters.chars().zip(place..) {
                        let (word, bit) = (at / BITS, 1 << (at % BITS));
                        let words = literal.entry(c).or_default();
                        match words.last_mut() {
                            Some((last, bits)) if *last == word => *bits |= bit,
                            _ => words.push((word, bit)),
                        }
                    }
                }
            }
            place += count;
        }
        let last = place.saturating_sub(1);
        Self { any, literal, last: (last / BITS, 1 << (last % BITS)) }
    }

    /// Returns the end of the first occurrence of the segment in `text`.
    pub(super) fn find(&self, text: &str) -> Result<Option<usize>, Stopped> {
        // one more word at the start, whose last bit is always set: the segment may start at any
        // character
        let words = self.any.len();
        let mut state = vec![0_u64; words + 1];
        state[0] = 1 << (BITS - 1);
        let mut next = state.clone();
        let (last, bit) = self.last;
        for (start, c) in text.char_indices() {
            spend(words + 4)?;
            for ((to, any), from) in next[1..].iter_mut().zip(&self.any).zip(state.windows(2)) {
                *to = (from[1] << 1 | from[0] >> (BITS - 1)) & any;
            }
            for &(word, bits) in self.literal.get(&c).into_iter().flatten() {
                next[word + 1] |= (state[word + 1] << 1 | state[word] >> (BITS - 1)) & bits;
            }
            std::mem::swap(&mut state, &mut next);
            if state[last + 1] & bit != 0 {
                return Ok(Some(start + c.len_utf8()));
            }
        }
        Ok(None)
    }
}
