//! The tokens of a text, and the bounds on them that the parser's own limit does not cover.
//!
//! A flat chain such as `a OR b OR c …` makes a tree as deep as the chain is long, nested calls
//! take exponential time, and a SELECT within a SELECT takes tens of kilobytes of stack. All of
//! these are refused before anything recurses over them.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::dialect::SelectDialect;
use super::position::{lower_first, position, unsupported};
use crate::{Error, ErrorKind, Result};

/// Longest text of a Select, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Most operators in a text; they bound the depth of the parser's tree.
pub(super) const OPERATORS_MAX: usize = 1000;

/// Deepest nesting of calls and other parentheses after a word. The parser tries some of them in
/// two ways, which takes exponential time if they are nested.
const CALL_DEPTH_MAX: usize = 8;

/// Most regular expressions in a text. Each of them may take the memory that one pattern may take.
const REGEXES_MAX: usize = 64;

/// Most words SELECT in a text. The grammar has one; a few more are refused by the name of their
/// construct. Each level costs the parser tens of kilobytes of stack.
const SELECTS_MAX: usize = 4;
/// Returns the tokens of a text that is within bounds.
pub(super) fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    if text.len() > TEXT_BYTES_MAX {
        let message =
            format!("the text has {} bytes, at most {TEXT_BYTES_MAX} are accepted", text.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let tokens = Tokenizer::new(&SelectDialect, text)
        .tokenize_with_location()
        .map_err(|e| position(e.location).error(ErrorKind::Syntax, lower_first(&e.message)))?;
    refuse_odd(&tokens)?;
    let tokens = joined_texts(tokens)?;
    let is_select = |token: &&TokenWithSpan| {
        matches!(&token.token, Token::Word(word)
            if matches!(word.keyword, Keyword::SELECT | Keyword::VALUES | Keyword::TABLE))
    };
    if let Some(token) = tokens.iter().filter(is_select).nth(SELECTS_MAX) {
        return unsupported(position(token.span.start), "a subquery");
    }
    if let Some(token) = tokens.iter().filter(|token| is_regex(&token.token)).nth(REGEXES_MAX) {
        let message = format!("more than {REGEXES_MAX} regular expressions");
        return Err(position(token.span.start).error(ErrorKind::LimitExceeded, message));
    }
    refuse_nested_calls(&tokens)?;
    refuse_repeated_interval(&tokens)?;
    let mut operators = tokens.iter().filter(|token| deepens(&token.token));
    match operators.nth(OPERATORS_MAX) {
        None => Ok(tokens),
        Some(token) => Err(position(token.span.start).error(
            ErrorKind::LimitExceeded,
            format!("more than {OPERATORS_MAX} operators; use IN for long lists"),
        )),
    }
}

/// Refuses what the parser accepts and SQL does not: a word joined to a number, and `==`.
fn refuse_odd(tokens: &[TokenWithSpan]) -> Result<()> {
    for pair in tokens.windows(2) {
        let [first, second] = pair else { continue };
        let (at, complaint) = match (&first.token, &second.token) {
            (Token::Number(..), Token::Word(word)) => {
                let complaint = "follows a number; expected a space or an operator before it";
                (second, format!("`{word}` {complaint}"))
            }
            (Token::DoubleEq, _) => (first, "`==` is not an operator; expected =".to_owned()),
            _ => continue,
        };
        return Err(position(at.span.start).error(ErrorKind::Syntax, complaint));
    }
    Ok(())
}

/// The kind of space between a text and the next token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    Space,
    LineEnd,
    /// A comment that is not the rest of a line.
    Comment,
}

impl Gap {
    fn and(self, space: &Whitespace) -> Self {
        match (self, space) {
            (Self::Comment, _) | (_, Whitespace::MultiLineComment(_)) => Self::Comment,
            (_, Whitespace::Newline | Whitespace::SingleLineComment { .. }) => Self::LineEnd,
            (gap, _) => gap,
        }
    }
}

/// Joins texts with only line ends and space between them: in SQL they are one text.
fn joined_texts(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // the index of the last token if it is a text, and the space after it
    let mut last_text = None;
    for token in tokens {
        match (&token.token, last_text) {
            (Token::Whitespace(space), Some((index, gap))) => {
                last_text = Some((index, Gap::and(gap, space)));
            }
            (Token::SingleQuotedString(text), Some((index, Gap::LineEnd)))
                if let Some(TokenWithSpan { token: Token::SingleQuotedString(first), .. }) =
                    joined.get_mut(index) =>
            {
                first.push_str(text);
                joined.truncate(index + 1);
                last_text = Some((index, Gap::Space));
                continue;
            }
            (text, Some(_)) if is_text(text) => {
                let message = format!("{text} follows a text; expected an operator, such as ||");
                return Err(position(token.span.start).error(ErrorKind::Syntax, message));
            }
            (other, _) => last_text = is_text(other).then_some((joined.len(), Gap::Space)),
        }
        joined.push(token);
    }
    Ok(joined)
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::HexStringLiteral(_)
    )
}

fn refuse_nested_calls(tokens: &[TokenWithSpan]) -> Result<()> {
    // For each open bracket, whether it belongs to a call.
    let mut open = Vec::new();
    let mut calls = 0;
    let mut after_name = false;
    for TokenWithSpan { token, span } in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                calls += usize::from(after_name);
                open.push(after_name);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                calls -= usize::from(open.pop().unwrap_or(false));
            }
            _ => {}
        }
        if calls > CALL_DEPTH_MAX {
            let message = format!("calls are nested deeper than {CALL_DEPTH_MAX} levels");
            return Err(position(span.start).error(ErrorKind::LimitExceeded, message));
        }
        after_name = match token {
            Token::Word(word) => {
                !is_operator(word.keyword)
                    && !matches!(word.keyword, Keyword::WHERE | Keyword::SELECT)
            }
            token => *token == Token::RBracket,
        };
    }
    Ok(())
}

/// Refuses an INTERVAL directly after another, which nests once more, past the parser's own limit.
fn refuse_repeated_interval(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut after_interval = false;
    for TokenWithSpan { token, span } in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        let is_interval = matches!(token, Token::Word(word) if word.keyword == Keyword::INTERVAL);
        if is_interval && after_interval {
            return unsupported(position(span.start), "INTERVAL");
        }
        after_interval = is_interval;
    }
    Ok(())
}

fn is_regex(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword == Keyword::SIMILAR,
        Token::Tilde
        | Token::TildeAsterisk
        | Token::ExclamationMarkTilde
        | Token::ExclamationMarkTildeAsterisk => true,
        _ => false,
    }
}

/// Returns whether a token can make the parser's tree deeper.
fn deepens(token: &Token) -> bool {
    match token {
        Token::Word(word) => is_operator(word.keyword),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::RParen
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}

/// Returns whether a word takes the expression before it as an operand, so that a chain of it
/// nests.
fn is_operator(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::NOTNULL
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::MATCH
            | Keyword::MEMBER
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::DIV
            | Keyword::OVERLAPS
            | Keyword::OPERATOR
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::MINUS
    )
}
