//! Functions of texts. Positions and lengths count characters, from 1.
//!
//! Case is mapped character by character, by Unicode's simple mappings: a character that would
//! become several stays as it is. PostgreSQL under its C locale maps ASCII only.

use std::collections::HashSet;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use memchr::memmem;

use super::arguments::{Arguments, push};
use super::{ArgumentType, Function, ReturnType, TextGrowth};
use crate::expr::pattern::Pattern;
use crate::expr::problem::Problem;
use crate::sql::syntax::PatternLanguage;

const TEXT: ReturnType = ReturnType::Text;
const WHOLE: ReturnType = ReturnType::Whole;
const BOOLEAN: ReturnType = ReturnType::Boolean;

pub(super) static FUNCTIONS: &[Function] = {
    use ArgumentType::{AnyAsText, Text, Whole};
    &[
        Function::new("lower", &[Text], TEXT, lower).of_case(),
        Function::new("upper", &[Text], TEXT, upper).of_case(),
        Function::new("initcap", &[Text], TEXT, initcap).of_case(),
        Function::new("length", &[Text], WHOLE, length),
        Function::new("char_length", &[Text], WHOLE, length),
        Function::new("character_length", &[Text], WHOLE, length),
        Function::new("octet_length", &[Text], WHOLE, octet_length),
        Function::new("strpos", &[Text, Text], WHOLE, strpos),
        Function::new("starts_with", &[Text, Text], BOOLEAN, starts_with),
        Function::new("substring", &[Text, Whole], TEXT, substring),
        Function::new("substring", &[Text, Whole, Whole], TEXT, substring).fallible(),
        Function::new("substr", &[Text, Whole], TEXT, substring),
        Function::new("substr", &[Text, Whole, Whole], TEXT, substring).fallible(),
        Function::new("left", &[Text, Whole], TEXT, left),
        Function::new("right", &[Text, Whole], TEXT, right),
        Function::new("btrim", &[Text], TEXT, btrim),
        Function::new("btrim", &[Text, Text], TEXT, btrim),
        Function::new("ltrim", &[Text], TEXT, ltrim),
        Function::new("ltrim", &[Text, Text], TEXT, ltrim),
        Function::new("rtrim", &[Text], TEXT, rtrim),
        Function::new("rtrim", &[Text, Text], TEXT, rtrim),
        Function::new("split_part", &[Text, Text, Whole], TEXT, split_part).fallible(),
        Function::new("reverse", &[Text], TEXT, reverse),
        Function::new("replace", &[Text, Text, Text], TEXT, replace)
            .growing(TextGrowth::ByReplacing),
        Function::new("lpad", &[Text, Whole], TEXT, lpad).growing(TextGrowth::ToLength),
        Function::new("lpad", &[Text, Whole, Text], TEXT, lpad).growing(TextGrowth::ToLength),
        Function::new("rpad", &[Text, Whole], TEXT, rpad).growing(TextGrowth::ToLength),
        Function::new("rpad", &[Text, Whole, Text], TEXT, rpad).growing(TextGrowth::ToLength),
        Function::new("repeat", &[Text, Whole], TEXT, repeat).growing(TextGrowth::Times),
        Function::new("concat", &[AnyAsText], TEXT, concat).repeating().growing(TextGrowth::Sum),
        Function::new("concat_ws", &[Text, AnyAsText], TEXT, concat_ws)
            .repeating()
            .growing(TextGrowth::Sum),
    ]
};

/// The operator `||`.
pub(crate) static CONCATENATION: Function =
    Function::new("||", &[ArgumentType::AnyAsText], TEXT, concatenation)
        .repeating()
        .growing(TextGrowth::Sum);

