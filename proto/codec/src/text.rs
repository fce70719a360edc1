//! Texts and binary values: narrow lengths and their bytes, a common prefix once, or a dictionary.

use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::decode::{Budget, DecodeError, malformed};
use crate::dictionary::{self, CodesRead};
use crate::integer::{decode_lengths, encode_lengths, validity};
use crate::reader::Reader;
use crate::varint;
use crate::{Form, Nulls};

/// The number of bytes that [`Texts::first_word`] shows.
pub(crate) const WORD_BYTES: usize = 8;

/// The length up to which a text of a dictionary is copied as a block of this size.
const BLOCK_BYTES: usize = 16;

/// The minimal length of a prefix: it has to pay for copying text by text.
const PREFIX_BYTES_MIN: usize = 4;

/// Texts or binary values of a column. NULL is an empty one.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    offsets: &'a [i32],
    bytes: &'a [u8],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Texts<'a> {
    /// `offsets` ascend, and are within `bytes`.
    pub(crate) fn new(offsets: &'a [i32], bytes: &'a [u8], nulls: Option<&'a NullBuffer>) -> Self {
        Self { offsets, bytes, nulls }
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Returns where a text starts and ends.
    fn range(&self, index: usize) -> (usize, usize) {
        let offset =
            |index: usize| self.offsets.get(index).map_or(0, |&offset| offset.cast_unsigned());
        let (start, end) = (offset(index), offset(index + 1));
        match self.nulls {
            Some(nulls) if index < nulls.len() && nulls.is_null(index) => {
                (start as usize, start as usize)
            }
            _ => (start as usize, end as usize),
        }
    }

    pub(crate) fn get(&self, index: usize) -> &'a [u8] {
        let (start, end) = self.range(index);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Returns the first eight bytes of a text as a number, with zeros after its end.
    pub(crate) fn first_word(&self, index: usize) -> u64 {
        let (start, end) = self.range(index);
        match self.bytes.get(start..).and_then(<[u8]>::first_chunk) {
            Some(chunk) => match u64::from_le_bytes(*chunk) {
                word if end - start >= WORD_BYTES => word,
                word => word & !(u64::MAX << (8 * (end - start))),
            },
            None => {
                let bytes = self.bytes.get(start..end).unwrap_or_default();
                bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
            }
        }
    }

    fn lengths(&self) -> impl Iterator<Item = u32> + Clone + use<'a> {
        let texts = *self;
        (0..self.len()).map(move |index| {
            let (start, end) = texts.range(index);
            u32::try_from(end - start).unwrap_or(u32::MAX)
        })
    }

    /// Returns the bytes of all texts, without NULLs.
    pub(crate) fn bytes(&self) -> usize {
        match (self.nulls, self.len().checked_sub(1)) {
            (None, Some(last)) => self.range(last).1 - self.range(0).0,
            _ => self.lengths().map(|length| length as usize).sum(),
        }
    }

    /// Returns the length of the prefix that all texts have.
    fn prefix(&self) -> usize {
        let first = self.get(0);
        let common = |text: &[u8]| first.iter().zip(text).take_while(|(a, b)| a == b).count();
        let mut prefix = first.len();
        for index in 1..self.len() {
            if prefix < PREFIX_BYTES_MIN {
                return 0;
            }
            let text = self.get(index);
            if text.get(..prefix) != first.get(..prefix) {
                prefix = common(text);
            }
        }
        prefix
    }
}

/// Appends a section of texts. At least one is not NULL.
pub(crate) fn encode(texts: &Texts<'_>, out: &mut Vec<u8>) {
    let nulls = if texts.nulls.is_some() { Nulls::Some } else { Nulls::None };
    let bytes = texts.bytes();
    if let Some(codes) = dictionary::of_texts(texts) {
        let of_values: usize = codes.values.iter().map(|value| value.len() + 1).sum();
        // a text without a dictionary takes at least a byte for its length
        if of_values + codes.codes.len() < (bytes + texts.len()) / 8 * 7 {
            out.push(Form::Dictionary.tag(nulls));
            validity(texts.nulls, out);
            varint::write(codes.values.len() as u128, out);
            let length = |value: &&[u8]| u32::try_from(value.len()).unwrap_or(u32::MAX);
            encode_lengths(codes.values.iter().map(length), out);
            codes.values.iter().for_each(|value| out.extend_from_slice(value));
            out.extend_from_slice(&codes.codes);
            return;
        }
    }
    let prefix = if texts.nulls.is_none() && texts.len() > 1 { texts.prefix() } else { 0 };
    if prefix >= PREFIX_BYTES_MIN {
        out.push(Form::Prefix.tag(Nulls::None));
        varint::write(prefix as u128, out);
        out.extend(texts.get(0).iter().take(prefix));
        let without = |length: u32| length - u32::try_from(prefix).unwrap_or(length);
        encode_lengths(texts.lengths().map(without), out);
        for index in 0..texts.len() {
            out.extend_from_slice(texts.get(index).get(prefix..).unwrap_or_default());
        }
        return;
    }
    out.push(Form::Plain.tag(nulls));
    validity(texts.nulls, out);
    encode_lengths(texts.lengths(), out);
    let (start, end) = (texts.range(0).0, texts.range(texts.len() - 1).1);
    match texts.bytes.get(start..end) {
        Some(together) if together.len() == bytes => out.extend_from_slice(together),
        _ => (0..texts.len()).for_each(|index| out.extend_from_slice(texts.get(index))),
    }
}

