//! Patterns of LIKE and SIMILAR TO, and regular expressions.
//!
//! SIMILAR TO and PostgreSQL's advanced regular expressions are translated for the regex crate,
//! whose time is linear in the text. A construct that the crate does not have (backreferences,
//! look-around) or that means something else there is refused. Named classes in brackets are ASCII;
//! `\w` and `\s` are Unicode.

use arrow::array::{Array, BooleanArray, StringArray};

use super::functions::{push_lower, to_lower};
use super::like;
use super::like::Like;
use super::regular::Regular;
use crate::sql::syntax::PatternLanguage;
use sift_files::cancel::Stopped;

/// Most repetitions that `{n}` asks for, as in PostgreSQL.
const REPETITIONS_MAX: u32 = 255;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pattern {
    Like(Like),
    /// A pattern in lower case, for texts in lower case.
    ILike(Like),
    Regular(Box<Regular>),
}

impl Pattern {
    /// Returns whether compiling a pattern of this language may take milliseconds.
    pub(crate) fn takes_long(language: PatternLanguage) -> bool {
        !matches!(language, PatternLanguage::Like | PatternLanguage::ILike)
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// A description of the fault in the pattern.
    pub(crate) fn new(
        language: PatternLanguage,
        pattern: &str,
        escape: Option<char>,
    ) -> Result<Self, String> {
        let dangling =
            || format!("the {language} pattern '{pattern}' ends in its escape character");
        match language {
            PatternLanguage::Like => {
                Like::new(pattern, escape, |c| c).map(Self::Like).ok_or_else(dangling)
            }
            PatternLanguage::ILike => {
                Like::new(pattern, escape, to_lower).map(Self::ILike).ok_or_else(dangling)
            }
            PatternLanguage::Similar => {
                let regex = Translation::new(pattern, Some(escape)).translate()?;
                regular(&format!("(?s)\\A(?:{regex})\\z"), pattern)
            }
            PatternLanguage::Regex => {
                let regex = Translation::new(pattern, None).translate()?;
                regular(&format!("(?s){regex}"), pattern)
            }
            PatternLanguage::RegexIgnoringCase => {
                let regex = Translation::new(pattern, None).translate()?;
                regular(&format!("(?si){regex}"), pattern)
            }
        }
    }

    /// Returns whether `text` matches; `scratch` is a buffer to reuse.
    pub(crate) fn matches(&self, text: &str, scratch: &mut String) -> Result<bool, Stopped> {
        match self {
            Self::Like(like) => like.matches(text),
            Self::ILike(like) => {
                scratch.clear();
                push_lower(text, scratch);
                like.matches(scratch)
            }
            Self::Regular(regular) => regular.is_match(text),
        }
    }

    /// Returns a mask of the matching texts; null where the text is null.
    pub(crate) fn mask(&self, texts: &StringArray) -> Result<BooleanArray, Stopped> {
        let mask = match self {
            Self::Like(like) => like.mask(texts)?,
            _ => like::mask(texts, |texts| {
                let mut scratch = String::new();
                let is_match = |row| self.matches(texts.value(row), &mut scratch);
                like::try_collect(texts.len(), is_match)
            })?,
        };
        Ok(BooleanArray::new(mask, texts.nulls().cloned()))
    }
}

fn regular(pattern: &str, written: &str) -> Result<Pattern, String> {
    Regular::new(pattern, written).map(Box::new).map(Pattern::Regular)
}

/// The translation of a pattern into the syntax of the regex crate.
struct Translation<'p> {
    pattern: &'p str,
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    /// For SIMILAR TO, its escape character, if there is one.
    similar: Option<Option<char>>,
    regex: String,
}

impl<'p> Translation<'p> {
    fn new(pattern: &'p str, similar: Option<Option<char>>) -> Self {
        Self { pattern, rest: pattern.chars().peekable(), similar, regex: String::new() }
    }

    fn translate(mut self) -> Result<String, String> {
        let mut repeated = false;
        while let Some(c) = self.rest.next() {
            let was_repeated = std::mem::replace(&mut repeated, "*+?{".contains(c));
            match (c, self.similar) {
                (c, Some(escape)) if Some(c) == escape => {
                    match self.rest.next() {
                        None => return Err(self.refusal("ends in its escape character")),
                        Some('"') => return Err(self.refusal("has escaped quotes")),
                        Some(c) => self.literal(c),
                    }
                    repeated = false;
                }
                ('%', Some(_)) => self.regex.push_str(".*"),
                ('_', Some(_)) => self.regex.push('.'),
                ('(', Some(_)) => self.regex.push_str("(?:"),
                ('.' | '^' | '$' | '\\', Some(_)) => self.literal(c),
                ('\\', None) => {
                    let class = self.escape()?;
                    self.regex.push_str(&class);
                }
                ('(', None) => self.group()?,
                ('[', _) => self.bracket()?,
                ('{', _) if self.rest.peek().is_some_and(char::is_ascii_digit) => {
                    if was_repeated {
                        return Err(self.refusal("repeats what is repeated"));
                    }
                    self.repetition()?;
                }
                ('{', _) => {
                    self.literal(c);
                    repeated = false;
                }
                ('?', None) if was_repeated => self.regex.push('?'),
                ('*' | '+' | '?', _) if was_repeated => {
                    return Err(self.refusal("repeats what is repeated"));
                }
                ('*' | '+' | '?' | '|' | ')', _) | ('.' | '^' | '$', None) => self.regex.push(c),
                (c, _) => self.literal(c),
            }
        }
        Ok(self.regex)
    }

