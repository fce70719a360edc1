//! Escapes for texts from elsewhere on a terminal, such as names of files and messages of the peer.

use std::borrow::Cow;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("Zürich 東京", &[]), "Zürich 東京");
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}", &[]), "a\\u{1b}[31m\\nb\\u{9b}");
        assert_eq!(printable("a\tb\nc\u{202e}", &['\n', '\t']), "a\tb\nc\\u{202e}");
    }
}
