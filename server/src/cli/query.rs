//! `siftd query`: prints the result of a Select over local files.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sift_print::{Escaping, Form, Printer};
use sift_select::{IndexFolder, ScanOptions};
use sift_server::LocalQuery;

use super::settings;

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// A file to print as a whole, or a Select with the path of a file or a pattern of several
    /// files: "SELECT a FROM 'b/*.csv'"
    #[arg(value_name = "FILE|SELECT")]
    query: String,

    /// The format of the output [default: table on a terminal, csv otherwise]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// The folder of the server's state, with the indexes of files (siftd index)
    ///
    /// By default that of siftd.toml, or the machine's. The keys of encrypted files are those of
    /// siftd.toml.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people; NULL is NULL and the text NULL is "NULL"
    Table,
    /// RFC 4180 with a header; NULL is empty and the empty text is ""
    Csv,
    /// One JSON object for each line; decimals are exact numbers, dates are texts
    Jsonl,
    /// One JSON array of the same objects
    Json,
    /// A table of GitHub's Markdown
    Markdown,
    /// Each record as lines of a name and a value
    Vertical,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::JsonLines,
            Format::Json => Self::Json,
            Format::Markdown => Self::Markdown,
            Format::Vertical => Self::Vertical,
        }
    }
}

pub(crate) fn run(args: QueryArgs) -> Result<(), super::error::Error> {
    let default = if io::stdout().is_terminal() { Format::Table } else { Format::Csv };
    // without a readable configuration there is no index and no key, which is not an error
    let state = args.state.or_else(|| settings::state(None).ok());
    let indexes = state.as_deref().map(IndexFolder::new);
    let keys = settings::local_keys(None).unwrap_or_default();
    let sql = select(&args.query);
    let query = LocalQuery::new(&sql, &[], ScanOptions::default(), indexes, &keys)?;
    // the scan has its own threads
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match runtime.block_on(print(query, args.format.unwrap_or(default))) {
        // it is not an error if the reader has closed the pipe
        Err(
            super::error::Error::Io(error)
            | super::error::Error::Print(sift_print::Error::Write(error)),
        ) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

async fn print(mut query: LocalQuery, format: Format) -> Result<(), super::error::Error> {
    let form = Form::from(format);
    let escapes = io::stdout().is_terminal() && form.is_for_programs();
    let mut out = Escaping::new(io::BufWriter::new(io::stdout()), escapes);
    let mut printer = Printer::begin(form, query.schema(), &mut out)?;
    while let Some(batch) = query.next().await? {
        printer.batch(&batch, &mut out)?;
        out.flush()?;
    }
    printer.finish(&mut out)?;
    Ok(out.flush()?)
}

/// Turns the name of a file into a Select of the whole file.
fn select(query: &str) -> String {
    let first = query.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next();
    let is_select = first.is_some_and(|word| {
        word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with")
    });
    // a single word is a name
    match is_select && query.trim().contains(char::is_whitespace) {
        true => query.to_owned(),
        false => format!("SELECT * FROM '{}'", query.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_whole_file() {
        for (query, expected) in [
            ("a.csv", "SELECT * FROM 'a.csv'"),
            ("it's/a b.csv", "SELECT * FROM 'it''s/a b.csv'"),
            ("select", "SELECT * FROM 'select'"),
            ("selected files.csv", "SELECT * FROM 'selected files.csv'"),
            (" select a from 'b'", " select a from 'b'"),
        ] {
            assert_eq!(select(query), expected);
        }
    }
}
