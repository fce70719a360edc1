//! One table of a descriptor: typed access to its keys, with errors that tell line and column.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::descriptor::DescriptorProblem;
use crate::{Error, Result};

/// The text of a descriptor and what errors call it.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) name: &'t str,
    pub(super) text: &'t str,
}

impl Text<'_> {
    /// The error about the bytes `at` of the text.
    pub(super) fn error(&self, at: usize, problem: DescriptorProblem) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Error::descriptor_at(self.name, (line, column), problem)
    }
}

/// The keys of one table.
pub(super) struct Keys<'t> {
    pub(super) text: Text<'t>,
    /// The position of the table, for an error about a missing key.
    at: usize,
    table: &'t DeTable<'t>,
}

impl<'t> Keys<'t> {
    /// The table that starts at byte `at`; a key outside of `known` is an error.
    pub(super) fn new(
        text: Text<'t>,
        at: usize,
        table: &'t DeTable<'t>,
        known: &[&str],
    ) -> Result<Self> {
        let unknown = table.keys().find(|key| !known.contains(&key.as_ref().as_ref()));
        let Some(unknown) = unknown else { return Ok(Self { text, at, table }) };
        let key: &str = unknown.as_ref();
        let nearest = nearest(key, known).map(str::to_owned);
        let (key, known) = (key.to_owned(), list(known));
        let problem = DescriptorProblem::UnknownKey { key, nearest, known };
        Err(text.error(unknown.span().start, problem))
    }

    /// The error about the value of `key`, or about its absence.
    pub(super) fn error(&self, key: &str, problem: DescriptorProblem) -> Error {
        let at = self.table.get(key).map_or(self.at, |value| value.span().start);
        self.text.error(at, problem)
    }

    /// The error that the value of `key` is not what is expected.
    pub(super) fn wrong_value(&self, key: &str, expected: &'static str) -> Error {
        let problem = DescriptorProblem::WrongValue { key: key.to_owned(), expected };
        self.error(key, problem)
    }

    /// The error that the value of `key` is none of the words that are known.
    pub(super) fn wrong_word(
        &self,
        key: &str,
        word: &str,
        nearest: Option<&str>,
        known: &str,
    ) -> Error {
        let problem = DescriptorProblem::WrongWord {
            key: key.to_owned(),
            word: word.to_owned(),
            nearest: nearest.map(str::to_owned),
            known: known.to_owned(),
        };
        self.error(key, problem)
    }

    /// The error that the list of `key` has a word twice.
    pub(super) fn twice(&self, key: &str, word: &str) -> Error {
        let problem = DescriptorProblem::Twice { key: key.to_owned(), word: word.to_owned() };
        self.error(key, problem)
    }

    /// `value`, or the error that `key` is missing.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T> {
        let missing = || DescriptorProblem::Missing { key: key.to_owned() };
        value.ok_or_else(|| self.error(key, missing()))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<&'t str>> {
        self.typed(key, "text in quotes", |value| value.as_str())
    }

    pub(super) fn is_string(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.as_ref().is_str())
    }

    /// A text, or a list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'t str>>> {
        self.typed(key, "text in quotes, or a list of such", |value| match value.as_str() {
            Some(text) => Some(vec![text]),
            None => value.as_array()?.iter().map(|item| item.as_ref().as_str()).collect(),
        })
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", |value| value.as_bool())
    }

    /// A whole number of `bounds`, its end excluded.
    pub(super) fn number(&self, key: &str, bounds: Range<u32>) -> Result<Option<u32>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let number = value.as_ref().as_integer();
        let number =
            number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        match number.filter(|number| bounds.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let (key_name, min, max) = (key.to_owned(), bounds.start, bounds.end - 1);
                let problem = DescriptorProblem::WrongNumber { key: key_name, min, max };
                Err(self.error(key, problem))
            }
        }
    }

    /// One text, or an array of them; none where the key is missing.
    pub(super) fn strings(&self, key: &str) -> Result<Vec<&'t str>> {
        let texts =
            self.typed(key, "text in quotes, or an array of texts", |value| match value {
                DeValue::Array(items) => items.iter().map(|item| item.as_ref().as_str()).collect(),
                one => Some(vec![one.as_str()?]),
            })?;
        Ok(texts.unwrap_or_default())
    }

    /// One of a closed set of words.
    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        self.string(key)?.map(|word| self.chosen(key, word, words)).transpose()
    }

    /// Some of a closed set of words, each at most once.
    pub(super) fn choices<T: Copy + PartialEq>(
        &self,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<Vec<T>> {
        let mut choices = Vec::new();
        for word in self.strings(key)? {
            let choice = self.chosen(key, word, words)?;
            if choices.contains(&choice) {
                return Err(self.twice(key, word));
            }
            choices.push(choice);
        }
        Ok(choices)
    }

    fn chosen<T: Copy>(&self, key: &str, word: &str, words: &[(&str, T)]) -> Result<T> {
        if let Some((_, choice)) = words.iter().find(|(known, _)| *known == word) {
            return Ok(*choice);
        }
        let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
        Err(self.wrong_word(key, word, nearest(word, &known), &list(&known)))
    }

    /// The table under `key`, with the byte where it starts.
    pub(super) fn table(&self, key: &str) -> Result<Option<(usize, &'t DeTable<'t>)>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let table = self.typed(key, "a table", |value| value.as_table())?;
        Ok(table.map(|table| (value.span().start, table)))
    }

    /// The tables under `[[key]]`, with the bytes where they start.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<(usize, &'t DeTable<'t>)>> {
        let array = self.typed(key, "an array of tables", |value| value.as_array())?;
        let tables = array.into_iter().flatten().map(|item| {
            let at = item.span().start;
            let table = item.as_ref().as_table();
            let table = table.ok_or_else(|| self.error(key, DescriptorProblem::NotTables))?;
            Ok((at, table))
        });
        tables.collect()
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &'static str,
        read: impl Fn(&'t DeValue<'t>) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let value: &'t Spanned<DeValue<'t>> = value;
        match read(value.as_ref()) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong_value(key, expected)),
        }
    }
}

/// The word of `known` that `word` was probably meant to be.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let near =
        known.iter().map(|known| (strsim::normalized_damerau_levenshtein(word, known), known));
    let (similarity, near) = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (similarity >= 0.5).then_some(near)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
