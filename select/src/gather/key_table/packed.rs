//! Keys whose values fit into a few words: one word for each column.
//!
//! The word of a number, a date, a time, or a text of up to seven bytes is the value itself. The
//! word of a longer text is its number among the longer texts. If some column has no unused word
//! for NULL, one additional word has a NULL bit for each column.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringBuilder,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt32Type,
};
use arrow::error::ArrowError;

use super::{KeyStore, Slots, Strings};
use sift_files::types::{TIMESTAMP, TextDictionary, text_dictionary};

/// The most words of a key.
const WORDS_MAX: usize = 4;

/// The most digits of a decimal that is one word.
const WORD_DIGITS_MAX: u8 = 18;

/// NULL, in columns that never have this word as a value.
const NULL: u64 = 1 << 63;

/// The highest byte of the word of a long text; the rest is the number of the text.
const LONG_TEXT: u64 = 0xFF << 56;

/// The most bytes of a text that is stored in its word; the highest byte has its length.
const SHORT_TEXT_BYTES_MAX: usize = 7;

/// Returns the number of words of keys of these types; `None` if they are too many, or if a type
/// has no fixed width.
pub(super) fn words_of(types: &[DataType]) -> Option<usize> {
    if !types.iter().all(is_packed) {
        return None;
    }
    let words = types.len() + usize::from(types.iter().any(is_full));
    (1..=WORDS_MAX).contains(&words).then_some(words)
}

fn is_packed(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal128(precision, _) => *precision <= WORD_DIGITS_MAX,
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt32
        | DataType::Date32
        | DataType::Float32
        | DataType::Utf8 => true,
        data_type => is_full(data_type),
    }
}

/// Returns whether every word may be a value.
fn is_full(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::Float64) || *data_type == TIMESTAMP
}

/// The most keys of a batch that are found again without a keyed hash; a power of two.
const RECENT_KEYS: usize = 64;

/// The number of no key. If there is a key of this number, it is looked up each time.
const NO_NUMBER: u32 = u32::MAX;

/// Keys of `W` words.
#[derive(Debug)]
pub(super) struct PackedKeys<const W: usize> {
    types: Vec<DataType>,
    slots: Slots,
    keys: Vec<[u64; W]>,
    /// The texts that do not fit into a word.
    texts: Strings,
    /// The keys of one batch; the buffer is reused.
    batch: Vec<[u64; W]>,
}

impl<const W: usize> PackedKeys<W> {
    /// Makes an empty table for types that have `W` [words](words_of).
    pub(super) fn new(types: Vec<DataType>) -> Self {
        let (slots, texts) = (Slots::default(), Strings::default());
        Self { types, slots, keys: Vec::new(), texts, batch: Vec::new() }
    }

    /// Writes the words of a column.
    fn pack(&mut self, column: usize, array: &ArrayRef) -> Result<(), ArrowError> {
        macro_rules! pack {
            ($type:ty, $word:expr) => {{
                let values = array.as_primitive::<$type>().values();
                for (key, value) in self.batch.iter_mut().zip(values) {
                    key[column] = $word(*value);
                }
            }};
        }
        let narrow = |value: i32| u64::from(value.cast_unsigned());
        match &self.types[column] {
            DataType::Boolean => {
                let values = array.as_boolean().values();
                for (key, value) in self.batch.iter_mut().zip(values) {
                    key[column] = u64::from(value);
                }
            }
            DataType::Int8 => pack!(Int8Type, |value: i8| narrow(value.into())),
            DataType::Int16 => pack!(Int16Type, |value: i16| narrow(value.into())),
            DataType::Int32 => pack!(Int32Type, narrow),
            DataType::Date32 => pack!(Date32Type, narrow),
            DataType::UInt32 => pack!(UInt32Type, u64::from),
            DataType::Float32 => pack!(Float32Type, |value: f32| u64::from(value.to_bits())),
            DataType::Float64 => pack!(Float64Type, f64::to_bits),
            DataType::Int64 => pack!(Int64Type, i64::cast_unsigned),
            DataType::Timestamp(..) => pack!(TimestampMicrosecondType, i64::cast_unsigned),
            DataType::Decimal128(..) => self.pack_digits(column, array)?,
            _ => match text_dictionary(array) {
                Some(dictionary) => self.pack_dictionary(column, dictionary)?,
                None => self.pack_texts(column, array)?,
            },
        }
        let Some(nulls) = array.nulls() else { return Ok(()) };
        let is_full = is_full(&self.types[column]);
        for row in (!nulls.inner()).set_indices() {
            let key = &mut self.batch[row];
            key[column] = if is_full { 0 } else { NULL };
            if is_full {
                key[W - 1] |= 1 << column;
            }
        }
        Ok(())
    }

