//! Where records go and in which form: standard output, or a file that appears when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::LineDelimited;
use arrow::json::{Writer as JsonWriter, WriterBuilder};

use super::args::{Format, OutputArgs};
use super::table::Table;
use super::text::Csv;
use super::{Fault, Result};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// A checked choice of output; nothing is written yet.
pub(super) struct Output {
    format: Format,
    file: Option<PathBuf>,
}

impl Output {
    /// # Errors
    /// [`Fault::ArrowToTerminal`].
    pub(super) fn check(args: &OutputArgs) -> Result<Self> {
        let to_terminal = args.output.is_none() && io::stdout().is_terminal();
        let format = match args.format {
            Some(Format::Arrow) if to_terminal => return Err(Fault::ArrowToTerminal),
            Some(format) => format,
            None if to_terminal => Format::Table,
            None => Format::Csv,
        };
        Ok(Self { format, file: args.output.clone() })
    }

    /// A table on standard output.
    pub(super) fn table() -> Self {
        Self { format: Format::Table, file: None }
    }

    /// Begins to write records of a schema.
    pub(super) fn begin(self, schema: &SchemaRef) -> Result<Records> {
        let mut sink = Sink::open(self.file)?;
        let form = match self.format {
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
    File { writer: BufWriter<File>, part: PathBuf, path: PathBuf },
}

impl Sink {
    fn open(path: Option<PathBuf>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout())));
        };
        let mut part = OsString::from(&path);
        part.push(".part");
        let part = PathBuf::from(part);
        match File::create(&part) {
            Ok(file) => {
                Ok(Self::File { writer: BufWriter::with_capacity(BUFFER_BYTES, file), part, path })
            }
            Err(source) => Err(Fault::File { action: "create", path: part, source }),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(writer) => writer.write_all(bytes).map_err(Fault::Stdout),
            Self::File { writer, part, .. } => {
                writer.write_all(bytes).map_err(|e| file("write", part, e))
            }
        }
    }

    /// Shows what there is; a file can wait.
    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Stdout(writer) => writer.flush().map_err(Fault::Stdout),
            Self::File { .. } => Ok(()),
        }
    }

    fn finish(mut self) -> Result<()> {
        self.flush()?;
        if let Self::File { writer, part, path } = &mut self {
            writer.flush().map_err(|e| file("write", part, e))?;
            fs::rename(&part, path).map_err(|e| file("rename", part, e))?;
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // after `finish` the part has another name and nothing is removed
        if let Self::File { part, .. } = self {
            let _gone = fs::remove_file(part);
        }
    }
}

fn file(action: &'static str, path: &std::path::Path, source: io::Error) -> Fault {
    Fault::File { action, path: path.to_owned(), source }
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