/// The offsets and the bytes of decoded texts.
pub(crate) type Decoded = (OffsetBuffer<i32>, Buffer);

/// Reads the values of a section of texts.
pub(crate) fn decode(
    form: Form,
    count: usize,
    reader: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<Decoded, DecodeError> {
    budget.take(count, size_of::<i32>())?;
    match form {
        Form::Plain => {
            let offsets = offsets(decode_lengths(count, reader)?.into_iter(), count, 0, budget)?;
            let total = offsets.last().map_or(0, |&total| total.cast_unsigned()) as usize;
            let Some(bytes) = reader.bytes(total) else { return cut_off() };
            Ok((offsets, Buffer::from(bytes)))
        }
        Form::Prefix => {
            let prefix = varint::read_usize(reader).and_then(|bytes| reader.bytes(bytes));
            let Some(prefix) = prefix else { return cut_off() };
            let lengths = decode_lengths(count, reader)?;
            let offsets = offsets(lengths.iter().copied(), count, prefix.len(), budget)?;
            let total = offsets.last().map_or(0, |&total| total.cast_unsigned()) as usize;
            let mut bytes = Vec::with_capacity(total);
            for length in lengths {
                let Some(rest) = reader.bytes(length as usize) else { return cut_off() };
                bytes.extend_from_slice(prefix);
                bytes.extend_from_slice(rest);
            }
            Ok((offsets, bytes.into()))
        }
        Form::Dictionary => decode_dictionary(count, reader, budget),
        Form::Narrow | Form::Decimal | Form::Delta => malformed("a form that texts do not have"),
    }
}

fn decode_dictionary(
    count: usize,
    reader: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<Decoded, DecodeError> {
    let values = dictionary::read_count(reader)?;
    let lengths = decode_lengths(values, reader)?;
    let mut texts: Vec<&[u8]> = Vec::with_capacity(values);
    for length in &lengths {
        let Some(text) = reader.bytes(*length as usize) else { return cut_off() };
        texts.push(text);
    }
    let codes = CodesRead::read(values, count, reader)?;
    let length_of = codes.map(|code| lengths.get(code).copied().unwrap_or_default());
    let offsets = offsets(length_of.into_iter(), count, 0, budget)?;
    let total = offsets.last().map_or(0, |&total| total.cast_unsigned()) as usize;
    let longest = lengths.iter().copied().max().unwrap_or_default() as usize;
    let mut bytes = Vec::new();
    if longest <= BLOCK_BYTES {
        // a block is copied faster than as many bytes as a text has
        let block = |text: &&[u8]| {
            let mut block = [0; BLOCK_BYTES];
            block.iter_mut().zip(*text).for_each(|(to, from)| *to = *from);
            (block, text.len())
        };
        let blocks: Vec<_> = texts.iter().map(block).collect();
        bytes.resize(total + BLOCK_BYTES, 0);
        let mut at = 0;
        codes.for_each(|code| {
            if let Some((block, length)) = blocks.get(code)
                && let Some(slot) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut)
            {
                *slot = *block;
                at += length;
            }
        });
        bytes.truncate(total);
    } else {
        bytes.reserve_exact(total);
        codes
            .for_each(|code| bytes.extend_from_slice(texts.get(code).copied().unwrap_or_default()));
    }
    Ok((offsets, bytes.into()))
}

/// Reads the texts of a dictionary, and the code of each record.
pub(crate) fn decode_codes(
    count: usize,
    reader: &mut Reader<'_>,
    budget: &mut Budget,
) -> Result<(Vec<i32>, Decoded), DecodeError> {
    let values = dictionary::read_count(reader)?;
    budget.take(values, size_of::<i32>())?;
    let lengths = decode_lengths(values, reader)?;
    let offsets = offsets(lengths.into_iter(), values, 0, budget)?;
    let total = offsets.last().map_or(0, |&total| total.cast_unsigned()) as usize;
    let Some(bytes) = reader.bytes(total) else { return cut_off() };
    budget.take(count, size_of::<i32>())?;
    let codes = CodesRead::read(values, count, reader)?;
    let codes = codes.map(|code| i32::try_from(code).unwrap_or(i32::MAX));
    Ok((codes, (offsets, Buffer::from(bytes))))
}

/// Returns the offsets of texts, each `more` bytes longer than its length says.
fn offsets(
    lengths: impl Iterator<Item = u32>,
    count: usize,
    more: usize,
    budget: &mut Budget,
) -> Result<OffsetBuffer<i32>, DecodeError> {
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    let mut total = 0_u64;
    let mut offsets = Vec::with_capacity(count + 1);
    offsets.push(0);
    for length in lengths {
        total = total.saturating_add(u64::from(length)).saturating_add(more);
        // the budget is far below the largest offset
        offsets.push(i32::try_from(total).unwrap_or(i32::MAX));
    }
    budget.take(usize::try_from(total).unwrap_or(usize::MAX), 1)?;
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn cut_off<T>() -> Result<T, DecodeError> {
    malformed("texts that are cut off")
}