    fn pack_digits(&mut self, column: usize, array: &ArrayRef) -> Result<(), ArrowError> {
        let array = array.as_primitive::<Decimal128Type>();
        for (row, (key, digits)) in self.batch.iter_mut().zip(array.values()).enumerate() {
            key[column] = match i64::try_from(*digits).map(i64::cast_unsigned) {
                // the value in place of NULL may be any digits
                _ if array.is_null(row) => NULL,
                Ok(word) if word != NULL => word,
                _ => {
                    let text = format!("{digits} has more than {WORD_DIGITS_MAX} digits");
                    return Err(ArrowError::InvalidArgumentError(text));
                }
            };
        }
        Ok(())
    }

    fn pack_texts(&mut self, column: usize, array: &ArrayRef) -> Result<(), ArrowError> {
        let texts = array.as_string::<i32>();
        let (bytes, mut ends) = (texts.value_data(), texts.value_offsets().iter());
        let offset = |end: &i32| usize::try_from(*end).unwrap_or(0);
        let mut start = ends.next().map_or(0, offset);
        for (row, (key, end)) in self.batch.iter_mut().zip(ends.map(offset)).enumerate() {
            key[column] = match short_text(&bytes[start..], end - start) {
                Some(word) => word,
                None if texts.is_null(row) => NULL,
                None => LONG_TEXT | u64::from(self.texts.intern(&bytes[start..end])?),
            };
            start = end;
        }
        Ok(())
    }

    /// Writes the words of the texts, each made once; NULL gets its word later.
    fn pack_dictionary(
        &mut self,
        column: usize,
        dictionary: &TextDictionary,
    ) -> Result<(), ArrowError> {
        let texts = dictionary.values().as_string::<i32>();
        let numbers = dictionary.keys();
        let mut words = vec![None; texts.len()];
        for (row, (key, number)) in self.batch.iter_mut().zip(numbers.values()).enumerate() {
            let number = usize::try_from(*number).unwrap_or(usize::MAX);
            key[column] = match words.get(number) {
                Some(Some(word)) => *word,
                // only a text that a record has is kept
                Some(None) if numbers.is_valid(row) => {
                    let bytes = texts.value(number).as_bytes();
                    let word = match short_text(bytes, bytes.len()) {
                        Some(word) => word,
                        None => LONG_TEXT | u64::from(self.texts.intern(bytes)?),
                    };
                    words[number] = Some(word);
                    word
                }
                _ => NULL,
            };
        }
        Ok(())
    }

    /// Appends the numbers of the keys of the batch, of which few are distinct.
    fn intern_few(&mut self, numbers: &mut Vec<u32>) -> Result<(), ArrowError> {
        let mut recent = [([0; W], NO_NUMBER); RECENT_KEYS];
        for key in &self.batch {
            let place = &mut recent[recent_place(key)];
            if place.1 == NO_NUMBER || place.0 != *key {
                *place = (*key, intern_key(&mut self.slots, &mut self.keys, key)?);
            }
            numbers.push(place.1);
        }
        Ok(())
    }

    /// Returns the values of a column of some keys.
    #[expect(clippy::cast_possible_truncation, reason = "such a word came from such a value")]
    fn unpack(&self, column: usize, keys: &[u32]) -> Result<ArrayRef, ArrowError> {
        let data_type = &self.types[column];
        let is_full = is_full(data_type);
        let words = keys.iter().map(|key| {
            let key = &self.keys[*key as usize];
            let is_null = if is_full { key[W - 1] >> column & 1 == 1 } else { key[column] == NULL };
            (!is_null).then_some(key[column])
        });
        Ok(match data_type {
            DataType::Boolean => {
                Arc::new(words.map(|word| word.map(|word| word != 0)).collect::<BooleanArray>())
            }
            DataType::Int8 => primitive::<Int8Type>(words, data_type, |word| narrow(word) as i8),
            DataType::Int16 => primitive::<Int16Type>(words, data_type, |word| narrow(word) as i16),
            DataType::Int32 => primitive::<Int32Type>(words, data_type, narrow),
            DataType::Date32 => primitive::<Date32Type>(words, data_type, narrow),
            DataType::UInt32 => {
                primitive::<UInt32Type>(words, data_type, |word| narrow(word).cast_unsigned())
            }
            DataType::Float32 => primitive::<Float32Type>(words, data_type, |word| {
                f32::from_bits(narrow(word).cast_unsigned())
            }),
            DataType::Float64 => primitive::<Float64Type>(words, data_type, f64::from_bits),
            DataType::Int64 => primitive::<Int64Type>(words, data_type, u64::cast_signed),
            DataType::Timestamp(..) => {
                primitive::<TimestampMicrosecondType>(words, data_type, u64::cast_signed)
            }
            DataType::Decimal128(..) => {
                primitive::<Decimal128Type>(words, data_type, |word| i128::from(word.cast_signed()))
            }
            _ => self.unpack_texts(words)?,
        })
    }

