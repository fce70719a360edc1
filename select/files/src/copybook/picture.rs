//! PICTURE character strings: what a field may hold and how many characters that is.
//!
//! A string with symbols of editing is a text, as long as it says: its value is meant to be read.

use crate::problem::copybook::PictureProblem;

/// The meaning of a PICTURE string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    /// Letters, or any characters, or an edited number.
    Text { chars: u32 },
    /// 9, with S and V.
    Number { digits: u8, scale: u8, signed: bool },
}

/// The most digits of a number: those of a decimal here.
const DIGITS_MAX: u32 = 38;

/// The most characters of a text: no record is longer.
const CHARS_MAX: u32 = crate::fixed::RECORD_BYTES_MAX;

impl Picture {
    /// Reads a string in upper case; or what is wrong with it.
    pub(super) fn parse(string: &str) -> Result<Self, PictureProblem> {
        let mut symbols = Symbols::default();
        let mut rest = string;
        while let Some(symbol) = rest.chars().next() {
            let (count, after) = repetition(rest.get(symbol.len_utf8()..).unwrap_or_default())?;
            let length = rest.len() - after.len();
            // CR and DB are one symbol of two characters
            let pair = rest.get(..2).filter(|pair| matches!(*pair, "CR" | "DB"));
            match pair {
                Some(pair) => {
                    symbols.edit(2)?;
                    rest = rest.get(pair.len()..).unwrap_or_default();
                }
                None => {
                    symbols.add(symbol, count)?;
                    rest = rest.get(length..).unwrap_or_default();
                }
            }
        }
        symbols.picture()
    }
}

/// The number in parentheses, 1 where there is none, and what comes after.
fn repetition(rest: &str) -> Result<(u32, &str), PictureProblem> {
    let Some(inside) = rest.strip_prefix('(') else { return Ok((1, rest)) };
    let Some((number, after)) = inside.split_once(')') else {
        return Err(PictureProblem::OpenParenthesis);
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(count @ 1..=CHARS_MAX) if digits => Ok((count, after)),
        _ => Err(PictureProblem::Repetition { number: number.to_owned(), max: CHARS_MAX }),
    }
}

#[derive(Default)]
struct Symbols {
    /// Characters of the field: all but S and V.
    chars: u32,
    nines: u32,
    nines_after_point: u32,
    point: bool,
    signed: bool,
    /// A, X, or symbols of editing.
    text: bool,
}

impl Symbols {
    fn add(&mut self, symbol: char, count: u32) -> Result<(), PictureProblem> {
        match symbol {
            '9' => {
                self.count(count)?;
                self.nines += count;
                if self.point {
                    self.nines_after_point += count;
                }
            }
            'S' if self.signed || self.chars > 0 || self.point || count > 1 => {
                return Err(PictureProblem::Sign);
            }
            'S' => self.signed = true,
            'V' if self.point || count > 1 => return Err(PictureProblem::PointTwice),
            'V' => self.point = true,
            'P' => return Err(PictureProblem::Scaling),
            'N' | 'G' => return Err(PictureProblem::National { symbol }),
            'A' | 'X' | 'B' | 'Z' | '*' | '+' | '-' | '$' | ',' | '.' | '/' | '0' | 'E' => {
                self.edit(count)?;
            }
            symbol => return Err(PictureProblem::UnknownSymbol { symbol }),
        }
        Ok(())
    }

    fn edit(&mut self, count: u32) -> Result<(), PictureProblem> {
        self.text = true;
        self.count(count)
    }

    fn count(&mut self, count: u32) -> Result<(), PictureProblem> {
        // both are at most CHARS_MAX
        self.chars += count;
        match self.chars > CHARS_MAX {
            true => Err(PictureProblem::TooLong { chars_max: CHARS_MAX }),
            false => Ok(()),
        }
    }

    fn picture(&self) -> Result<Picture, PictureProblem> {
        if self.chars == 0 {
            return Err(PictureProblem::Empty);
        }
        if self.text {
            return match self.signed {
                true => Err(PictureProblem::SignOfText),
                false => Ok(Picture::Text { chars: self.chars }),
            };
        }
        if self.nines > DIGITS_MAX {
            let (digits, digits_max) = (self.nines, DIGITS_MAX);
            return Err(PictureProblem::TooManyDigits { digits, digits_max });
        }
        let small = |count: u32| u8::try_from(count).unwrap_or(u8::MAX);
        let (digits, scale) = (small(self.nines), small(self.nines_after_point));
        Ok(Picture::Number { digits, scale, signed: self.signed })
    }
}
