//! The encodings of characters: what a byte of a text is, and what a digit, a sign or a space is as
//! a byte.
//!
//! EBCDIC code pages 037 and 1047 hold exactly the 256 characters of Latin-1, each in a place of
//! its own, so every byte is a character. Source: IBM, CDRA code pages CPGID 00037 and 01047;
//! newline (0x15) is U+0085 and line feed (0x25) U+000A.

use std::fmt;

/// How a field holds characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, which ASCII is a part of.
    #[default]
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// EBCDIC 037.
    Cp037,
    /// EBCDIC 1047.
    Cp1047,
}

impl Encoding {
    /// The words of a descriptor.
    pub(crate) const WORDS: [(&str, Self); 4] = [
        ("utf-8", Self::Utf8),
        ("latin-1", Self::Latin1),
        ("cp037", Self::Cp037),
        ("cp1047", Self::Cp1047),
    ];

    pub(crate) fn is_ebcdic(self) -> bool {
        matches!(self, Self::Cp037 | Self::Cp1047)
    }

    pub(super) fn space(self) -> u8 {
        if self.is_ebcdic() { 0x40 } else { b' ' }
    }

    pub(super) fn zero(self) -> u8 {
        if self.is_ebcdic() { 0xF0 } else { b'0' }
    }

    /// An ASCII character as a byte.
    pub(crate) fn byte(self, ascii: u8) -> u8 {
        match self.table() {
            None => ascii,
            Some(table) => position(table, ascii).unwrap_or(ascii),
        }
    }

    /// The character of each byte, which is one of Latin-1; `None` where a character may take more
    /// than one byte.
    pub(super) fn table(self) -> Option<&'static [u8; 256]> {
        match self {
            Self::Utf8 => None,
            Self::Latin1 => Some(&LATIN_1),
            Self::Cp037 => Some(&CP037),
            Self::Cp1047 => Some(&CP1047),
        }
    }
}

/// The word of a descriptor.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, encoding)| encoding == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// `bytes`, each a character of Latin-1 by `table`, as UTF-8 after `text`.
#[inline]
pub(super) fn push_utf8(text: &mut Vec<u8>, bytes: &[u8], table: &[u8; 256]) {
    for &byte in bytes {
        match table[usize::from(byte)] {
            ascii @ 0..0x80 => text.push(ascii),
            char => text.extend_from_slice(&[0xC0 | char >> 6, 0x80 | char & 0x3F]),
        }
    }
}

fn position(table: &[u8; 256], char: u8) -> Option<u8> {
    (0..=u8::MAX).find(|&byte| table[usize::from(byte)] == char)
}

#[expect(clippy::cast_possible_truncation, reason = "below 256")]
const LATIN_1: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as u8;
        byte += 1;
    }
    table
};

/// CP037 with other codes for `^`, `[`, `]`, `¬`, `Ý` and `¨`.
const CP1047: [u8; 256] = {
    let mut table = CP037;
    table[0x5F] = b'^';
    table[0xAD] = b'[';
    table[0xB0] = 0xAC;
    table[0xBA] = 0xDD;
    table[0xBB] = 0xA8;
    table[0xBD] = b']';
    table
};

#[rustfmt::skip]
const CP037: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F,
    0x10, 0x11, 0x12, 0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0A, 0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A,
    0x20, 0xA0, 0xE2, 0xE4, 0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0xA2, 0x2E, 0x3C, 0x28, 0x2B, 0x7C,
    0x26, 0xE9, 0xEA, 0xEB, 0xE8, 0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x21, 0x24, 0x2A, 0x29, 0x3B, 0xAC,
    0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F,
    0xF8, 0xC9, 0xCA, 0xCB, 0xC8, 0xCD, 0xCE, 0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22,
    0xD8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1,
    0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4,
    0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xA1, 0xBF, 0xD0, 0xDD, 0xDE, 0xAE,
    0x5E, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0x5B, 0x5D, 0xAF, 0xA8, 0xB4, 0xD7,
    0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4, 0xF6, 0xF2, 0xF3, 0xF5,
    0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC, 0xF9, 0xFA, 0xFF,
    0x5C, 0xF7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2, 0xD3, 0xD5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA, 0x9F,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of Python and glibc, which nobody here wrote.
    #[test]
    fn every_byte_is_the_character_of_the_published_code_page() {
        let mut lines = 0;
        for line in include_str!("../../tests/data/code_pages.txt").lines() {
            if line.starts_with('#') {
                continue;
            }
            let parts: Vec<_> = line.split(' ').collect();
            let [page, byte, char] = parts[..] else { panic!("{line}") };
            let word = Encoding::WORDS.iter().find(|(word, _)| *word == page).unwrap();
            let byte = u8::from_str_radix(byte, 16).unwrap();
            let expected = char::from_u32(u32::from_str_radix(char, 16).unwrap()).unwrap();
            let mut text = Vec::new();
            push_utf8(&mut text, &[byte], word.1.table().unwrap());
            assert_eq!(String::from_utf8(text).unwrap(), expected.to_string(), "{line}");
            if expected.is_ascii() {
                assert_eq!(word.1.byte(u8::try_from(expected).unwrap()), byte);
            }
            lines += 1;
        }
        assert_eq!(lines, 512);
    }

    #[test]
    fn latin_1_is_the_first_256_characters() {
        for byte in 0..=u8::MAX {
            let mut text = Vec::new();
            push_utf8(&mut text, &[byte], &LATIN_1);
            assert_eq!(String::from_utf8(text).unwrap(), char::from(byte).to_string());
        }
    }
}
