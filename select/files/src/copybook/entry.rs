//! Data description entries: a level number, a name, and clauses up to a period.
//!
//! Clauses that lay out the record are read, those that do not are passed over, and whatever else
//! stands there is refused by name.

use super::picture::Picture;
use super::source::Word;
use super::{Position, Source};
use crate::Result;
use crate::problem::copybook::CopybookProblem;

/// One data description entry.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) at: Position,
    pub(super) level: u8,
    /// In upper case; `None` of FILLER.
    pub(super) name: Option<String>,
    pub(super) picture: Option<(Position, Picture)>,
    pub(super) usage: Option<Usage>,
    pub(super) sign: Option<SignClause>,
    /// How often it occurs, where it does so.
    pub(super) occurs: Option<u32>,
    /// The name that it redefines.
    pub(super) redefines: Option<(Position, String)>,
    /// BLANK WHEN ZERO, which makes a number a text.
    pub(super) blank_when_zero: bool,
}

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    Display,
    /// COMP, COMP-4, BINARY: big-endian.
    Binary,
    /// COMP-5: in the order of the machine.
    Native,
    /// COMP-1
    Float,
    /// COMP-2
    Double,
    /// COMP-3
    Packed,
    /// COMP-6
    UnsignedPacked,
    /// BINARY-CHAR to BINARY-DOUBLE, which have no PICTURE.
    Whole {
        bytes: u8,
        signed: bool,
    },
}

/// The SIGN clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignClause {
    pub(super) leading: bool,
    pub(super) separate: bool,
}

/// The most entries of a copybook.
const ITEMS_MAX: usize = 64 << 10;

/// The longest name, in characters; COBOL has 30, GnuCOBOL 63.
const NAME_CHARS_MAX: usize = 63;

/// The most times that something occurs.
const OCCURS_MAX: u32 = crate::fixed::RECORD_BYTES_MAX;

/// Words with which clauses begin, beside those of USAGE.
const CLAUSES: &[&str] = &[
    "REDEFINES",
    "PIC",
    "PICTURE",
    "USAGE",
    "SIGN",
    "LEADING",
    "TRAILING",
    "OCCURS",
    "DEPENDING",
    "INDEXED",
    "ASCENDING",
    "DESCENDING",
    "VALUE",
    "VALUES",
    "JUST",
    "JUSTIFIED",
    "BLANK",
    "SYNC",
    "SYNCHRONIZED",
    "EXTERNAL",
    "GLOBAL",
];

fn begins_clause(word: &Word) -> bool {
    CLAUSES.contains(&word.text.as_str()) || Usage::of(&word.text).is_some()
}

impl Usage {
    /// The usage of that word.
    fn of(word: &str) -> Option<Self> {
        let short = word.strip_prefix("COMPUTATIONAL").map(|number| format!("COMP{number}"));
        Some(match short.as_deref().unwrap_or(word) {
            "DISPLAY" => Self::Display,
            "COMP" | "COMP-4" | "BINARY" => Self::Binary,
            "COMP-5" => Self::Native,
            "COMP-1" | "FLOAT-SHORT" => Self::Float,
            "COMP-2" | "FLOAT-LONG" => Self::Double,
            "COMP-3" | "PACKED-DECIMAL" => Self::Packed,
            "COMP-6" => Self::UnsignedPacked,
            "BINARY-CHAR" => Self::Whole { bytes: 1, signed: true },
            "BINARY-SHORT" => Self::Whole { bytes: 2, signed: true },
            "BINARY-LONG" => Self::Whole { bytes: 4, signed: true },
            "BINARY-DOUBLE" => Self::Whole { bytes: 8, signed: true },
            _ => return None,
        })
    }
}

