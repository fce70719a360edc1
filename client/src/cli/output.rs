//! Where records go and in which form: standard output, or a file that appears when it is whole.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::LineDelimited;
use arrow::json::{Writer as JsonWriter, WriterBuilder};
use sift_client::OutputFile;

use super::args::{Format, OutputArgs};
use super::table::Table;
use super::text::Csv;
use super::{Fault, Result};

/// Bytes that are gathered before they are written.
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
            Format::Table => Form::Table(Table::new(schema)),
            Format::Csv => Form::Csv(Csv::begin(schema, &mut sink)?),
            Format::Jsonl => Form::Jsonl,
            Format::Arrow => Form::Arrow(Box::new(StreamWriter::try_new(Vec::new(), schema)?)),
        };
        Ok(Records { form, sink })
    }
}

/// Records being written.
pub(super) struct Records {
    form: Form,
    sink: Sink,
}

enum Form {
    Table(Table),
    Csv(Csv),
    Jsonl,
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Records {
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.form {
            Form::Table(table) => table.batch(batch, &mut self.sink),
            Form::Csv(csv) => csv.batch(batch, &mut self.sink),
            Form::Jsonl => {
                let mut bytes = Vec::new();
                let builder = WriterBuilder::new().with_explicit_nulls(true);
                let mut writer: JsonWriter<_, LineDelimited> = builder.build(&mut bytes);
                writer.write(batch)?;
                writer.finish()?;
                self.sink.bytes(&bytes)
            }
            Form::Arrow(writer) => {
                writer.write(batch)?;
                self.sink.bytes(&std::mem::take(writer.get_mut()))
            }
        }?;
        self.sink.flush()
    }

    /// Writes what is left; a file gets its name.
    pub(super) fn finish(mut self) -> Result<()> {
        match self.form {
            Form::Table(table) => table.finish(&mut self.sink)?,
            Form::Csv(_) | Form::Jsonl => {}
            Form::Arrow(mut writer) => {
                writer.finish()?;
                self.sink.bytes(writer.get_ref())?;
            }
        }
        self.sink.finish()
    }
}

/// Bytes on their way out.
pub(super) enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File(OutputFile),
}

impl Sink {
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(writer) => writer.write_all(bytes).map_err(Fault::Stdout),
            Self::File(file) => Ok(file.write(bytes)?),
        }
    }

    /// Writes the buffered records.
    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush().map_err(Fault::Stdout),
            Self::File(file) => Ok(file.flush()?),
        }
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
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

/// Prints a line to standard error. Nothing is lost when nobody reads it.
pub(super) fn stderr(line: &str) {
    let _gone = writeln!(io::stderr(), "{line}");
}

/// Names of the columns.
pub(super) fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}