    fn refusal(&self, what: &str) -> String {
        format!("the pattern '{}' {what}", self.pattern)
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.regex.push('\\');
        }
        self.regex.push(c);
    }

    /// Translates a group, after its `(`.
    fn group(&mut self) -> Result<(), String> {
        self.regex.push('(');
        if self.rest.next_if_eq(&'?').is_some() {
            if self.rest.next_if_eq(&':').is_none() {
                return Err(self.refusal("looks around or has options inside; expected (?:"));
            }
            self.regex.push_str("?:");
        }
        Ok(())
    }

    /// Translates a repetition, after its `{` and before a digit: `n}`, `n,}` or `n,m}`.
    fn repetition(&mut self) -> Result<(), String> {
        let mut bounds = String::new();
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => bounds.push(c),
                _ => return Err(self.refusal("has a { without its }")),
            }
        }
        let fits = |bound: &str| bound.parse::<u32>().is_ok_and(|bound| bound <= REPETITIONS_MAX);
        let fits = match bounds.split_once(',') {
            None => fits(&bounds),
            Some((low, "")) => fits(low),
            Some((low, high)) => fits(low) && fits(high),
        };
        if !fits {
            let what = format!("repeats {{{bounds}}}; expected numbers up to {REPETITIONS_MAX}");
            return Err(self.refusal(&what));
        }
        self.regex.extend(["{", &bounds, "}"]);
        Ok(())
    }

    /// Translates an escape of a regular expression outside of brackets, after its backslash.
    fn escape(&mut self) -> Result<String, String> {
        Ok(match self.rest.next() {
            Some('y') => "\\b".to_owned(),
            Some('Y') => "\\B".to_owned(),
            Some('m') => "\\b{start}".to_owned(),
            Some('M') => "\\b{end}".to_owned(),
            Some('A') => "\\A".to_owned(),
            Some('Z') => "\\z".to_owned(),
            Some('D') => "[^0-9]".to_owned(),
            Some('W') => "\\W".to_owned(),
            Some('S') => "\\S".to_owned(),
            Some('d') => "[0-9]".to_owned(),
            Some(c) => self.escaped(c)?,
            None => return Err(self.refusal("ends in a backslash")),
        })
    }

    /// Translates a backslash and `c` in brackets, or outside if it means the same there.
    fn escaped(&self, c: char) -> Result<String, String> {
        Ok(match c {
            'd' => "0-9".to_owned(),
            'w' | 's' | 'n' | 'r' | 't' | 'f' | 'v' => format!("\\{c}"),
            'a' => "\\x07".to_owned(),
            'b' => "\\x08".to_owned(),
            'e' => "\\x1B".to_owned(),
            'B' => "\\\\".to_owned(),
            c if c.is_alphanumeric() => {
                return Err(self.refusal(&format!("has \\{c}, which is not supported")));
            }
            c if c.is_ascii_punctuation() => format!("\\{c}"),
            c => c.to_string(),
        })
    }

    /// Translates a bracket expression, after its `[` and up to its `]`.
    fn bracket(&mut self) -> Result<(), String> {
        self.regex.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.regex.push('^');
        }
        let mut is_first = true;
        loop {
            let Some(c) = self.rest.next() else {
                return Err(self.refusal("has a [ without its ]"));
            };
            if c == ']' && !is_first {
                self.regex.push(']');
                return Ok(());
            }
            is_first = false;
            let Some(low) = self.bracket_item(c)? else { continue };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            if is_range {
                self.rest.next();
                let high = self.rest.next().unwrap_or(']');
                let Some(high) = self.bracket_item_of_range(high)? else {
                    return Err(self.refusal("has a range that ends in a class"));
                };
                if low > high {
                    return Err(self.refusal("has a range that ends before it starts"));
                }
                self.literal(low);
                self.regex.push('-');
                self.literal(high);
            } else {
                self.literal(low);
            }
        }
    }

    fn bracket_item_of_range(&mut self, c: char) -> Result<Option<char>, String> {
        match c {
            '[' | '\\' => Err(self.refusal("has a range that ends in a class or an escape")),
            c => Ok(Some(c)),
        }
    }

    /// Returns one character of a set; `None` for a class, which is translated here.
    fn bracket_item(&mut self, c: char) -> Result<Option<char>, String> {
        match (c, self.similar) {
            ('[', _) if self.rest.peek() == Some(&':') => {
                self.rest.next();
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(char::is_ascii_alphabetic) {
                    name.push(c);
                }
                if self.rest.next() != Some(':') || self.rest.next() != Some(']') {
                    return Err(self.refusal("has a [: without its :]"));
                }
                self.regex.extend(["[:", &name, ":]"]);
                Ok(None)
            }
            ('[', _) if matches!(self.rest.peek(), Some('.' | '=')) => {
                Err(self.refusal("has a collating element, which is not supported"))
            }
            (c, Some(escape)) if Some(c) == escape => match self.rest.next() {
                Some(c) => Ok(Some(c)),
                None => Err(self.refusal("ends in its escape character")),
            },
            ('\\', None) => {
                let Some(c) = self.rest.next() else {
                    return Err(self.refusal("ends in a backslash"));
                };
                if c.is_alphanumeric() {
                    let class = self.escaped(c)?;
                    self.regex.push_str(&class);
                    return Ok(None);
                }
                Ok(Some(c))
            }
            (c, _) => Ok(Some(c)),
        }
    }
}