/// All entries, in order, without those of levels 66 and 88.
pub(super) fn parse(
    source: Source<'_>,
    words: &[Word],
    notes: &mut Vec<String>,
) -> Result<Vec<Item>> {
    let mut words = Words { source, words, end: Position { line: 1, column: 1 } };
    let mut items = Vec::new();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "EJECT" | "SKIP1" | "SKIP2" | "SKIP3" => drop(words.next_if(".")),
            "COPY" | "REPLACE" => {
                let problem = CopybookProblem::NotFollowed { word: word.text.clone() };
                return Err(source.error(word.at, problem));
            }
            _ => items.extend(words.entry(word, notes)?),
        }
        if items.len() > ITEMS_MAX {
            let problem = CopybookProblem::TooManyEntries { entries_max: ITEMS_MAX };
            return Err(source.error(words.end, problem));
        }
    }
    Ok(items)
}

/// The words that are left.
struct Words<'w> {
    source: Source<'w>,
    words: &'w [Word],
    /// The position of the last word, for errors about a missing word.
    end: Position,
}

impl<'w> Words<'w> {
    fn next(&mut self) -> Option<&'w Word> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        self.end = word.at;
        Some(word)
    }

    fn next_if(&mut self, text: &str) -> Option<&'w Word> {
        let word = self.words.first().filter(|word| word.text == text)?;
        self.words = self.words.get(1..).unwrap_or_default();
        Some(word)
    }

    fn skip_any(&mut self, texts: &[&str]) {
        while texts.iter().any(|text| self.next_if(text).is_some()) {}
    }

    /// The next word, which is not a period.
    fn expect(&mut self, expected: &'static str) -> Result<&'w Word> {
        let end = self.end;
        match self.next() {
            Some(word) if !word.is_period() && !word.is_literal() => Ok(word),
            found => {
                let at = found.map_or(end, |word| word.at);
                Err(self.source.error(at, CopybookProblem::Missing { expected }))
            }
        }
    }

    fn number(&mut self, expected: &'static str, max: u32) -> Result<u32> {
        let word = self.expect(expected)?;
        match word.text.parse() {
            Ok(number) if (1..=max).contains(&number) => Ok(number),
            _ => {
                let (at, word) = (word.at, word.text.clone());
                Err(self.source.error(at, CopybookProblem::WrongNumber { word, expected, max }))
            }
        }
    }

    /// Passes over the names of a clause that says nothing of the layout.
    fn skip_names(&mut self) {
        let is_name = |word: &&Word| !word.is_period() && !begins_clause(word);
        let count = self.words.iter().take_while(is_name).count();
        self.words = self.words.get(count..).unwrap_or_default();
    }

    /// Passes over the one value of a VALUE clause, such as `ALL '*'` or `X'00'`.
    fn skip_value(&mut self) -> Result<()> {
        self.skip_any(&["IS", "ARE", "ALL"]);
        let at = self.end;
        match self.next().filter(|word| !word.is_period()) {
            Some(word) if word.is_literal() => Ok(()),
            Some(_) => {
                // the letter before a literal is a word
                if self.words.first().is_some_and(Word::is_literal) {
                    self.next();
                }
                Ok(())
            }
            None => {
                let expected = "the value after VALUE";
                Err(self.source.error(at, CopybookProblem::Missing { expected }))
            }
        }
    }

    /// Passes over all up to a period.
    fn skip_entry(&mut self) {
        while self.next().is_some_and(|word| !word.is_period()) {}
    }

    /// The entry that begins with this word; none where it lays out nothing.
    fn entry(&mut self, first: &Word, notes: &mut Vec<String>) -> Result<Option<Item>> {
        let level = match first.text.parse::<u8>() {
            Ok(level @ (1..=49 | 77)) => level,
            Ok(level @ (66 | 88)) => {
                self.skip_entry();
                if level == 66 {
                    notes.push(format!("line {}: level 66 is passed over", first.at.line));
                }
                return Ok(None);
            }
            _ => {
                let problem = CopybookProblem::NotLevel { word: first.text.clone() };
                return Err(self.source.error(first.at, problem));
            }
        };
        let mut item = Item {
            at: first.at,
            level,
            name: self.name()?,
            picture: None,
            usage: None,
            sign: None,
            occurs: None,
            redefines: None,
            blank_when_zero: false,
        };
        loop {
            let at = self.end;
            match self.next() {
                Some(word) if word.is_period() => return Ok(Some(item)),
                Some(word) => self.clause(word, &mut item)?,
                None => return Err(self.source.error(at, CopybookProblem::PeriodMissing)),
            }
        }
    }

    fn name(&mut self) -> Result<Option<String>> {
        let Some(word) = self.words.first() else { return Ok(None) };
        if word.is_period() || begins_clause(word) {
            return Ok(None);
        }
        self.next();
        if word.text == "FILLER" {
            return Ok(None);
        }
        let valid = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
        let problem = if !word.text.chars().all(valid) {
            CopybookProblem::NotName { word: word.text.clone() }
        } else if word.text.chars().count() > NAME_CHARS_MAX {
            CopybookProblem::LongName { chars_max: NAME_CHARS_MAX }
        } else {
            return Ok(Some(word.text.clone()));
        };
        Err(self.source.error(word.at, problem))
    }

    fn clause(&mut self, word: &Word, item: &mut Item) -> Result<()> {
        match word.text.as_str() {
            "REDEFINES" => {
                let name = self.expect("the name after REDEFINES")?;
                item.redefines = Some((name.at, name.text.clone()));
            }
            "PIC" | "PICTURE" => {
                self.skip_any(&["IS"]);
                let string = self.expect("the string after PICTURE")?;
                let picture = Picture::parse(&string.text).map_err(|problem| {
                    let (at, string) = (string.at, string.text.clone());
                    self.source.error(at, CopybookProblem::Picture { string, problem })
                })?;
                item.picture = Some((string.at, picture));
            }
            "USAGE" => {
                self.skip_any(&["IS"]);
                let word = self.expect("the word after USAGE")?;
                item.usage = Some(self.usage(word)?);
            }
            "SIGN" => self.skip_any(&["IS"]),
            "LEADING" | "TRAILING" => {
                let separate = self.next_if("SEPARATE").is_some();
                self.skip_any(&["CHARACTER"]);
                item.sign = Some(SignClause { leading: word.text == "LEADING", separate });
            }
            "OCCURS" => {
                item.occurs = Some(self.number("the number after OCCURS", OCCURS_MAX)?);
                if let Some(word) = self.next_if("TO") {
                    return Err(self.source.error(word.at, CopybookProblem::OccursTo));
                }
                self.skip_any(&["TIMES"]);
            }
            "VALUE" | "VALUES" => self.skip_value()?,
            "ASCENDING" | "DESCENDING" | "INDEXED" => self.skip_names(),
            "JUST" | "JUSTIFIED" => self.skip_any(&["RIGHT"]),
            "EXTERNAL" | "GLOBAL" => {}
            "BLANK" => {
                self.skip_any(&["WHEN", "ZERO", "ZEROS", "ZEROES"]);
                item.blank_when_zero = true;
            }
            _ => item.usage = Some(self.usage(word)?),
        }
        Ok(())
    }

    fn usage(&mut self, word: &Word) -> Result<Usage> {
        match Usage::of(&word.text) {
            Some(Usage::Whole { bytes, .. }) => {
                let signed = self.next_if("UNSIGNED").is_none();
                self.skip_any(&["SIGNED"]);
                Ok(Usage::Whole { bytes, signed })
            }
            Some(usage) => Ok(usage),
            None => Err(self.unknown(word)),
        }
    }

    fn unknown(&self, word: &Word) -> crate::Error {
        let problem = match word.text.as_str() {
            "DEPENDING" => CopybookProblem::OccursDepending,
            "SYNC" | "SYNCHRONIZED" => CopybookProblem::Synchronized,
            other => CopybookProblem::Unsupported { word: other.to_owned() },
        };
        self.source.error(word.at, problem)
    }
}
