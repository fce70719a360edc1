//! A cursor over bytes that may be damaged: it never indexes, and what it takes is there.
//!
//! `sift-files` has another one for data files, because neither crate knows the other.

/// Takes one value after the other from bytes. Nothing is taken where a value is not whole.
#[derive(Clone, Copy, Debug)]
pub struct ByteCursor<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> ByteCursor<'a> {
    /// Starts with the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at(0, bytes)
    }

    /// Starts with the first of `bytes`, which are at `position` of a document.
    pub(crate) fn at(position: usize, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, position }
    }

    /// Returns the position in the document, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Returns the bytes that are left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes so many bytes.
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        *self = Self::at(self.position + length, rest);
        Some(taken)
    }

    /// Takes `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes a number of 16 bits, the highest byte first.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_there_and_nothing_else() {
        let mut cursor = ByteCursor::new(&[7, 1, 2, 3]);
        assert_eq!((cursor.u8(), cursor.u16(), cursor.u16()), (Some(7), Some(0x0102), None));
        assert_eq!((cursor.position(), cursor.rest(), cursor.take(2)), (3, &[3][..], None));
        assert_eq!(
            (cursor.take(1), cursor.u8(), cursor.take(0)),
            (Some(&[3][..]), None, Some(&[][..]))
        );
    }
}
