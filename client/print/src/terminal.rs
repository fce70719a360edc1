//! Escapes for texts from elsewhere on a terminal, such as names of files and messages of the peer.

use std::borrow::Cow;
use std::io::{self, Write};

/// The control characters that a text of several lines needs.
const OF_LINES: [char; 2] = ['\n', '\t'];

/// Returns the text with escapes in place of control characters: characters that move the cursor,
/// begin a line or change the direction of a text. Characters in `kept` stay.
pub fn printable<'t>(text: &'t str, kept: &[char]) -> Cow<'t, str> {
    let steers = |c: char| {
        let is_format = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() || is_format) && !kept.contains(&c)
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match steers(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A writer of UTF-8 to a terminal, with the escapes of [`printable`]. Line feeds and tabs stay.
#[derive(Debug)]
pub struct Escaping<W> {
    out: W,
    is_on: bool,
    /// The start of a character that is not complete yet.
    partial: Vec<u8>,
}

impl<W> Escaping<W> {
    /// Makes a writer. If it is not on, every byte stays as it is.
    pub fn new(out: W, is_on: bool) -> Self {
        Self { out, is_on, partial: Vec::new() }
    }

    /// Returns the writer to the terminal.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Returns the writer to the terminal.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_on {
            return self.out.write(bytes);
        }
        self.partial.extend_from_slice(bytes);
        let whole = match str::from_utf8(&self.partial) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.partial.len(),
        };
        let rest = self.partial.split_off(whole);
        let text = std::mem::replace(&mut self.partial, rest);
        let text = String::from_utf8_lossy(&text);
        self.out.write_all(printable(&text, &OF_LINES).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a text with pieces of a number of bytes.
    fn written(text: &[u8], piece: usize, is_on: bool) -> String {
        let mut writer = Escaping::new(Vec::new(), is_on);
        text.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let text = "東\t\u{9b}2J\u{1b}é\r\n\u{202e}\u{1f600}";
        for piece in 1..=text.len() {
            let expected = "東\t\\u{9b}2J\\u{1b}é\\r\n\\u{202e}\u{1f600}";
            assert_eq!(written(text.as_bytes(), piece, true), expected, "{piece}");
            assert_eq!(written(text.as_bytes(), piece, false), text, "{piece}");
        }
        // what is no UTF-8 does not hold back the rest
        assert_eq!(written(b"a\xff\x1bb\xe2", 2, true), "a\u{fffd}\\u{1b}b");
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("Zürich 東京", &[]), "Zürich 東京");
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}", &[]), "a\\u{1b}[31m\\nb\\u{9b}");
        assert_eq!(printable("a\tb\nc\u{202e}", &['\n', '\t']), "a\tb\nc\\u{202e}");
    }
}
