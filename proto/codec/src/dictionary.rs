//! Columns of few values: each value once, and a code of one or two bytes for each record.
//!
//! A sample tells first whether a column may have few values, because most columns have many.

use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{ArrowNativeType, ToByteSlice};
use hashbrown::HashTable;

use crate::decode::{DecodeError, malformed};
use crate::reader::Reader;
use crate::text::{Texts, WORD_BYTES};
use crate::varint;

/// The maximal number of values of a dictionary whose codes take one byte.
const BYTE_VALUES_MAX: usize = 1 << 8;

/// The maximal number of values that a decoder accepts: codes have two bytes.
const VALUES_MAX: usize = 1 << 16;

/// The maximal number of texts in a dictionary. With more, a text repeats too rarely.
const TEXTS_MAX: usize = 1 << 12;

/// The minimal number of records for which a dictionary is tried.
const RECORDS_MIN: usize = 32;

/// The records of a sample, and how many of them have to repeat others. A sample of `s` out of `d`
/// equally frequent values has about `s * s / (2 * d)` repetitions: 32 of 256 values, 8 of 4,096.
const WORD_SAMPLE: (usize, usize) = (128, 24);
const TEXT_SAMPLE: (usize, usize) = (256, 6);

/// A dictionary, and the code of each record.
pub(crate) struct Codes<K> {
    pub(crate) values: Vec<K>,
    /// One byte each if there are at most 256 values, else two.
    pub(crate) codes: Vec<u8>,
}

/// Makes a dictionary with codes of one byte for `count` words; `None` if there are too many.
pub(crate) fn of_words(count: usize, word: impl Fn(usize) -> u64) -> Option<Codes<u64>> {
    /// Four times as many slots as values.
    const SLOTS_LOG: u32 = 10;
    if !repeats(count, WORD_SAMPLE, &word) {
        return None;
    }
    let mut slots = [None; 1 << SLOTS_LOG];
    let mut values = Vec::with_capacity(BYTE_VALUES_MAX);
    let mut codes = Vec::with_capacity(count);
    for index in 0..count {
        let word = word(index);
        // Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, 6.4
        let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS_LOG);
        let mut at = usize::try_from(hash).ok()?;
        codes.push(loop {
            match slots.get_mut(at)? {
                Some((known, code)) if *known == word => break *code,
                Some(_) => at = (at + 1) % slots.len(),
                free => {
                    let code = u8::try_from(values.len()).ok()?;
                    *free = Some((word, code));
                    values.push(word);
                    break code;
                }
            }
        });
    }
    Some(Codes { values, codes })
}

/// Makes a dictionary of texts; `None` if there are too many.
pub(crate) fn of_texts<'a>(texts: &Texts<'a>) -> Option<Codes<&'a [u8]>> {
    /// The codes of recent texts by their first bytes, which spares most searches.
    #[derive(Clone, Copy)]
    struct Recent {
        word: u64,
        bytes: usize,
        code: u16,
    }
    let count = texts.len();
    if !repeats(count, TEXT_SAMPLE, |index| texts.get(index)) {
        return None;
    }
    let state = ahash::RandomState::new();
    let hash = |text: &[u8]| state.hash_one(text);
    let mut table: HashTable<u16> = HashTable::new();
    let mut values: Vec<&[u8]> = Vec::new();
    let mut codes: Vec<u16> = Vec::with_capacity(count);
    let mut recent = [Recent { word: 0, bytes: usize::MAX, code: 0 }; 256];
    for index in 0..count {
        let (text, word) = (texts.get(index), texts.first_word(index));
        let mixed = (word ^ text.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        let slot = recent.get_mut(usize::try_from(mixed).ok()?)?;
        let known = |code: u16| values.get(usize::from(code)).copied();
        let is_recent = slot.word == word && slot.bytes == text.len();
        if is_recent && (text.len() <= WORD_BYTES || known(slot.code) == Some(text)) {
            codes.push(slot.code);
            continue;
        }
        let found = table.find(hash(text), |&code| known(code) == Some(text)).copied();
        let code = match found {
            Some(code) => code,
            None if values.len() == TEXTS_MAX => return None,
            None => {
                let code = u16::try_from(values.len()).ok()?;
                values.push(text);
                let rehash =
                    |&code: &u16| hash(values.get(usize::from(code)).copied().unwrap_or_default());
                table.insert_unique(hash(text), code, rehash);
                code
            }
        };
        *slot = Recent { word, bytes: text.len(), code };
        codes.push(code);
    }
    let bytes = match values.len() <= BYTE_VALUES_MAX {
        true => codes.iter().map(|code| code.to_le_bytes()[0]).collect(),
        false => codes.to_byte_slice().to_vec(),
    };
    Some(Codes { values, codes: bytes })
}

