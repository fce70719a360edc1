//! A walk over DER: one element after the other, each with its tag and its contents.
//!
//! Tags of one byte and definite lengths only, which is all that a certificate has. `None` is for
//! bytes that are no such thing; nothing here panics or looks beyond the slice it was given.
//! ITU-T X.690, sections 8.1 and 10.

/// INTEGER, OBJECT IDENTIFIER, and the other universal tags that a certificate has.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// What is left to read of one element's contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// One tag, length and value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// With tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// The one element that `bytes` are, opened.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Option<Self> {
        let mut reader = Self(bytes);
        let value = reader.expect(tag)?.value;
        reader.is_empty().then_some(Self(value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn element(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let mut length = usize::from(first);
        if first >= 0x80 {
            // four bytes of length are 4 GiB; no bytes at all is the indefinite form
            let count = usize::from(first & 0x7f);
            let bytes = rest.get(..count).filter(|bytes| (1..=4).contains(&bytes.len()))?;
            length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = rest.get(count..)?;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, value, whole })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.element().filter(|element| element.tag == tag)
    }

    /// The next element if it has this tag; otherwise it stays where it is.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.expect(tag)?;
        *self = ahead;
        Some(element)
    }

    /// Opens the next element, which must have this tag.
    pub(crate) fn open(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(|element| Self(element.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_or_long_and_never_beyond_the_end() {
        let long = [&[0x04, 0x81, 200][..], &[7; 200]].concat();
        assert_eq!(Reader::new(&long).element().unwrap().value, [7; 200]);
        assert_eq!(Reader::new(&[0x05, 0]).element().unwrap().value, [0; 0]);
        let refused: [&[u8]; 7] = [
            &[],
            &[0x04],
            &[0x04, 2, 1],
            &[0x04, 0x80, 0, 0],
            &[0x04, 0x82, 1],
            &[0x1f, 1, 0],
            &[0x04, 0x88, 255, 255, 255, 255, 255, 255, 255, 255],
        ];
        for bytes in refused {
            assert!(Reader::new(bytes).element().is_none(), "{bytes:x?}");
        }
    }

    #[test]
    fn an_optional_element_stays_where_it_is() {
        let mut reader = Reader::new(&[0x02, 1, 5, 0x01, 1, 255]);
        assert!(reader.optional(BOOLEAN).is_none());
        assert_eq!(reader.optional(INTEGER).unwrap().whole, [2, 1, 5]);
        assert!(reader.open(BOOLEAN).is_some() && reader.is_empty());
    }
}
