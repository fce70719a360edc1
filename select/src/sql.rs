//! The text of a Select: the only folder that names sqlparser.
//!
//! The grammar is a subset of PostgreSQL's SELECT. A construct that the parser understands and the
//! grammar does not have is refused by name, with its line and column.

pub(crate) mod mention;
pub(crate) mod syntax;

mod cast;
mod clauses;
mod dialect;
mod expr;
mod function;
mod literal;
mod position;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::{Error, ErrorKind, Result};
use clauses::lower_query;
use dialect::SelectDialect;
use expr::lower;
use position::{Positions, START, lower_first, position};
use syntax::{Expr, ExprKind, Position, SelectSyntax};
use tokens::tokenize;

/// Deepest nesting for the parser itself, parentheses included.
const PARSER_DEPTH_MAX: usize = 50;

/// A Select, as written: names and literals not yet bound to a file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Select {
    syntax: Arc<SelectSyntax>,
    /// The microseconds since 1970-01-01 that `now()` is, if that is fixed.
    now: Option<i64>,
}

impl Select {
    /// Parses one SELECT.
    ///
    /// # Errors
    /// `Syntax`, `Unsupported`, `UnknownFunction` and `LimitExceeded`, each with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = tokenize(text)?;
        let positions = Positions::new(&tokens);
        let mut parser = parser(tokens);
        let query = match parser.peek_token().token {
            Token::EOF => {
                return Err(START.error(ErrorKind::Syntax, "the text is empty; expected SELECT"));
            }
            Token::Word(word) if matches!(word.keyword, Keyword::SELECT | Keyword::WITH) => {
                parser.parse_query().map_err(|error| syntax_error(error, &positions))?
            }
            Token::LParen => {
                parser.parse_query().map_err(|error| syntax_error(error, &positions))?
            }
            other => {
                let at = position(parser.peek_token().span.start);
                return Err(at.error(
                    ErrorKind::Unsupported,
                    format!("`{other}`: only SELECT is supported"),
                ));
            }
        };
        while parser.consume_token(&Token::SemiColon) {}
        end(&parser, "SELECT")?;
        lower_query(*query, &positions).map(|syntax| Self { syntax: Arc::new(syntax), now: None })
    }

    /// Returns the file of FROM, as written; `None` if there is no FROM.
    pub fn from(&self) -> Option<&str> {
        self.syntax.from.as_ref().map(|name| name.text.as_str())
    }

    /// Returns the same Select as it is asked now: all that is made of it has the same `now()`.
    #[must_use]
    pub fn asked_now(&self) -> Self {
        Self { syntax: Arc::clone(&self.syntax), now: Some(micros_now()) }
    }

    /// Returns the microseconds since 1970-01-01 that `now()` is.
    pub(crate) fn now(&self) -> i64 {
        self.now.unwrap_or_else(micros_now)
    }

    pub(crate) fn syntax(&self) -> &SelectSyntax {
        &self.syntax
    }
}

fn micros_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// An expression over the columns of a file, not yet bound to one: it may stand after WHERE. Cheap
/// to clone.
#[derive(Clone, Debug)]
pub struct Predicate(Arc<Expr>);

impl Predicate {
    /// Parses one expression. Parameters are refused, because nobody supplies their values.
    ///
    /// # Errors
    /// `Syntax`, `Unsupported`, `UnknownFunction` and `LimitExceeded`, each with line and column.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = tokenize(text)?;
        let is_parameter = |token: &&TokenWithSpan| matches!(token.token, Token::Placeholder(_));
        if let Some(token) = tokens.iter().find(is_parameter) {
            let message = format!("`{}`: a parameter may not stand here", token.token);
            return Err(position(token.span.start).error(ErrorKind::Unsupported, message));
        }
        let positions = Positions::new(&tokens);
        let mut parser = parser(tokens);
        if parser.peek_token().token == Token::EOF {
            let message = "the text is empty; expected an expression";
            return Err(START.error(ErrorKind::Syntax, message));
        }
        let expr = parser.parse_expr().map_err(|error| syntax_error(error, &positions))?;
        end(&parser, "expression")?;
        let syntax = lower(&expr)?;
        if let Some(clock) = syntax.clock() {
            let message = "what a rule shows may not depend on the time";
            return Err(clock.at.error(ErrorKind::Unsupported, message));
        }
        Ok(Self(Arc::new(syntax)))
    }

    /// Returns the predicate that is true if both are true.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let terms = vec![self.syntax().clone(), other.syntax().clone()];
        Self(Arc::new(Expr { at: self.syntax().at, kind: ExprKind::And(terms) }))
    }

    pub(crate) fn syntax(&self) -> &Expr {
        &self.0
    }

    /// Returns whether both have the same syntax.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

fn parser(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&SelectDialect)
        .with_recursion_limit(PARSER_DEPTH_MAX)
        .with_tokens_with_locations(tokens)
}

/// Refuses any token after the end.
fn end(parser: &Parser<'_>, of: &str) -> Result<()> {
    let rest = parser.peek_token();
    if rest.token == Token::EOF {
        return Ok(());
    }
    let message = format!("`{}` after the end of the {of}", rest.token);
    Err(position(rest.span.start).error(ErrorKind::Syntax, message))
}

fn syntax_error(error: ParserError, positions: &Positions) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            let message = format!("nested deeper than {PARSER_DEPTH_MAX} levels");
            return positions.from.error(ErrorKind::LimitExceeded, message);
        }
    };
    // The parser writes the position after the complaint: `… at Line: 1, Column: 22`.
    let place = message.rsplit_once(" at Line: ").and_then(|(complaint, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((complaint, Position { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    // Only the end of the text has no position there.
    let (complaint, at) = place.unwrap_or((&message, positions.end));
    at.error(ErrorKind::Syntax, lower_first(complaint))
}
