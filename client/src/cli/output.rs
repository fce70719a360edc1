//! The output for records: standard output, or a file that appears when it is complete.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sift_client::OutputFile;
use sift_print::{Escaping, Form, Layout, Printer};

use super::args::{Format, OutputArgs};
use super::fault::{Fault, Result};
use super::pager::Pager;
use super::terminal::{self, Size};

/// The size of the write buffer.
const BUFFER_BYTES: usize = 64 << 10;

/// The maximal size of a row group of Parquet, which is in memory until it is complete.
const ROW_GROUP_BYTES_MAX: usize = 64 << 20;

/// A checked output; nothing is opened yet.
pub(super) struct Output {
    format: Format,
    layout: Layout,
    to: To,
}

enum To {
    Stdout,
    File {
        path: PathBuf,
        is_regular: bool,
    },
    /// The terminal of this size.
    Screen(Size),
}

/// Returns the file that `-o` names; `None` for standard output.
pub(super) fn file(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| path.as_os_str() != "-")
}

impl Output {
    /// # Errors
    /// [`Fault::BinaryToTerminal`], or a file that cannot be written.
    pub(super) fn check(args: &OutputArgs) -> Result<Self> {
        let file = file(args.output.as_deref());
        let to_terminal = file.is_none() && io::stdout().is_terminal();
        let by_default = if to_terminal { Format::Table } else { Format::Csv };
        let format = args.format.unwrap_or(by_default);
        if to_terminal {
            refuse_binary(format)?;
        }
        let to = match file {
            None => To::Stdout,
            Some(path) => {
                let is_regular = OutputFile::is_regular(path)?;
                To::File { path: path.to_owned(), is_regular }
            }
        };
        let on_terminal = if to_terminal { terminal::layout() } else { Layout::default() };
        let layout = Layout { null: args.null.clone(), ..on_terminal };
        Ok(Self { format, layout, to })
    }

    /// Returns a table on standard output.
    pub(super) fn table() -> Self {
        let layout =
            if io::stdout().is_terminal() { terminal::layout() } else { Layout::default() };
        Self { format: Format::Table, layout, to: To::Stdout }
    }

    /// Returns an output on the terminal, with a pager if the text is longer than the screen.
    ///
    /// # Errors
    /// [`Fault::BinaryToTerminal`].
    pub(super) fn on_screen(format: Format) -> Result<Self> {
        refuse_binary(format)?;
        let to = terminal::size().map_or(To::Stdout, To::Screen);
        Ok(Self { format, layout: terminal::layout(), to })
    }

    /// Returns whether there is a file that must be removed if the command does not complete.
    pub(super) fn is_regular(&self) -> bool {
        matches!(self.to, To::File { is_regular: true, .. })
    }

    /// Opens the file, if there is one. This is the last step that can fail before the request is
    /// sent.
    pub(super) fn open(self) -> Result<Opened> {
        let sink = match self.to {
            To::Stdout => Sink::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())),
            To::File { path, .. } => Sink::File(OutputFile::create(path)?),
            To::Screen(size) => Sink::Screen(Pager::new(size)),
        };
        Ok(Opened { format: self.format, layout: self.layout, sink })
    }
}

/// # Errors
/// [`Fault::BinaryToTerminal`].
fn refuse_binary(format: Format) -> Result<()> {
    match format {
        Format::Arrow => Err(Fault::BinaryToTerminal("Arrow")),
        Format::Parquet => Err(Fault::BinaryToTerminal("Parquet")),
        _ => Ok(()),
    }
}

/// An open output for records.
pub(super) struct Opened {
    format: Format,
    layout: Layout,
    sink: Sink,
}

