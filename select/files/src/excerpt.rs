//! Bytes of a file as text for a message: short, printable, in quotes.

use std::fmt;

/// The first bytes of a value, as a message shows them: short and printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    bytes: Box<[u8]>,
    is_text: bool,
}

impl Excerpt {
    /// More bytes are not needed for the characters that are shown.
    const BYTES_MAX: usize = 256;

    /// Takes bytes that are shown as text in quotes.
    pub(crate) fn text(bytes: &[u8]) -> Self {
        Self::new(bytes, true)
    }

    /// Takes bytes that are shown as hexadecimal digits.
    pub(crate) fn binary(bytes: &[u8]) -> Self {
        Self::new(bytes, false)
    }

    fn new(bytes: &[u8], is_text: bool) -> Self {
        let bytes = bytes.get(..Self::BYTES_MAX).unwrap_or(bytes);
        Self { bytes: bytes.into(), is_text }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_text {
            true => f.write_str(&quote(&self.bytes)),
            false => f.write_str(&hex(&self.bytes)),
        }
    }
}

/// Shows bytes as text for a message: short, printable, in quotes.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 40;
    let text = String::from_utf8_lossy(bytes);
    let mut quoted = String::from("'");
    for (count, char) in text.chars().enumerate() {
        if count == CHARS_MAX {
            quoted.push('…');
            break;
        }
        match char {
            ' '..='~' => quoted.push(char),
            _ if char.is_alphanumeric() => quoted.push(char),
            char::REPLACEMENT_CHARACTER => quoted.push(char),
            _ => quoted.extend(char.escape_default()),
        }
    }
    quoted.push('\'');
    quoted
}

/// Shows bytes as `12 3C`, cut where they get long.
fn hex(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 40;
    let mut shown =
        bytes.iter().take(BYTES_MAX).map(|byte| format!("{byte:02X}")).collect::<Vec<_>>();
    if bytes.len() > BYTES_MAX {
        shown.push("…".to_owned());
    }
    shown.join(" ")
}
