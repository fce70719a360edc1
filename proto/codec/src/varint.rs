//! Numbers of variable length: LEB128 with up to 128 bits, and its zigzag form for signed numbers.

use crate::reader::Reader;

/// The maximal length of a varint: 128 bits, seven in each byte.
const BYTES_MAX: usize = 19;

/// Appends an unsigned number.
pub(crate) fn write(mut number: u128, out: &mut Vec<u8>) {
    while let rest @ 1.. = number >> 7 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number = rest;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a signed number.
pub(crate) fn write_signed(number: i128, out: &mut Vec<u8>) {
    write(((number << 1) ^ (number >> 127)).cast_unsigned(), out);
}

/// Reads an unsigned number; `None` if the bytes end within it, or it has more than 128 bits.
pub(crate) fn read(reader: &mut Reader<'_>) -> Option<u128> {
    let mut number = 0;
    for index in 0..BYTES_MAX {
        let byte = reader.byte()?;
        let bits = u128::from(byte & 0x7f);
        let shifted = bits.checked_shl(7 * u32::try_from(index).ok()?)?;
        // the last byte has only two bits of 128
        if index == BYTES_MAX - 1 && bits > 3 {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Reads a signed number, as [`read`].
pub(crate) fn read_signed(reader: &mut Reader<'_>) -> Option<i128> {
    let zigzag = read(reader)?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

/// Reads an unsigned number that is a length or a count.
pub(crate) fn read_usize(reader: &mut Reader<'_>) -> Option<usize> {
    usize::try_from(read(reader)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        let numbers = [0, 1, -1, 63, 64, -64, -65, i128::MAX, i128::MIN, i64::MIN.into()];
        for number in numbers {
            let mut bytes = Vec::new();
            write_signed(number, &mut bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(read_signed(&mut reader), Some(number));
            assert!(reader.is_empty());
            for end in 0..bytes.len() {
                assert_eq!(read_signed(&mut Reader::new(&bytes[..end])), None);
            }
        }
    }

    #[test]
    fn too_many_bits_are_refused() {
        let mut bytes = [0xff; 19];
        bytes[18] = 3;
        assert_eq!(read(&mut Reader::new(&bytes)), Some(u128::MAX));
        bytes[18] = 4;
        assert_eq!(read(&mut Reader::new(&bytes)), None);
        bytes[18] = 0x80;
        assert_eq!(read(&mut Reader::new(&bytes)), None);
    }
}
