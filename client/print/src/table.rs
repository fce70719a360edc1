//! Records as a table for people, in bounded memory. The records of the first page decide the
//! widths of the columns, and the others follow page by page. A later value that is wider than its
//! column moves the rest of its page. On a terminal, texts are shortened until the table fits, and
//! columns without room are left out.

use std::io::Write;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::ArrayFormatter;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Error, Layout, Result, VALUES, printable};

/// The number of records of a page.
const PAGE_RECORDS: usize = 1000;

/// The maximal width of a column that later pages take from the first one.
const WIDTH_MAX: usize = 80;

/// The minimal width of a column that is shortened.
const WIDTH_MIN: usize = 8;

/// The blanks between two columns.
const GAP: &str = "  ";

/// The end of a shortened text.
const MARK: char = '…';

/// The escape sequences of the names, of NULL, and of what follows them.
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// A value that is NULL. The text NULL is in quotation marks.
const NULL: &str = "NULL";

/// A table that is being printed.
pub(crate) struct Table {
    names: Vec<String>,
    is_number: Vec<bool>,
    /// The width of the terminal.
    width_max: Option<usize>,
    colours: bool,
    page: Vec<Vec<String>>,
    /// The widths of the first page.
    widths: Option<Vec<usize>>,
    /// The fewest columns that a page had room for.
    fitting: usize,
    records: u64,
}

impl Table {
    pub(crate) fn new(schema: &SchemaRef, layout: &Layout) -> Self {
        let fields = schema.fields();
        Self {
            names: fields.iter().map(|field| printable(field.name(), &[]).into_owned()).collect(),
            is_number: fields.iter().map(|field| field.data_type().is_numeric()).collect(),
            width_max: layout.width,
            colours: layout.colours,
            page: Vec::new(),
            widths: None,
            fitting: fields.len(),
            records: 0,
        }
    }

    pub(crate) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let values = Values::new(batch)?;
        for row in 0..batch.num_rows() {
            self.page.push(values.row(row).collect::<Result<_>>()?);
            if self.page.len() == PAGE_RECORDS {
                self.print_page(out)?;
            }
        }
        self.records += batch.num_rows() as u64;
        Ok(())
    }

    pub(crate) fn finish(mut self, out: &mut impl Write) -> Result<()> {
        if !self.page.is_empty() || self.widths.is_none() {
            self.print_page(out)?;
        }
        let all = self.names.len();
        match all - self.fitting {
            0 => count(self.records, out),
            left => writeln!(out, "({}; no room for {left} of {all} columns)", rows(self.records))
                .map_err(Error::from),
        }
    }

    fn print_page(&mut self, out: &mut impl Write) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        let of_first = self.widths.as_ref();
        let mut widths: Vec<usize> = match of_first {
            None => self.names.iter().map(|name| name.width()).collect(),
            Some(widths) => widths.iter().map(|width| *width.min(&WIDTH_MAX)).collect(),
        };
        for row in &page {
            for (width, value) in widths.iter_mut().zip(row) {
                *width = value.width().max(*width);
            }
        }
        let mut fitting = widths.len();
        if let Some(width_max) = self.width_max {
            fitting = fit(&mut widths, &self.is_number, width_max);
        }
        self.fitting = self.fitting.min(fitting);
        let shown = widths.get(..fitting).unwrap_or(&widths);
        if of_first.is_none() {
            self.line(&self.names, shown, |_| Some(BOLD), out)?;
            let gaps = shown.len().saturating_sub(1) * GAP.len();
            writeln!(out, "{}", "─".repeat(shown.iter().sum::<usize>() + gaps + 1))?;
        }
        for row in &page {
            self.line(row, shown, |value| (value == NULL).then_some(DIM), out)?;
        }
        self.widths.get_or_insert(widths);
        Ok(())
    }

    /// Writes a line of cells. Numbers are aligned to the right.
    fn line(
        &self,
        cells: &[String],
        widths: &[usize],
        style: impl Fn(&str) -> Option<&'static str>,
        out: &mut impl Write,
    ) -> Result<()> {
        let mut line = String::new();
        let mut owed = 0;
        for ((cell, width), is_number) in cells.iter().zip(widths).zip(&self.is_number) {
            let shown = shortened(cell, *width);
            let blanks = width.saturating_sub(shown.width());
            let (before, after) = if *is_number { (blanks, 0) } else { (0, blanks) };
            // blanks at the end of a line are not written
            if !shown.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed + before));
                owed = 0;
                match style(cell).filter(|_| self.colours) {
                    Some(style) => line.extend([style, &shown, PLAIN]),
                    None => line += &shown,
                }
            } else {
                owed += before;
            }
            owed += after + GAP.len();
        }
        Ok(writeln!(out, "{line}")?)
    }
}