/// Returns whether a sample of the values has repetitions.
fn repeats<K: Ord>(count: usize, sample: (usize, usize), value: impl Fn(usize) -> K) -> bool {
    let (sample, repetitions) = sample;
    if count < RECORDS_MIN {
        return false;
    }
    let taken = sample.min(count);
    let mut values: Vec<K> = (0..taken).map(|index| value(index * count / taken)).collect();
    values.sort_unstable();
    values.dedup();
    (taken - values.len()) * sample >= repetitions * taken
}

/// Reads the number of values of a dictionary.
pub(crate) fn read_count(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    match varint::read_usize(reader) {
        Some(count @ 1..=VALUES_MAX) => Ok(count),
        _ => malformed("the count of a dictionary"),
    }
}

/// The codes of records, each of which is below the number of values.
pub(crate) enum CodesRead<'a> {
    One(&'a [u8]),
    Two(&'a [[u8; 2]]),
}

impl<'a> CodesRead<'a> {
    /// Reads the codes of `count` records in a dictionary of `values` values.
    pub(crate) fn read(
        values: usize,
        count: usize,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        let width = if values <= BYTE_VALUES_MAX { 1 } else { 2 };
        let bytes = count.checked_mul(width).and_then(|bytes| reader.bytes(bytes));
        let Some(bytes) = bytes else { return malformed("codes that are cut off") };
        let (codes, max) = match width {
            1 => (Self::One(bytes), bytes.iter().copied().max().map(u16::from)),
            _ => {
                let codes = bytes.as_chunks().0;
                (Self::Two(codes), codes.iter().map(|code| u16::from_le_bytes(*code)).max())
            }
        };
        match max {
            Some(max) if usize::from(max) >= values => malformed("a code without a value"),
            _ => Ok(codes),
        }
    }

    /// Returns what `value` makes of each code.
    pub(crate) fn map<T>(&self, value: impl Fn(usize) -> T) -> Vec<T> {
        match self {
            Self::One(codes) => codes.iter().map(|code| value(usize::from(*code))).collect(),
            Self::Two(codes) => {
                codes.iter().map(|code| value(usize::from(u16::from_le_bytes(*code)))).collect()
            }
        }
    }

    /// Calls `take` with each code.
    pub(crate) fn for_each(&self, mut take: impl FnMut(usize)) {
        match self {
            Self::One(codes) => codes.iter().for_each(|code| take(usize::from(*code))),
            Self::Two(codes) => {
                codes.iter().for_each(|code| take(usize::from(u16::from_le_bytes(*code))));
            }
        }
    }
}

/// Reads the codes of `count` records, and returns their values.
pub(crate) fn gather<T: ArrowNativeType>(
    values: &[T],
    count: usize,
    reader: &mut Reader<'_>,
) -> Result<ScalarBuffer<T>, DecodeError> {
    let codes = CodesRead::read(values.len(), count, reader)?;
    Ok(codes.map(|code| values.get(code).copied().unwrap_or_default()).into())
}
