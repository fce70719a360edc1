//! Numbers and dates out of the bytes of a field, eight bytes at a time; anything that is not
//! exactly one is `None`.
//!
//! A `window` starts at the field and goes on to the end of the block's memory, so that eight bytes
//! can be loaded even where the field is shorter; it is never shorter than the field.

use super::storage::{ByteOrder, Place, Sign, SignKind};
use crate::calendar::days_since_epoch;
use crate::digits::{EBCDIC, eight_digits, unzone};

/// The first eight bytes; after the window's end they are 0.
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

/// The first `length % 8` digits, zeros put before them.
#[inline]
fn head_digits<const ZEROS: u64>(window: &[u8], length: usize) -> Option<u64> {
    match length % 8 {
        0 => Some(0),
        head => {
            let text = u64::from_le_bytes(load(window));
            eight_digits::<ZEROS>(text << (8 * (8 - head)) | ZEROS >> (8 * head))
        }
    }
}

/// An unsigned number of at most 18 decimal digits.
#[inline]
pub(super) fn digits<const ZEROS: u64>(window: &[u8], length: usize) -> Option<i64> {
    let mut value = head_digits::<ZEROS>(window, length)?;
    for eight in window.get(length % 8..length)?.as_chunks::<8>().0 {
        value = value
            .wrapping_mul(100_000_000)
            .wrapping_add(eight_digits::<ZEROS>(u64::from_le_bytes(*eight))?);
    }
    Some(value.cast_signed())
}

/// An unsigned number of at most 38 decimal digits.
pub(super) fn digits_wide<const ZEROS: u64>(window: &[u8], length: usize) -> Option<i128> {
    let mut value = i128::from(head_digits::<ZEROS>(window, length)?);
    for eight in window.get(length % 8..length)?.as_chunks::<8>().0 {
        value =
            value * 100_000_000 + i128::from(eight_digits::<ZEROS>(u64::from_le_bytes(*eight))?);
    }
    Some(value)
}

/// A zoned decimal in its two parts: the sign, with the digit that it is part of, and the others.
struct Signed<'a> {
    negative: bool,
    digit: u8,
    /// A window of the other digits.
    rest: &'a [u8],
}

impl<'a> Signed<'a> {
    #[inline]
    fn new<const ZEROS: u64>(window: &'a [u8], length: usize, sign: Sign) -> Option<Self> {
        let (at, rest) = match sign.place {
            Place::Leading => (0, 1),
            Place::Trailing => (length.checked_sub(1)?, 0),
        };
        let byte = *window.get(at)?;
        let (digit, negative) = match ZEROS {
            EBCDIC => ebcdic_sign(byte, sign.kind),
            _ => ascii_sign(byte, sign.kind),
        }?;
        Some(Self { negative, digit, rest: window.get(rest..)? })
    }
}

/// The digit that a sign is part of, 0 where it is none, and whether the number is negative.
#[inline]
fn ascii_sign(byte: u8, kind: SignKind) -> Option<(u8, bool)> {
    match (kind, byte) {
        (SignKind::Separate, b'+') => Some((0, false)),
        (SignKind::Separate, b'-') => Some((0, true)),
        (SignKind::Separate, _) => None,
        (_, b'0'..=b'9') => Some((byte - b'0', false)),
        (SignKind::Overpunch, b'p'..=b'y') => Some((byte - b'p', true)),
        (SignKind::EbcdicOverpunch, b'{') => Some((0, false)),
        (SignKind::EbcdicOverpunch, b'A'..=b'I') => Some((byte - b'A' + 1, false)),
        (SignKind::EbcdicOverpunch, b'}') => Some((0, true)),
        (SignKind::EbcdicOverpunch, b'J'..=b'R') => Some((byte - b'J' + 1, true)),
        _ => None,
    }
}

/// Reads a sign as [`ascii_sign`] does. Zones C and F are plus, D is minus.
#[inline]
fn ebcdic_sign(byte: u8, kind: SignKind) -> Option<(u8, bool)> {
    match (kind, byte) {
        (SignKind::Separate, 0x4E) => Some((0, false)),
        (SignKind::Separate, 0x60) => Some((0, true)),
        (SignKind::Separate, _) => None,
        (_, 0xC0..=0xC9 | 0xF0..=0xF9) => Some((byte & 0x0F, false)),
        (_, 0xD0..=0xD9) => Some((byte & 0x0F, true)),
        _ => None,
    }
}

