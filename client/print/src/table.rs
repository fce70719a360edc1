//! Records as a table for people, in bounded memory. The records of the first page decide the
//! widths of the columns, and the others follow page by page. A later value that is wider than its
//! column moves the rest of its page.

use std::io::Write;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::display::ArrayFormatter;
use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, TableStyle, Width,
};

use super::{Result, VALUES, printable};

/// The number of records of a page.
const PAGE_RECORDS: usize = 1000;

/// The maximal width of a column that later pages take from the first one.
const WIDTH_MAX: u16 = 80;

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table that is being printed.
pub(crate) struct Table {
    schema: SchemaRef,
    page: Vec<Row>,
    widths: Option<Vec<u16>>,
    records: u64,
}

impl Table {
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        Self { schema: schema.clone(), page: Vec::new(), widths: None, records: 0 }
    }

    pub(crate) fn batch(&mut self, batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
        let values = Values::new(batch)?;
        for row in 0..batch.num_rows() {
            let mut cells = Row::new();
            for value in values.row(row) {
                cells.add_cell(Cell::new(value?));
            }
            self.page.push(cells);
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
        count(self.records, out)
    }

    fn print_page(&mut self, out: &mut impl Write) -> Result<()> {
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
        if self.widths.is_none() {
            let names = self.schema.fields().iter().map(|field| printable(field.name(), &[]));
            table.set_header(names.collect::<Vec<_>>());
        }
        table.add_rows(self.page.drain(..));
        layout(&mut table, &self.schema, self.widths.as_deref());
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        self.widths.get_or_insert_with(|| table.column_max_content_widths());
        Ok(())
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
    let s = if records == 1 { "" } else { "s" };
    Ok(writeln!(out, "({records} row{s})")?)
}

/// Aligns numbers to the right, and gives every column its width on the first page.
fn layout(table: &mut comfy_table::Table, schema: &Schema, widths: Option<&[u16]>) {
    for (index, field) in schema.fields().iter().enumerate() {
        let Some(column) = table.column_mut(index) else { continue };
        // the style draws another blank between columns
        column.set_padding((0, 1));
        if field.data_type().is_numeric() {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(width) = widths.and_then(|widths| widths.get(index)) {
            // a width counts the padding
            let width = width.min(&WIDTH_MAX).saturating_add(1);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
}

fn value(array: &dyn Array, formatter: &ArrayFormatter<'_>, row: usize) -> Result<String> {
    if array.is_null(row) {
        return Ok("NULL".to_owned());
    }
    let text = formatter.value(row).try_to_string()?;
    Ok(match text.as_str() {
        "NULL" => "\"NULL\"".to_owned(),
        text => printable(text, &[]).into_owned(),
    })
}
