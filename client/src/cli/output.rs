//! The output for records: standard output, or a file that appears when it is complete.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use sift_client::OutputFile;
use sift_print::{Form, Printer};

use super::args::{Format, OutputArgs};
use super::fault::{Fault, Result};

/// The size of the write buffer.
const BUFFER_BYTES: usize = 64 << 10;

/// A checked output; nothing is opened yet.
pub(super) struct Output {
    format: Format,
    /// The file; `None` for standard output.
    file: Option<PathBuf>,
    is_regular: bool,
}

/// Returns the file that `-o` names; `None` for standard output.
pub(super) fn file(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| path.as_os_str() != "-")
}

impl Output {
    /// # Errors
    /// [`Fault::ArrowToTerminal`], or a file that cannot be written.
    pub(super) fn check(args: &OutputArgs) -> Result<Self> {
        let file = file(args.output.as_deref());
        let to_terminal = file.is_none() && io::stdout().is_terminal();
        let format = match args.format {
            Some(Format::Arrow) if to_terminal => return Err(Fault::ArrowToTerminal),
            Some(format) => format,
            None if to_terminal => Format::Table,
            None => Format::Csv,
        };
        let is_regular = file.map(OutputFile::is_regular).transpose()?.unwrap_or_default();
        Ok(Self { format, file: file.map(Path::to_owned), is_regular })
    }

    /// Returns a table on standard output.
    pub(super) fn table() -> Self {
        Self { format: Format::Table, file: None, is_regular: false }
    }

    /// Returns whether there is a file that must be removed if the command does not complete.
    pub(super) fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// Opens the file, if there is one. This is the last step that can fail before the request is
    /// sent.
    pub(super) fn open(self) -> Result<Opened> {
        let sink = match self.file {
            None => Sink::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())),
            Some(path) => Sink::File(OutputFile::create(path)?),
        };
        Ok(Opened { format: self.format, sink })
    }
}

/// An open output for records.
pub(super) struct Opened {
    format: Format,
    sink: Sink,
}

impl Opened {
    /// Begins to write records of a schema.
    pub(super) fn begin(self, schema: &SchemaRef) -> Result<Records> {
        let Self { format, mut sink } = self;
        let form = match format {
            Format::Table => Form::Table,
            Format::Csv => Form::Csv,
            Format::Jsonl => Form::JsonLines,
            Format::Json => Form::Json,
            Format::Markdown => Form::Markdown,
            Format::Vertical => Form::Vertical,
            Format::Arrow => {
                let writer = Box::new(StreamWriter::try_new(Vec::new(), schema)?);
                return Ok(Records { writer: Writer::Arrow(writer), sink });
            }
        };
        let writer = Writer::Text(Printer::begin(form, schema, &mut sink)?);
        Ok(Records { writer, sink })
    }
}

/// Records being written.
pub(super) struct Records {
    writer: Writer,
    sink: Sink,
}

enum Writer {
    Text(Printer),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Records {
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.writer {
            Writer::Text(printer) => printer.batch(batch, &mut self.sink)?,
            Writer::Arrow(writer) => {
                writer.write(batch)?;
                let bytes = std::mem::take(writer.get_mut());
                self.sink.write_all(&bytes).map_err(Fault::of_output)?;
            }
        }
        self.sink.flush().map_err(Fault::of_output)
    }

    /// Writes the rest, and gives a file its name.
    pub(super) fn finish(mut self) -> Result<()> {
        match self.writer {
            Writer::Text(printer) => printer.finish(&mut self.sink)?,
            Writer::Arrow(mut writer) => {
                writer.finish()?;
                self.sink.write_all(writer.get_ref()).map_err(Fault::of_output)?;
            }
        }
        self.sink.finish()
    }
}

/// The destination of the bytes. An error of a file is a [`sift_client::Error`] in an
/// [`io::Error`].
enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File(OutputFile),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(writer) => writer.write(bytes),
            Self::File(file) => {
                file.write(bytes).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush(),
            Self::File(file) => file.flush().map_err(io::Error::other),
        }
    }
}

impl Sink {
    fn finish(mut self) -> Result<()> {
        self.flush().map_err(Fault::of_output)?;
        match self {
            Self::Stdout(_) => Ok(()),
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