/// A zoned decimal of at most 18 digits.
#[inline]
pub(super) fn zoned<const ZEROS: u64>(window: &[u8], length: usize, sign: Sign) -> Option<i64> {
    let Signed { negative, digit, rest } = Signed::new::<ZEROS>(window, length, sign)?;
    let others = digits::<ZEROS>(rest, length - 1)?;
    let value = match sign {
        Sign { kind: SignKind::Separate, .. } => others,
        Sign { place: Place::Trailing, .. } => others * 10 + i64::from(digit),
        Sign { place: Place::Leading, .. } => i64::from(digit) * power_of_ten(length - 1) + others,
    };
    Some(if negative { -value } else { value })
}

/// A zoned decimal of at most 38 digits.
pub(super) fn zoned_wide<const ZEROS: u64>(
    window: &[u8],
    length: usize,
    sign: Sign,
) -> Option<i128> {
    let Signed { negative, digit, rest } = Signed::new::<ZEROS>(window, length, sign)?;
    let others = digits_wide::<ZEROS>(rest, length - 1)?;
    let value = match sign {
        Sign { kind: SignKind::Separate, .. } => others,
        Sign { place: Place::Trailing, .. } => others * 10 + i128::from(digit),
        Sign { place: Place::Leading, .. } => {
            i128::from(digit) * wide_power_of_ten(length - 1) + others
        }
    };
    Some(if negative { -value } else { value })
}

#[inline]
fn power_of_ten(exponent: usize) -> i64 {
    u32::try_from(exponent).map_or(0, |exponent| 10_i64.pow(exponent))
}

fn wide_power_of_ten(exponent: usize) -> i128 {
    u32::try_from(exponent).map_or(0, |exponent| 10_i128.pow(exponent))
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

/// Returns whether the last half byte of a packed decimal says negative.
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
    let (last, body) = window.get(..length)?.split_last()?;
    let negative = packed_sign(*last)?;
    let tens = unsigned_packed_wide(body, body.len())?;
    let value = tens * 10 + i128::from(packed_digits(u64::from(*last >> 4))?);
    Some(if negative { -value } else { value })
}

/// A packed decimal without sign of at most 8 bytes, which are 16 digits.
#[inline]
pub(super) fn unsigned_packed(window: &[u8], length: usize) -> Option<i64> {
    let bytes = u64::from_be_bytes(load(window)) >> (8 * (8 - length));
    packed_digits(bytes).map(u64::cast_signed)
}

/// A packed decimal without sign of at most 19 bytes, which are 38 digits.
pub(super) fn unsigned_packed_wide(window: &[u8], length: usize) -> Option<i128> {
    let mut value = 0;
    // only the first chunk is shorter than eight bytes
    for chunk in window.get(..length)?.rchunks(8).rev() {
        let chunk = u64::from_be_bytes(load(chunk)) >> (8 * (8 - chunk.len()));
        value = value * 10_000_000_000_000_000 + i128::from(packed_digits(chunk)?);
    }
    Some(value)
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
pub(super) fn date<const ZEROS: u64>(window: &[u8]) -> Option<i32> {
    let digits = unzone::<ZEROS>(u64::from_le_bytes(*window.first_chunk()?))?;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let [century, _, year, _, month, _, day, _] = pairs.to_le_bytes();
    days_since_epoch(century, year, month, day)
}

/// An IBM hexadecimal float of 4 or 8 bytes, as the nearest binary float: a sign, seven bits of an
/// exponent of 16 with 64 added, then the fraction. A fraction of 56 bits may have three more than
/// binary floats; those are rounded to even. No exponent is out of range.
///
/// Source: IBM z/Architecture Principles of Operation, 'Hexadecimal-Floating-Point Instructions'.
#[inline]
pub(super) fn hex_float(window: &[u8], length: usize, order: ByteOrder) -> f64 {
    // the short format is the long one with zeros after it
    let bits = unsigned(window, length, order) << (8 * (8 - length));
    let fraction = bits & 0x00FF_FFFF_FFFF_FFFF;
    let exponent = bits >> 56 & 0x7F;
    // the fraction counts units of 2^-56; 4 * (exponent - 64) - 56 is never below -312
    let scale = f64::from_bits((1023 + 4 * exponent - 4 * 64 - 56) << 52);
    #[expect(clippy::cast_precision_loss, reason = "rounded to the nearest")]
    let value = fraction as f64 * scale;
    if bits >> 63 == 0 { value } else { -value }
}