impl Opened {
    /// Begins to write records of a schema.
    pub(super) fn begin(self, schema: &SchemaRef) -> Result<Records> {
        let Self { format, layout, sink } = self;
        let form = match format {
            Format::Table => Form::Table,
            Format::Csv => Form::Csv,
            Format::Jsonl => Form::JsonLines,
            Format::Json => Form::Json,
            Format::Markdown => Form::Markdown,
            Format::Vertical => Form::Vertical,
            Format::Arrow => {
                let writer = Box::new(StreamWriter::try_new(Vec::new(), schema)?);
                return Ok(Records::Arrow { writer, sink });
            }
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
                    .build();
                let writer = ArrowWriter::try_new(sink, SchemaRef::clone(schema), Some(properties));
                return Ok(Records::Parquet(Box::new(writer?)));
            }
        };
        let escapes = sink.is_terminal() && form.is_for_programs();
        let mut sink = Escaping::new(sink, escapes);
        let printer = Printer::with_layout(form, &layout, schema, &mut sink)?;
        Ok(Records::Text { printer, sink, is_array: form == Form::Json })
    }
}

/// Records being written.
pub(super) enum Records {
    Text { printer: Printer, sink: Escaping<Sink>, is_array: bool },
    Arrow { writer: Box<StreamWriter<Vec<u8>>>, sink: Sink },
    Parquet(Box<ArrowWriter<Sink>>),
}

impl Records {
    /// Returns whether text may go to the terminal.
    pub(super) fn is_on_terminal(&self) -> bool {
        matches!(self, Self::Text { sink, .. } if sink.get_ref().is_terminal())
    }

    /// Returns whether nothing else may be written to the terminal: a pager runs, or the last line
    /// goes on in the next batch.
    pub(super) fn owns_terminal(&self) -> bool {
        let Self::Text { sink, is_array, .. } = self else { return false };
        match sink.get_ref() {
            Sink::Screen(pager) => *is_array || pager.has_begun(),
            sink => *is_array && sink.is_terminal(),
        }
    }

    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Text { printer, sink, .. } => {
                printer.batch(batch, sink)?;
                sink.flush().map_err(Fault::of_output)
            }
            Self::Arrow { writer, sink } => {
                writer.write(batch)?;
                let bytes = std::mem::take(writer.get_mut());
                sink.write_all(&bytes).and_then(|()| sink.flush()).map_err(Fault::of_output)
            }
            Self::Parquet(writer) => Ok(writer.write(batch)?),
        }
    }

    /// Writes the rest, and gives a file its name.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Text { printer, mut sink, .. } => {
                printer.finish(&mut sink)?;
                sink.into_inner().finish()
            }
            Self::Arrow { mut writer, mut sink } => {
                writer.finish()?;
                sink.write_all(writer.get_ref()).map_err(Fault::of_output)?;
                sink.finish()
            }
            Self::Parquet(writer) => writer.into_inner()?.finish(),
        }
    }
}

/// The destination of the bytes. An error of a file is a [`sift_client::Error`] in an
/// [`io::Error`].
pub(super) enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File(OutputFile),
    Screen(Pager),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(writer) => writer.write(bytes),
            Self::Screen(pager) => pager.write(bytes),
            Self::File(file) => {
                file.write(bytes).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::Screen(pager) => pager.flush(),
            Self::File(file) => file.flush().map_err(io::Error::other),
        }
    }
}

impl Sink {
    fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout(_) => io::stdout().is_terminal(),
            Self::Screen(_) => true,
            Self::File(_) => false,
        }
    }

    fn finish(mut self) -> Result<()> {
        self.flush().map_err(Fault::of_output)?;
        match self {
            Self::Stdout(_) => Ok(()),
            Self::Screen(pager) => pager.finish().map_err(Fault::of_output),
            Self::File(file) => Ok(file.finish()?),
        }
    }
}

/// Writes bytes to standard output.
pub(super) fn stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Fault::Stdout)
}

/// Prints a line to standard error, and ignores an error.
pub(super) fn stderr(line: &str) {
    let _gone = writeln!(io::stderr(), "{line}");
}
