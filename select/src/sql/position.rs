//! Positions in the text, and refusals that name them.

use sqlparser::ast::Spanned;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::syntax::Position;
use crate::{ErrorKind, Result};

/// The position at which a text begins.
pub(super) const START: Position = Position { line: 1, column: 1 };
/// Positions that the parser does not report.
pub(super) struct Positions {
    /// The position after the first FROM.
    pub(super) from: Position,
    pub(super) end: Position,
}

impl Positions {
    pub(super) fn new(tokens: &[TokenWithSpan]) -> Self {
        let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
        let is_from = |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::FROM);
        words.find(|token| is_from(token));
        let from = words.next().map_or(START, |token| start(token.span));
        let end = tokens.last().map_or(START, |token| position(token.span.end));
        Self { from, end }
    }
}
pub(super) fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

pub(super) fn position(location: Location) -> Position {
    Position { line: location.line, column: location.column }
}

pub(super) fn at(node: &impl Spanned) -> Position {
    start(node.span())
}

pub(super) fn start(span: Span) -> Position {
    // Some nodes of the parser have no position.
    if span.start.line == 0 { START } else { position(span.start) }
}

pub(super) fn unsupported<T>(at: Position, what: impl std::fmt::Display) -> Result<T> {
    Err(at.error(ErrorKind::Unsupported, format!("{what} is not supported")))
}

/// Refuses `what` if it is present.
pub(super) fn refuse(at: Position, present: impl Into<Presence>, what: &str) -> Result<()> {
    if present.into().0 { unsupported(at, what) } else { Ok(()) }
}

pub(super) struct Presence(bool);

impl From<bool> for Presence {
    fn from(present: bool) -> Self {
        Self(present)
    }
}

impl<T> From<&Option<T>> for Presence {
    fn from(option: &Option<T>) -> Self {
        Self(option.is_some())
    }
}

impl<T> From<&Vec<T>> for Presence {
    fn from(list: &Vec<T>) -> Self {
        Self(!list.is_empty())
    }
}
