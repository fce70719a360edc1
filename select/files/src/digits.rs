//! Decimal digits as characters, eight at a time.
//!
//! The eight digits at once are the well-known multiplication of Johnny Lee and Daniel Lemire
//! ("Quickly parsing eight digits", 2018), with each byte checked to be a digit before.

/// Eight zeros as characters: what the functions over characters are generic in.
pub(crate) const ASCII: u64 = 0x3030_3030_3030_3030;

/// The zone bits of EBCDIC digits, for [`ASCII`]'s purpose.
pub(crate) const EBCDIC: u64 = 0xF0F0_F0F0_F0F0_F0F0;

/// Each byte, digits all, as its number.
#[inline(always)]
pub(crate) fn unzone<const ZEROS: u64>(text: u64) -> Option<u64> {
    let digits = text ^ ZEROS;
    // a number above 9 carries into the upper half of its byte when 6 is added
    let other = (digits | digits.wrapping_add(0x0606_0606_0606_0606)) & 0xF0F0_F0F0_F0F0_F0F0;
    (other == 0).then_some(digits)
}

/// Eight decimal digits, the first in the lowest byte.
#[inline(always)]
pub(crate) fn eight_digits<const ZEROS: u64>(text: u64) -> Option<u64> {
    let digits = unzone::<ZEROS>(text)?;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let upper = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some(upper.wrapping_add(lower) >> 32)
}

/// Eight digits in four pairs: byte `2 i` of the result is the number of pair `i`.
#[inline(always)]
pub(crate) fn pairs<const ZEROS: u64>(text: u64) -> Option<[u8; 8]> {
    let digits = unzone::<ZEROS>(text)?;
    Some(digits.wrapping_mul(10).wrapping_add(digits >> 8).to_le_bytes())
}

/// A text of at most eight bytes, the last in the highest byte, with zeros before it.
#[inline(always)]
pub(crate) fn last_eight(text: &[u8]) -> u64 {
    let length = text.len().min(8);
    // the parts overlap, and are equal where they do
    let word = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) << (64 - 8 * length) | u64::from(last) << 32
        }
        _ => {
            let [Some(first), Some(middle), Some(last)] =
                [0, length / 2, length.wrapping_sub(1)].map(|at| text.get(at).copied())
            else {
                return ASCII;
            };
            u64::from(first) << (64 - 8 * length)
                | u64::from(middle) << (56 - 8 * ((length - 1) / 2))
                | u64::from(last) << 56
        }
    };
    if length < 8 { word | ASCII >> (8 * length) } else { word }
}