/// LIKE and ILIKE with a pattern that is not a constant; the third argument is the escape
/// character.
pub(crate) static LIKE: Function = Function::new(
    "LIKE",
    &[ArgumentType::Text, ArgumentType::Text, ArgumentType::Text],
    BOOLEAN,
    like,
)
.fallible();
pub(crate) static ILIKE: Function = Function::new(
    "ILIKE",
    &[ArgumentType::Text, ArgumentType::Text, ArgumentType::Text],
    BOOLEAN,
    ilike,
)
.fallible();

pub(crate) fn to_lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}

fn to_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// Appends the text in lower case.
pub(crate) fn push_lower(text: &str, to: &mut String) {
    if text.is_ascii() {
        let start = to.len();
        to.push_str(text);
        to[start..].make_ascii_lowercase();
    } else {
        to.extend(text.chars().map(to_lower));
    }
}

fn lower(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_text(|row, to| {
        push_lower(texts.at(row), to);
        Ok(())
    })
}

fn upper(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_text(|row, to| {
        let text = texts.at(row);
        if text.is_ascii() {
            to.push_str(text);
            to.make_ascii_uppercase();
        } else {
            to.extend(text.chars().map(to_upper));
        }
        Ok(())
    })
}

fn initcap(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_text(|row, to| {
        let mut in_word = false;
        to.extend(texts.at(row).chars().map(|c| {
            let mapped = if in_word { to_lower(c) } else { to_upper(c) };
            in_word = c.is_alphanumeric();
            mapped
        }));
        Ok(())
    })
}

fn count_of(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn length(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_number::<Int64Type>(|row| Ok(count_of(texts.at(row).chars().count())))
}

fn octet_length(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_number::<Int64Type>(|row| Ok(count_of(texts.at(row).len())))
}

fn strpos(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, sought) = (arguments.texts(0), arguments.texts(1));
    let finder = sought.constant().map(memmem::Finder::new);
    arguments.each_number::<Int64Type>(|row| {
        let text = texts.at(row);
        let found = match &finder {
            Some(finder) => finder.find(text.as_bytes()),
            None => memmem::find(text.as_bytes(), sought.at(row).as_bytes()),
        };
        Ok(found.map_or(0, |at| count_of(text[..at].chars().count()) + 1))
    })
}

fn starts_with(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, starts) = (arguments.texts(0), arguments.texts(1));
    arguments.each_boolean(|row| Ok(texts.at(row).starts_with(starts.at(row))))
}

/// Returns the byte offset of the character with this index, at most the length of the text.
fn byte_of(text: &str, character: i64) -> usize {
    let Ok(character) = usize::try_from(character) else { return 0 };
    if text.is_ascii() {
        return character.min(text.len());
    }
    text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte)
}

fn substring(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let starts = arguments.numbers::<Int64Type>(1);
    let lengths = (arguments.count() > 2).then(|| arguments.numbers::<Int64Type>(2));
    arguments.each_part(|row, text| {
        let start = starts.at(row).saturating_sub(1);
        let end = match &lengths {
            None => i64::MAX,
            Some(lengths) if lengths.at(row) < 0 => {
                return Err(Problem("negative substring length not allowed".to_owned()));
            }
            Some(lengths) => start.saturating_add(lengths.at(row)),
        };
        let rest = &text[byte_of(text, start)..];
        Ok(&rest[..byte_of(rest, end.saturating_sub(start.max(0)))])
    })
}

/// Returns the first characters; for a negative number, all but as many of the last characters.
fn left(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let counts = arguments.numbers::<Int64Type>(1);
    arguments.each_part(|row, text| Ok(&text[..split_at(text, counts.at(row))]))
}

fn right(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let counts = arguments.numbers::<Int64Type>(1);
    arguments.each_part(|row, text| {
        // the last 0 characters begin at the end, but `split_at` with -0 returns the start
        let count = counts.at(row);
        let at = if count == 0 { text.len() } else { split_at(text, count.saturating_neg()) };
        Ok(&text[at..])
    })
}

