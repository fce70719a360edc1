//! A reader of DER, one element after the other, each with its tag and its contents.
//!
//! It knows tags of one byte and definite lengths, as in all certificates. Any bytes are accepted
//! as input: a fault is an error with its place, and nothing outside the given slice is read. It is
//! our own because `x509-cert` and `der` 0.8 refuse documents that TLS libraries accept: a
//! UniversalString, a UTCTime before 1970, an OID with an arc above 32 bits, a list without a
//! version. ITU-T X.690, sections 8.1 and 10.

use std::fmt;

use crate::cursor::ByteCursor;

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

/// A fault in a document, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub struct DerError {
    /// The offset in the document, in bytes.
    pub at: usize,
    /// The fault at this place.
    pub problem: DerProblem,
}

/// The kinds of faults in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerProblem {
    /// The data ends where an element is expected, or inside an element.
    #[error("the data ends too early")]
    End,
    /// There is data after the last element.
    #[error("there is more data than expected")]
    Rest,
    /// The tag has more than one byte.
    #[error("the tag has several bytes, one is supported")]
    LongTag,
    /// The length is indefinite, or has more than four bytes.
    #[error("the length is not a number of up to 4 bytes")]
    Length,
    /// An element with another tag.
    #[error("{} found, {} expected", TagName(*.found), TagName(*.expected))]
    Tag {
        /// The tag of the element.
        found: u8,
        /// The tag that is accepted.
        expected: u8,
    },
    /// The contents of an element are not possible. The text says what is expected.
    #[error("{0}")]
    Contents(&'static str),
}

/// Displays a tag by its name, or as a number.
struct TagName(u8);

/// The elements that have not been read yet, inside another element or in a whole document.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(ByteCursor<'a>);

/// One tag, length and value.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The tag, one byte.
    pub tag: u8,
    /// The contents.
    pub value: &'a [u8],
    /// The whole element, with tag and length.
    pub whole: &'a [u8],
    /// The offset of the element in the document, in bytes.
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads the elements of a document one by one.
    pub fn new(document: &'a [u8]) -> Self {
        Self(ByteCursor::new(document))
    }

    /// Returns the tag of the next element, if there is one.
    pub fn peek(&self) -> Option<u8> {
        self.0.rest().first().copied()
    }

    /// Returns true after the last element.
    pub fn is_empty(&self) -> bool {
        self.0.rest().is_empty()
    }

    /// Checks that the last element has been read.
    ///
    /// # Errors
    /// `Rest`.
    pub fn end(&self) -> Result<(), DerError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DerProblem::Rest)) }
    }

    /// Reads the next element.
    ///
    /// # Errors
    /// `End`, `LongTag`, `Length`.
    pub fn element(&mut self) -> Result<Element<'a>, DerError> {
        let end = || self.error(DerProblem::End);
        let mut cursor = self.0;
        let [tag, first] = cursor.array().ok_or_else(end)?;
        if tag & 0x1f == 0x1f {
            return Err(self.error(DerProblem::LongTag));
        }
        let mut length = usize::from(first);
        if first >= 0x80 {
            // four bytes of length are 4 GiB; no bytes at all is the indefinite form
            let count = usize::from(first & 0x7f);
            if !(1..=4).contains(&count) {
                return Err(self.error(DerProblem::Length));
            }
            let bytes = cursor.take(count).ok_or_else(end)?;
            length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        }
        let value = cursor.take(length).ok_or_else(end)?;
        let at = self.0.position();
        let whole = self.0.rest().get(..cursor.position() - at).ok_or_else(end)?;
        self.0 = cursor;
        Ok(Element { tag, value, whole, at })
    }

    /// Reads the next element, which must have this tag.
    ///
    /// # Errors
    /// The errors of [`Reader::element`], and `Tag`.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        let element = self.element()?;
        if element.tag != tag {
            let (found, expected) = (element.tag, tag);
            return Err(DerError { at: element.at, problem: DerProblem::Tag { found, expected } });
        }
        Ok(element)
    }

    /// Reads the next element if it has this tag. Otherwise the reader stays where it is.
    ///
    /// # Errors
    /// The errors of [`Reader::element`], for an element with this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// Opens the next element, which must have this tag.
    ///
    /// # Errors
    /// The errors of [`Reader::expect`].
    pub fn open(&mut self, tag: u8) -> Result<Self, DerError> {
        self.expect(tag).map(|element| element.contents())
    }

    /// Reads the only element, which must have this tag.
    ///
    /// # Errors
    /// The errors of [`Reader::expect`], and `Rest`.
    pub fn only(mut self, tag: u8) -> Result<Element<'a>, DerError> {
        let element = self.expect(tag)?;
        self.end()?;
        Ok(element)
    }

    fn error(&self, problem: DerProblem) -> DerError {
        DerError { at: self.0.position(), problem }
    }
}

