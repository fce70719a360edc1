//! The words of a copybook: what in a line is text, how lines go on, and where a word ends.
//!
//! In fixed format columns 1 to 6 and from 73 on are the programmer's, and column 7 tells a comment
//! (`*`, `/`), a line for debugging (`D`) or the continuation of a word or literal (`-`); a tab
//! goes to the next column that is 1 more than a multiple of 8. In free format all of a line is
//! text. In both `*>` begins a comment. A comma or semicolon before a space is a space.

use super::{Position, Source};
use crate::Result;
use crate::problem::copybook::CopybookProblem;

/// The columns of a copybook's line that have text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceFormat {
    /// Fixed where columns 1 to 6 of the first line of text are blank or digits, else free.
    #[default]
    Detect,
    /// Columns 8 to 72.
    Fixed,
    /// All columns.
    Free,
}

/// A word, a literal or a period that ends an entry.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) at: Position,
    /// In upper case; of a literal, its first quote alone.
    pub(super) text: String,
}

impl Word {
    pub(super) fn is_period(&self) -> bool {
        self.text == "."
    }

    pub(super) fn is_literal(&self) -> bool {
        self.text.starts_with(['"', '\''])
    }
}

/// A character of the text and its place.
#[derive(Clone, Copy)]
struct Char {
    char: char,
    at: Position,
}

/// All words of the text, in order.
pub(super) fn words(source: Source<'_>, text: &str, format: SourceFormat) -> Result<Vec<Word>> {
    let fixed = match format {
        SourceFormat::Fixed => true,
        SourceFormat::Free => false,
        SourceFormat::Detect => looks_fixed(text),
    };
    let chars = if fixed { fixed_chars(source, text)? } else { free_chars(text) };
    cut(source, &chars)
}

fn looks_fixed(text: &str) -> bool {
    let lines = text.lines().map(expand_tabs);
    let mut lines = lines.filter(|line| {
        let comment = matches!(line.chars().nth(6), Some('*' | '/'));
        !comment && !line.trim().is_empty() && !line.trim_start().starts_with("*>")
    });
    let Some(line) = lines.next() else { return true };
    let area: String = line.chars().take(6).collect();
    area.trim().is_empty() || (area.len() == 6 && area.bytes().all(|byte| byte.is_ascii_digit()))
}

fn expand_tabs(line: &str) -> String {
    let mut expanded = String::new();
    let mut column = 0;
    for char in line.chars() {
        let count = if char == '\t' { 8 - column % 8 } else { 1 };
        expanded.extend(std::iter::repeat_n(if char == '\t' { ' ' } else { char }, count));
        column += count;
    }
    expanded
}

fn free_chars(text: &str) -> Vec<Char> {
    let mut chars = Vec::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        push_line(&mut chars, number + 1, line.chars().zip(1..));
    }
    chars
}

fn fixed_chars(source: Source<'_>, text: &str) -> Result<Vec<Char>> {
    let mut chars = Vec::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let line = expand_tabs(line);
        let line_number = number + 1;
        let area = line.chars().zip(1..).skip(7).take(65);
        match line.chars().nth(6) {
            None | Some('*' | '/' | 'D' | 'd') => {}
            Some('-') => continue_line(source, &mut chars, line_number, area)?,
            Some(' ') => push_line(&mut chars, line_number, area),
            Some(found) => {
                let at = Position { line: line_number, column: 7 };
                return Err(source.error(at, CopybookProblem::Indicator { found }));
            }
        }
    }
    Ok(chars)
}

fn push_line(chars: &mut Vec<Char>, line: usize, area: impl Iterator<Item = (char, usize)>) {
    let mut column_end = 1;
    for (char, column) in area {
        chars.push(Char { char, at: Position { line, column } });
        column_end = column + 1;
    }
    chars.push(Char { char: '\n', at: Position { line, column: column_end } });
}

/// A line that goes on with the word or the literal of the line before.
fn continue_line(
    source: Source<'_>,
    chars: &mut Vec<Char>,
    line: usize,
    area: impl Iterator<Item = (char, usize)>,
) -> Result<()> {
    let mut area = area.skip_while(|(char, _)| *char == ' ').peekable();
    // the end of the line before
    chars.pop();
    if let Some(quote) = open_quote(chars) {
        match area.next() {
            Some((char, _)) if char == quote => {}
            _ => {
                let at = Position { line, column: 8 };
                return Err(source.error(at, CopybookProblem::Continuation { quote }));
            }
        }
    } else {
        while chars.pop_if(|last| last.char == ' ').is_some() {}
    }
    push_line(chars, line, area);
    Ok(())
}

/// The quote of the literal that is not closed in the last line.
fn open_quote(chars: &[Char]) -> Option<char> {
    let start = chars.iter().rposition(|char| char.char == '\n').map_or(0, |end| end + 1);
    let mut open = None;
    for char in chars.get(start..)? {
        match (open, char.char) {
            (None, quote @ ('"' | '\'')) => open = Some(quote),
            (Some(quote), char) if quote == char => open = None,
            _ => {}
        }
    }
    open
}

fn cut(source: Source<'_>, chars: &[Char]) -> Result<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = chars;
    while let [first, after @ ..] = rest {
        let is_apart = after.first().is_none_or(|next| next.char.is_whitespace());
        rest = match first.char {
            char if char.is_whitespace() => after,
            ',' | ';' if is_apart => after,
            '*' if after.first().is_some_and(|next| next.char == '>') => rest_of_text(after),
            '.' if is_apart => {
                words.push(Word { at: first.at, text: ".".to_owned() });
                after
            }
            quote @ ('"' | '\'') => {
                words.push(Word { at: first.at, text: quote.to_string() });
                after_literal(source, first, after)?
            }
            _ => {
                let length = word_length(rest);
                let (word, after) = rest.split_at(length);
                let text = word.iter().map(|char| char.char.to_ascii_uppercase()).collect();
                words.push(Word { at: first.at, text });
                after
            }
        };
    }
    Ok(words)
}

/// Characters up to a space, a quote, or a separator with a space after it; at least one.
fn word_length(chars: &[Char]) -> usize {
    let mut length = 1;
    while let Some(char) = chars.get(length) {
        let is_apart = chars.get(length + 1).is_none_or(|next| next.char.is_whitespace());
        match char.char {
            '"' | '\'' => break,
            ',' | ';' | '.' if is_apart => break,
            char if char.is_whitespace() => break,
            _ => length += 1,
        }
    }
    length
}

fn rest_of_text(chars: &[Char]) -> &[Char] {
    let end = chars.iter().position(|char| char.char == '\n').unwrap_or(chars.len());
    chars.get(end..).unwrap_or_default()
}

/// Returns the text after the closing quote; two quotes in a row are one character of the literal.
fn after_literal<'c>(
    source: Source<'_>,
    quote: &Char,
    mut chars: &'c [Char],
) -> Result<&'c [Char]> {
    while let [first, after @ ..] = chars {
        chars = match after.first() {
            _ if first.char == '\n' => break,
            Some(next) if first.char == quote.char && next.char == quote.char => {
                after.get(1..).unwrap_or_default()
            }
            _ if first.char == quote.char => return Ok(after),
            _ => after,
        };
    }
    Err(source.error(quote.at, CopybookProblem::OpenLiteral))
}