/// Returns the byte offset after the first `count` characters or, if negative, before as many of
/// the last characters.
fn split_at(text: &str, count: i64) -> usize {
    if count >= 0 {
        return byte_of(text, count);
    }
    let before = count_of(text.chars().count()).saturating_add(count);
    byte_of(text, before)
}

/// The characters that a trim removes.
struct Trimmed {
    ascii: u128,
    others: HashSet<char>,
}

impl Trimmed {
    fn new(characters: &str) -> Self {
        let (ascii, others) = characters.chars().partition::<Vec<_>, _>(char::is_ascii);
        let ascii = ascii.into_iter().fold(0, |bits, c| bits | 1 << u32::from(c));
        Self { ascii, others: others.into_iter().collect() }
    }

    fn contains(&self, c: char) -> bool {
        match c.is_ascii() {
            true => self.ascii >> u32::from(c) & 1 == 1,
            false => !self.others.is_empty() && self.others.contains(&c),
        }
    }
}

fn trim(
    arguments: &Arguments<'_>,
    trim: for<'t> fn(&'t str, &Trimmed) -> &'t str,
) -> Result<ArrayRef, Problem> {
    let characters = (arguments.count() > 1).then(|| arguments.texts(1));
    let constant = match &characters {
        None => Some(Trimmed::new(" ")),
        Some(characters) => characters.constant().map(Trimmed::new),
    };
    arguments.each_part(|row, text| match (&constant, &characters) {
        (Some(trimmed), _) => Ok(trim(text, trimmed)),
        (None, Some(characters)) => Ok(trim(text, &Trimmed::new(characters.at(row)))),
        (None, None) => Ok(text),
    })
}

fn btrim(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    trim(arguments, |text, trimmed| text.trim_matches(|c| trimmed.contains(c)))
}

fn ltrim(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    trim(arguments, |text, trimmed| text.trim_start_matches(|c| trimmed.contains(c)))
}

fn rtrim(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    trim(arguments, |text, trimmed| text.trim_end_matches(|c| trimmed.contains(c)))
}

fn split_part(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (delimiters, fields) = (arguments.texts(1), arguments.numbers::<Int64Type>(2));
    arguments.each_part(|row, text| {
        let (delimiter, field) = (delimiters.at(row), fields.at(row));
        let index = field.unsigned_abs().saturating_sub(1);
        let index = usize::try_from(index).unwrap_or(usize::MAX - 1);
        let found = match field {
            0 => return Err(Problem("field position must not be zero".to_owned())),
            _ if delimiter.is_empty() => (index == 0).then_some(text),
            1.. => text.split(delimiter).nth(index),
            // fields are separated from the left even if they are counted from the right
            _ => {
                let before = text.split(delimiter).count().checked_sub(index + 1);
                before.and_then(|before| text.split(delimiter).nth(before))
            }
        };
        Ok(found.unwrap_or(""))
    })
}

fn reverse(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts = arguments.texts(0);
    arguments.each_text(|row, to| {
        to.extend(texts.at(row).chars().rev());
        Ok(())
    })
}

fn replace(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, sought, new) = (arguments.texts(0), arguments.texts(1), arguments.texts(2));
    arguments.each_text(|row, to| {
        let (text, sought, new) = (texts.at(row), sought.at(row), new.at(row));
        if sought.is_empty() {
            to.push_str(text);
            return Ok(());
        }
        let mut rest = 0;
        for at in memmem::find_iter(text.as_bytes(), sought.as_bytes()) {
            to.push_str(&text[rest..at]);
            push(to, new)?;
            rest = at + sought.len();
        }
        to.push_str(&text[rest..]);
        Ok(())
    })
}

/// Returns the text, cut to `length` characters, and the number of missing characters.
fn padded<'t>(text: &'t str, length: i64, fill: &str) -> (&'t str, usize) {
    let text = &text[..byte_of(text, length.max(0))];
    let missing = length.saturating_sub(count_of(text.chars().count()));
    let missing = if fill.is_empty() { 0 } else { usize::try_from(missing).unwrap_or(0) };
    (text, missing)
}

