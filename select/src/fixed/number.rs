//! Numbers and dates out of the bytes of a field, eight bytes at a time; anything that is not exactly
//! one is `None`.
//!
//! A `window` starts at the field and goes on to the end of the block's memory, so that eight bytes
//! can be loaded even where the field is shorter; it is never shorter than the field.
//!
//! The eight digits at once are the well-known multiplication of Johnny Lee and Daniel Lemire
//! ("Quickly parsing eight digits", 2018), with each byte checked to be a digit before.

use crate::calendar::days_since_epoch;

use super::{ByteOrder, Sign};

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The first eight bytes; behind the window's end they are 0.
#[inline]
fn load(window: &[u8]) -> [u8; 8] {
    match window.first_chunk() {
        Some(bytes) => *bytes,
        None => load_short(window),
    }
}

#[cold]
fn load_short(window: &[u8]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..window.len()].copy_from_slice(window);
    bytes
}

/// Each byte, ASCII digits all, as its number.
#[inline]
fn unzone(text: u64) -> Option<u64> {
    let digits = text ^ ZEROS;
    // a number above 9 carries into the upper half of its byte when 6 is added
    let other = (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0;
    (other == 0).then_some(digits)
}

/// Eight decimal digits, the first in the lowest byte.
#[inline]
fn eight_digits(text: u64) -> Option<u64> {
    let digits = unzone(text)?;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let upper = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some(upper.wrapping_add(lower) >> 32)
}

/// The first `length % 8` digits, '0' put before them.
#[inline]
fn head_digits(window: &[u8], length: usize) -> Option<u64> {
    match length % 8 {
        0 => Some(0),
        head => {
            let text = u64::from_le_bytes(load(window));
            eight_digits(text << (8 * (8 - head)) | ZEROS >> (8 * head))
        }
    }
}

/// An unsigned number of at most 18 decimal digits.
#[inline]
pub(super) fn digits(window: &[u8], length: usize) -> Option<i64> {
    let mut value = head_digits(window, length)?;
    for eight in window.get(length % 8..length)?.as_chunks::<8>().0 {
        value =
            value.wrapping_mul(100_000_000).wrapping_add(eight_digits(u64::from_le_bytes(*eight))?);
    }
    Some(value.cast_signed())
}

/// An unsigned number of at most 38 decimal digits.
pub(super) fn digits_wide(window: &[u8], length: usize) -> Option<i128> {
    let mut value = i128::from(head_digits(window, length)?);
    for eight in window.get(length % 8..length)?.as_chunks::<8>().0 {
        value = value * 100_000_000 + i128::from(eight_digits(u64::from_le_bytes(*eight))?);
    }
    Some(value)
}

/// The last digit of a zoned decimal and whether the number is negative.
#[inline]
fn signed_digit(byte: u8, sign: Sign) -> Option<(u8, bool)> {
    match (sign, byte) {
        (_, b'0'..=b'9') => Some((byte - b'0', false)),
        (Sign::Overpunch, b'p'..=b'y') => Some((byte - b'p', true)),
        (Sign::EbcdicOverpunch, b'{') => Some((0, false)),
        (Sign::EbcdicOverpunch, b'A'..=b'I') => Some((byte - b'A' + 1, false)),
        (Sign::EbcdicOverpunch, b'}') => Some((0, true)),
        (Sign::EbcdicOverpunch, b'J'..=b'R') => Some((byte - b'J' + 1, true)),
        _ => None,
    }
}

/// A zoned decimal of at most 18 digits.
#[inline]
pub(super) fn zoned(window: &[u8], length: usize, sign: Sign) -> Option<i64> {
    let (last, negative) = signed_digit(*window.get(length - 1)?, sign)?;
    let value = digits(window, length - 1)? * 10 + i64::from(last);
    Some(if negative { -value } else { value })
}

/// A zoned decimal of at most 38 digits.
pub(super) fn zoned_wide(window: &[u8], length: usize, sign: Sign) -> Option<i128> {
    let (last, negative) = signed_digit(*window.get(length - 1)?, sign)?;
    let value = digits_wide(window, length - 1)? * 10 + i128::from(last);
    Some(if negative { -value } else { value })
}

/// Sixteen packed digits, the first in the highest half byte.
#[inline]
fn packed_digits(packed: u64) -> Option<u64> {
    const EIGHTS: u64 = 0x8888_8888_8888_8888;
    // a half byte is above 9 where its 8 and its 4 or 2 are set
    if packed & EIGHTS & (packed << 1 | packed << 2) != 0 {
        return None;
    }
    let bytes = (packed >> 4 & 0x0F0F_0F0F_0F0F_0F0F) * 10 + (packed & 0x0F0F_0F0F_0F0F_0F0F);
    let pairs = (bytes >> 8 & 0x00FF_00FF_00FF_00FF) * 100 + (bytes & 0x00FF_00FF_00FF_00FF);
    let fours = (pairs >> 16 & 0x0000_FFFF_0000_FFFF) * 10_000 + (pairs & 0x0000_FFFF_0000_FFFF);
    Some((fours >> 32) * 100_000_000 + (fours & 0xFFFF_FFFF))
}

/// Whether the last half byte of a packed decimal says negative.
#[inline]
fn packed_sign(byte: u8) -> Option<bool> {
    match byte & 0x0F {
        0x0A | 0x0C | 0x0E | 0x0F => Some(false),
        0x0B | 0x0D => Some(true),
        _ => None,
    }
}

/// A packed decimal of at most 8 bytes, which are 15 digits.
#[inline]
pub(super) fn packed(window: &[u8], length: usize) -> Option<i64> {
    let bytes = u64::from_be_bytes(load(window)) >> (8 * (8 - length));
    let negative = packed_sign(bytes.to_le_bytes()[0])?;
    let value = packed_digits(bytes >> 4)?.cast_signed();
    Some(if negative { -value } else { value })
}

/// A packed decimal of at most 19 bytes, which are 37 digits.
pub(super) fn packed_wide(window: &[u8], length: usize) -> Option<i128> {
    let bytes = window.get(..length)?;
    let (last, body) = bytes.split_last()?;
    let negative = packed_sign(*last)?;
    let mut value = 0;
    // only the first chunk is shorter than eight bytes
    for chunk in body.rchunks(8).rev() {
        let chunk = u64::from_be_bytes(load(chunk)) >> (8 * (8 - chunk.len()));
        value = value * 10_000_000_000_000_000 + i128::from(packed_digits(chunk)?);
    }
    value = value * 10 + i128::from(packed_digits(u64::from(*last >> 4))?);
    Some(if negative { -value } else { value })
}

/// A two's complement number of 1 to 8 bytes.
#[inline]
pub(super) fn integer(window: &[u8], length: usize, order: ByteOrder) -> i64 {
    let unused = 8 * (8 - length);
    match order {
        ByteOrder::Little => (u64::from_le_bytes(load(window)) << unused).cast_signed() >> unused,
        ByteOrder::Big => i64::from_be_bytes(load(window)) >> unused,
    }
}

/// A number without a sign of 1 to 8 bytes.
#[inline]
pub(super) fn unsigned(window: &[u8], length: usize, order: ByteOrder) -> u64 {
    let unused = 8 * (8 - length);
    match order {
        ByteOrder::Little => (u64::from_le_bytes(load(window)) << unused) >> unused,
        ByteOrder::Big => u64::from_be_bytes(load(window)) >> unused,
    }
}

/// Days since 1970-01-01 of YYYYMMDD.
#[inline]
pub(super) fn date(window: &[u8]) -> Option<i32> {
    let digits = unzone(u64::from_le_bytes(*window.first_chunk()?))?;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let [century, _, year, _, month, _, day, _] = pairs.to_le_bytes();
    days_since_epoch(century, year, month, day)
}