    fn unpack_texts(
        &self,
        words: impl ExactSizeIterator<Item = Option<u64>>,
    ) -> Result<ArrayRef, ArrowError> {
        let rows = words.len();
        let mut texts = StringBuilder::with_capacity(rows, rows * SHORT_TEXT_BYTES_MAX);
        for word in words {
            let Some(word) = word else {
                texts.append_null();
                continue;
            };
            let bytes = word.to_le_bytes();
            let text = match word & LONG_TEXT {
                LONG_TEXT => self.texts.at(narrow(word).cast_unsigned()),
                _ => &bytes[..usize::from(bytes[SHORT_TEXT_BYTES_MAX])],
            };
            texts.append_value(std::str::from_utf8(text)?);
        }
        Ok(Arc::new(texts.finish()))
    }
}

impl<const W: usize> KeyStore for PackedKeys<W> {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn intern(&mut self, columns: &[ArrayRef], numbers: &mut Vec<u32>) -> Result<(), ArrowError> {
        let rows = columns.first().map_or(0, |column| column.len());
        self.batch.clear();
        self.batch.resize(rows, [0; W]);
        for (column, array) in columns.iter().enumerate() {
            self.pack(column, array)?;
        }
        numbers.reserve(rows);
        if self.keys.len() <= RECENT_KEYS {
            return self.intern_few(numbers);
        }
        let Self { slots, keys, batch, .. } = self;
        // neighbouring keys are often equal
        let mut last: Option<(&[u64; W], u32)> = None;
        for key in &*batch {
            let number = match last {
                Some((last, number)) if last == key => number,
                _ => intern_key(slots, keys, key)?,
            };
            last = Some((key, number));
            numbers.push(number);
        }
        Ok(())
    }

    fn columns(&self, keys: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        (0..self.types.len()).map(|column| self.unpack(column, keys)).collect()
    }

    fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
            + self.keys.capacity() * size_of::<[u64; W]>()
            + self.texts.memory_bytes()
    }
}

/// Returns the number of a key, which is added if it is new.
// inlined into both loops, as a call for each key would be felt where there are many
#[inline(always)]
fn intern_key<const W: usize>(
    slots: &mut Slots,
    keys: &mut Vec<[u64; W]>,
    key: &[u64; W],
) -> Result<u32, ArrowError> {
    let mut hasher = slots.hasher.build_hasher();
    key.iter().for_each(|word| hasher.write_u64(*word));
    let number = slots.number(hasher.finish(), keys.len(), |number| keys[number] == *key)?;
    if number as usize == keys.len() {
        keys.push(*key);
    }
    Ok(number)
}

/// Returns where a key is among the recent ones.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "only the highest bits are left")]
fn recent_place<const W: usize>(key: &[u64; W]) -> usize {
    // multiplies by the golden ratio, which spreads neighbouring words
    let spread = |mixed: u64, word: &u64| (mixed ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (key.iter().fold(0, spread) >> (u64::BITS - RECENT_KEYS.ilog2())) as usize
}

/// Returns the word of the text in the first `length` of these bytes, if it is short enough.
#[inline]
fn short_text(bytes: &[u8], length: usize) -> Option<u64> {
    if length > SHORT_TEXT_BYTES_MAX {
        return None;
    }
    let word = match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => {
            let mut eight = [0; 8];
            eight[..length].copy_from_slice(&bytes[..length]);
            u64::from_le_bytes(eight)
        }
    };
    let text = word & ((1 << (8 * length)) - 1);
    Some(text | (length as u64) << (8 * SHORT_TEXT_BYTES_MAX))
}

/// Returns the number in the lower half of a word.
#[expect(clippy::cast_possible_truncation, reason = "the rest is a mark or nothing")]
fn narrow(word: u64) -> i32 {
    (word as u32).cast_signed()
}

fn primitive<T: ArrowPrimitiveType>(
    words: impl Iterator<Item = Option<u64>>,
    data_type: &DataType,
    value: impl Fn(u64) -> T::Native,
) -> ArrayRef {
    let values: PrimitiveArray<T> = words.map(|word| word.map(&value)).collect();
    Arc::new(values.with_data_type(data_type.clone()))
}