fn push_fill(to: &mut String, fill: &str, characters: usize) -> Result<(), Problem> {
    for c in fill.chars().cycle().take(characters) {
        push(to, c.encode_utf8(&mut [0; 4]))?;
    }
    Ok(())
}

fn lpad(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, lengths) = (arguments.texts(0), arguments.numbers::<Int64Type>(1));
    let fills = (arguments.count() > 2).then(|| arguments.texts(2));
    arguments.each_text(|row, to| {
        let fill = fills.as_ref().map_or(" ", |fills| fills.at(row));
        let (text, missing) = padded(texts.at(row), lengths.at(row), fill);
        push_fill(to, fill, missing)?;
        push(to, text)
    })
}

fn rpad(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, lengths) = (arguments.texts(0), arguments.numbers::<Int64Type>(1));
    let fills = (arguments.count() > 2).then(|| arguments.texts(2));
    arguments.each_text(|row, to| {
        let fill = fills.as_ref().map_or(" ", |fills| fills.at(row));
        let (text, missing) = padded(texts.at(row), lengths.at(row), fill);
        push(to, text)?;
        push_fill(to, fill, missing)
    })
}

fn repeat(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let (texts, times) = (arguments.texts(0), arguments.numbers::<Int64Type>(1));
    arguments.each_text(|row, to| {
        let text = texts.at(row);
        let times = if text.is_empty() { 0 } else { times.at(row) };
        (0..times).try_for_each(|_| push(to, text))
    })
}

/// Concatenates all arguments; NULL counts as an empty text.
fn concat(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts: Vec<_> = (0..arguments.count()).map(|index| arguments.texts(index)).collect();
    arguments.every_text(|row, to| {
        texts.iter().filter_map(|texts| texts.some(row)).try_for_each(|text| push(to, text))?;
        Ok(true)
    })
}

fn concat_ws(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts: Vec<_> = (0..arguments.count()).map(|index| arguments.texts(index)).collect();
    let Some((separators, texts)) = texts.split_first() else {
        return Err(Problem("concat_ws lost its separator".to_owned()));
    };
    arguments.every_text(|row, to| {
        let Some(separator) = separators.some(row) else { return Ok(false) };
        for (index, text) in texts.iter().filter_map(|texts| texts.some(row)).enumerate() {
            push(to, if index == 0 { "" } else { separator })?;
            push(to, text)?;
        }
        Ok(true)
    })
}

fn concatenation(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    let texts: Vec<_> = (0..arguments.count()).map(|index| arguments.texts(index)).collect();
    arguments.each_text(|row, to| texts.iter().try_for_each(|texts| push(to, texts.at(row))))
}

fn like(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    matching(arguments, PatternLanguage::Like)
}

fn ilike(arguments: &Arguments<'_>) -> Result<ArrayRef, Problem> {
    matching(arguments, PatternLanguage::ILike)
}

/// Compiles the pattern of a record only if it differs from that of the record before.
fn matching(arguments: &Arguments<'_>, language: PatternLanguage) -> Result<ArrayRef, Problem> {
    let (texts, patterns) = (arguments.texts(0), arguments.texts(1));
    let escape = arguments.texts(2).constant().and_then(|escape| escape.chars().next());
    let mut last: Option<(&str, Pattern)> = None;
    let mut scratch = String::new();
    arguments.each_boolean(|row| {
        let written = patterns.at(row);
        let pattern = match last.take().filter(|(text, _)| *text == written) {
            Some((_, pattern)) => pattern,
            None => Pattern::new(language, written, escape).map_err(Problem)?,
        };
        let (_, pattern) = last.insert((written, pattern));
        Ok(pattern.matches(texts.at(row), &mut scratch)?)
    })
}