impl<'a> Element<'a> {
    /// Reads the elements inside of it one by one.
    pub fn contents(&self) -> Reader<'a> {
        Reader(ByteCursor::at(self.at + self.whole.len() - self.value.len(), self.value))
    }

    /// Reads the elements inside of a BIT STRING, whose first byte counts its unused bits.
    ///
    /// # Errors
    /// `End`.
    pub fn bit_string(&self) -> Result<Reader<'a>, DerError> {
        let mut contents = self.contents();
        let _unused_bits = contents.0.u8().ok_or_else(|| contents.error(DerProblem::End))?;
        Ok(contents)
    }

    /// Returns the error about contents that are not possible; `expected` says which ones are.
    pub fn error(&self, expected: &'static str) -> DerError {
        DerError { at: self.at, problem: DerProblem::Contents(expected) }
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            BOOLEAN => "BOOLEAN",
            INTEGER => "INTEGER",
            BIT_STRING => "BIT STRING",
            OCTET_STRING => "OCTET STRING",
            OBJECT_IDENTIFIER => "OBJECT IDENTIFIER",
            ENUMERATED => "ENUMERATED",
            UTC_TIME => "UTCTime",
            GENERALIZED_TIME => "GeneralizedTime",
            SEQUENCE => "SEQUENCE",
            SET => "SET",
            other => return write!(f, "tag {other:#04x}"),
        })
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
        let refused: [(&[u8], DerProblem); 7] = [
            (&[], DerProblem::End),
            (&[0x04], DerProblem::End),
            (&[0x04, 2, 1], DerProblem::End),
            (&[0x04, 0x80, 0, 0], DerProblem::Length),
            (&[0x04, 0x82, 1], DerProblem::End),
            (&[0x1f, 1, 0], DerProblem::LongTag),
            (&[0x04, 0x88, 255, 255, 255, 255, 255, 255, 255, 255], DerProblem::Length),
        ];
        for (bytes, problem) in refused {
            let error = Reader::new(bytes).element().unwrap_err();
            assert_eq!(error, DerError { at: 0, problem }, "{bytes:x?}");
        }
    }

    #[test]
    fn an_optional_element_stays_where_it_is() {
        let mut reader = Reader::new(&[0x02, 1, 5, 0x01, 1, 255]);
        assert!(reader.optional(BOOLEAN).unwrap().is_none());
        assert_eq!(reader.optional(INTEGER).unwrap().unwrap().whole, [2, 1, 5]);
        assert!(reader.open(BOOLEAN).is_ok() && reader.is_empty());
    }

    #[test]
    fn an_error_has_its_place_in_the_document() {
        let document = [0x30, 6, 0x02, 1, 5, 0x1c, 1, 255];
        let mut contents = Reader::new(&document).only(SEQUENCE).unwrap().contents();
        assert_eq!(
            contents.end().unwrap_err().to_string(),
            "byte 2: there is more data than expected"
        );
        contents.expect(INTEGER).unwrap();
        let error = contents.expect(OCTET_STRING).unwrap_err().to_string();
        assert_eq!(error, "byte 5: tag 0x1c found, OCTET STRING expected");
        assert_eq!(contents.element().unwrap_err().to_string(), "byte 8: the data ends too early");
        let bits = Reader::new(&[0x03, 2, 0, 0x05]).only(BIT_STRING).unwrap();
        assert_eq!(bits.bit_string().unwrap().element().unwrap_err().at, 3);
    }
}