/// The values of a batch as texts for people.
pub(crate) struct Values<'b>(Vec<(&'b dyn Array, ArrayFormatter<'b>)>);

impl<'b> Values<'b> {
    /// # Errors
    /// Arrow cannot format a column.
    pub(crate) fn new(batch: &'b RecordBatch) -> Result<Self> {
        let formatter =
            |array: &'b ArrayRef| Ok((array.as_ref(), ArrayFormatter::try_new(array, &VALUES)?));
        Ok(Self(batch.columns().iter().map(formatter).collect::<Result<_>>()?))
    }

    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = Result<String>> {
        self.0.iter().map(move |(array, formatter)| value(*array, formatter, row))
    }
}

/// Writes the number of records below them.
pub(crate) fn count(records: u64, out: &mut impl Write) -> Result<()> {
    Ok(writeln!(out, "({})", rows(records))?)
}

fn rows(records: u64) -> String {
    let s = if records == 1 { "" } else { "s" };
    format!("{records} row{s}")
}

/// Narrows the widest columns of texts until a line has at most `width_max` characters. Numbers are
/// never shortened, because the rest would look like another number. Returns how many columns fit,
/// at least the first.
fn fit(widths: &mut [usize], is_number: &[bool], width_max: usize) -> usize {
    let gaps = widths.len().saturating_sub(1) * GAP.len();
    // the rule below the names is one character longer
    let available = width_max.saturating_sub(gaps + 1);
    let narrowed = |width: usize, is_number: bool, most: usize| match is_number {
        true => width,
        false => width.min(most),
    };
    let of_all = |most| -> usize {
        widths.iter().zip(is_number).map(|(width, number)| narrowed(*width, *number, most)).sum()
    };
    if of_all(usize::MAX) <= available {
        return widths.len();
    }
    let most = (WIDTH_MIN..=available).rev().find(|most| of_all(*most) <= available);
    for (width, is_number) in widths.iter_mut().zip(is_number) {
        *width = narrowed(*width, *is_number, most.unwrap_or(WIDTH_MIN));
    }
    let mut end = 0;
    let fits = |width: &&usize| {
        end += **width + GAP.len();
        // the last column has no gap, and the rule is one character longer
        end - GAP.len() < width_max
    };
    widths.iter().take_while(fits).count().max(1).min(widths.len())
}

/// Returns the text, or its start with a mark at its end.
fn shortened(text: &str, width_max: usize) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let mut width = 1;
    let fits = |c: &char| {
        width += c.width().unwrap_or_default();
        width <= width_max
    };
    text.chars().take_while(fits).chain([MARK]).collect()
}

fn value(array: &dyn Array, formatter: &ArrayFormatter<'_>, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok(NULL.to_owned());
    }
    let text = formatter.value(row).try_to_string()?;
    Ok(match text.as_str() {
        NULL => "\"NULL\"".to_owned(),
        text => printable(text, &[]).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_texts_are_shortened_first() {
        let fitted = |widths: &[usize], is_number: &[bool], width_max| {
            let mut widths = widths.to_vec();
            let fitting = fit(&mut widths, is_number, width_max);
            (widths, fitting)
        };
        assert_eq!(fitted(&[10, 10], &[false, false], 23), ([10, 10].to_vec(), 2));
        assert_eq!(fitted(&[10, 40], &[false, false], 33), ([10, 20].to_vec(), 2));
        assert_eq!(fitted(&[30, 40, 5], &[false, false, true], 50), ([20, 20, 5].to_vec(), 3));
        // numbers stay, no column becomes unreadable, and what does not fit is left out
        assert_eq!(fitted(&[38, 40], &[true, false], 30), ([38, 8].to_vec(), 1));
        assert_eq!(fitted(&[8, 9, 8, 8], &[false; 4], 37), ([8; 4].to_vec(), 3));
        assert_eq!(fitted(&[8, 9, 8, 8], &[false; 4], 39), ([8; 4].to_vec(), 4));
        assert_eq!(fitted(&[], &[], 0), (Vec::new(), 0));
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdef", 5), "abcd…");
        assert_eq!(shortened("東京都", 5), "東京…");
        assert_eq!(shortened("東京都", 4), "東…");
    }
}
