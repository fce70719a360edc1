//! A walk over DER: one element after the other, each with its tag and its contents.
//!
//! Tags of one byte and definite lengths only, which is all that a certificate has. `None` is for
//! bytes that are no such thing; nothing here panics or looks beyond the slice it was given.
//! ITU-T X.690, sections 8.1 and 10.

/// BOOLEAN
pub const BOOLEAN: u8 = 0x01;
/// INTEGER
pub const INTEGER: u8 = 0x02;
/// BIT STRING
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING
pub const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// ENUMERATED
pub const ENUMERATED: u8 = 0x0a;
/// UTF8String
pub const UTF8_STRING: u8 = 0x0c;
/// PrintableString
pub const PRINTABLE_STRING: u8 = 0x13;
/// IA5String
pub const IA5_STRING: u8 = 0x16;
/// UTCTime
pub const UTC_TIME: u8 = 0x17;
/// GeneralizedTime
pub const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE
pub const SEQUENCE: u8 = 0x30;
/// SET
pub const SET: u8 = 0x31;

/// What is left to read of one element's contents.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

/// One tag, length and value.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// What it is.
    pub tag: u8,
    /// Its contents.
    pub value: &'a [u8],
    /// With tag and length.
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the elements of `contents` one by one.
    pub fn new(contents: &'a [u8]) -> Self {
        Self(contents)
    }

    /// The one element that `bytes` are, opened.
    pub fn only(bytes: &'a [u8], tag: u8) -> Option<Self> {
        let mut reader = Self(bytes);
        let value = reader.expect(tag)?.value;
        reader.is_empty().then_some(Self(value))
    }

    /// Returns the contents of the element; `None` if `bytes` are not exactly one element with this
    /// tag.
    pub fn only_element(bytes: &'a [u8], tag: u8) -> Option<&'a [u8]> {
        Self::only(bytes, tag).map(|Self(contents)| contents)
    }

    /// Returns the tag of the next element, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub fn element(&mut self) -> Option<Element<'a>> {
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
    pub fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.element().filter(|element| element.tag == tag)
    }

    /// The next element if it has this tag; otherwise it stays where it is.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.expect(tag)?;
        *self = ahead;
        Some(element)
    }

    /// Opens the next element, which must have this tag.
    pub fn open(&mut self, tag: u8) -> Option<Self> {
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
