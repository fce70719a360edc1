//! A cursor over bytes that may be damaged: it never indexes, and what it takes is there.
//!
//! `sift-proto` has another one for certificates, because neither crate knows the other.

/// Takes one value after the other from bytes.
#[derive(Clone, Debug)]
pub struct ByteCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The bytes end before a value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

/// The reason why bytes are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoVarint {
    Truncated,
    /// It has more than 64 bits.
    TooLong,
}

impl<'a> ByteCursor<'a> {
    /// Starts with the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the number of bytes that were taken.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Returns the number of bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes that are left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// `Truncated`; nothing is taken then.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Truncated)?;
        self.advance(rest);
        Ok(taken)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    /// `Truncated`; nothing is taken then.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Truncated)?;
        self.advance(rest);
        Ok(*taken)
    }

    /// Takes one byte.
    pub(crate) fn byte(&mut self) -> Result<u8, Truncated> {
        self.array().map(|[byte]| byte)
    }

    /// Takes a number of 32 bits, the lowest byte first.
    ///
    /// # Errors
    /// `Truncated`; nothing is taken then.
    pub fn u32_le(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a number of 64 bits, the lowest byte first.
    ///
    /// # Errors
    /// `Truncated`; nothing is taken then.
    pub fn u64_le(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a number in groups of seven bits, the lowest first (LEB128).
    pub(crate) fn varint(&mut self) -> Result<u64, NoVarint> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte().map_err(|Truncated| NoVarint::Truncated)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(NoVarint::TooLong)
    }

    fn advance(&mut self, rest: &'a [u8]) {
        self.at += self.bytes.len() - rest.len();
        self.bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_there_and_nothing_else() {
        let mut cursor = ByteCursor::new(&[1, 0, 0, 0, 0xac, 0x02, 7, 8]);
        assert_eq!(cursor.u32_le(), Ok(1));
        assert_eq!(cursor.varint(), Ok(300));
        assert_eq!(cursor.take(3), Err(Truncated));
        assert_eq!((cursor.position(), cursor.left(), cursor.rest()), (6, 2, &[7, 8][..]));
        assert_eq!(cursor.take(2), Ok(&[7, 8][..]));
        assert_eq!(cursor.byte(), Err(Truncated));
        assert_eq!(ByteCursor::new(&[0x80; 12]).varint(), Err(NoVarint::TooLong));
        assert_eq!(ByteCursor::new(&[0x80; 2]).varint(), Err(NoVarint::Truncated));
    }
}
