//! The shell: `sift` without a command, on a terminal.
//!
//! It reads an entry, does it, and reads the next. Ctrl-C ends what an entry does, and not the
//! shell.

use std::io::{self, IsTerminal as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sift_client::{Connection, Connector, Query};
use tokio::sync::Mutex;

mod complete;
mod editor;
mod input;
mod link;

use super::args::{Format, OutputArgs};
use super::fault::{Fault, Outcome, Result};
use super::output::{self, Output, stderr};
use super::select::{self, rounded};
use super::target::Names;
use super::{hint, show};
use editor::{Editor, Typed};
use input::{COMMANDS, Command, Entry};
use link::Link;

const HELP: &str = "\
A Select ends with ; and may have many lines. EXPLAIN and EXPLAIN ANALYZE
tell how it is evaluated. Ctrl-C cancels it. Tab completes keywords,
functions, columns and files. What begins with a blank is not in the history.

";

/// Returns whether a user can type entries and read answers.
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Reads and does entries until the user leaves.
///
/// # Errors
/// The errors of the first connection, and of the terminal.
pub(super) async fn run(connector: Connector, names: Names) -> Result<Outcome> {
    let link = Arc::new(Mutex::new(Link::open(connector, names).await?));
    let mut editor = Editor::new(Arc::clone(&link)).map_err(Fault::Editor)?;
    let version = env!("CARGO_PKG_VERSION");
    output::stdout(format!("sift {version}: a Select ends with ; and \\? is help\n").as_bytes())?;
    let mut shell =
        Shell { link, format: None, is_expanded: false, is_timed: false, file: None, last: None };
    loop {
        let prompt = shell.prompt().await;
        #[expect(clippy::disallowed_methods, reason = "it waits for the terminal")]
        let read = tokio::task::spawn_blocking(move || {
            let typed = editor.read(&prompt);
            (editor, typed)
        });
        let typed;
        (editor, typed) = read.await.map_err(|lost| Fault::Runtime(lost.into()))?;
        match typed {
            Typed::Interrupted => {}
            Typed::End => return Ok(Outcome::Found),
            Typed::Text(text) => {
                for entry in input::parse(&text).unwrap_or_default() {
                    if shell.entry(entry).await.is_break() {
                        return Ok(Outcome::Found);
                    }
                }
            }
        }
    }
}

/// The state of the shell between two entries.
struct Shell {
    link: Arc<Mutex<Link>>,
    /// The format that the user chose.
    format: Option<Format>,
    is_expanded: bool,
    is_timed: bool,
    /// The file of the next answer.
    file: Option<PathBuf>,
    /// The last Select, for `\watch`.
    last: Option<String>,
}

impl Shell {
    async fn prompt(&self) -> String {
        let mut link = self.link.lock().await;
        link.news().iter().for_each(|line| stderr(line));
        link.prompt()
    }

    /// Does an entry, and tells what was wrong. Breaks if the user wants to leave.
    async fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let done = match entry {
            Entry::Command(Command::Quit) => return ControlFlow::Break(()),
            Entry::Command(command) => self.command(command).await,
            Entry::Select(sql) => {
                let selected = self.select(&sql).await;
                self.last = Some(sql);
                selected
            }
            Entry::Explain { sql, analyze } => {
                self.cancellable(async |connection| {
                    let explained = show::explain(connection, Query::new(sql), analyze).await;
                    hint::of_file(explained, connection).await
                })
                .await
            }
            Entry::Wrong(why) => {
                stderr(&why);
                Ok(())
            }
        };
        match done {
            // the user has left the pager
            Err(fault) if fault.is_broken_pipe() => {}
            Err(fault) => stderr(&fault.shown()),
            Ok(()) => {}
        }
        ControlFlow::Continue(())
    }

    async fn command(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Help => help()?,
            Command::Quit => {}
            Command::Channel => {
                self.cancellable(async |connection| show::channel(connection).await).await?;
            }
            Command::Files(pattern) => {
                let output = Output::on_screen(Format::Table)?;
                self.cancellable(async |connection| {
                    show::files(connection, &pattern, true, output).await
                })
                .await?;
            }
            Command::Describe(file) => {
                self.cancellable(async |connection| {
                    let described = show::describe(connection, &file).await;
                    hint::of_file(described, connection).await
                })
                .await?;
            }
            Command::Expanded(on) => {
                self.is_expanded = on.unwrap_or(!self.is_expanded);
                stderr(if self.is_expanded {
                    "each record is shown as lines of a name and a value"
                } else {
                    "records are shown as a table"
                });
            }
            Command::Timing(on) => {
                self.is_timed = on.unwrap_or(!self.is_timed);
                stderr(if self.is_timed { "timing is on" } else { "timing is off" });
            }
            Command::Format(format) => self.format = format,
            Command::Output(file) => {
                stderr(&match &file {
                    Some(file) => format!("the next answer goes to {file}"),
                    None => "the next answer goes to the terminal".to_owned(),
                });
                self.file = file.map(PathBuf::from);
            }
            Command::Watch(seconds) => self.watch(seconds).await?,
        }
        Ok(())
    }

    /// Repeats the last Select until Ctrl-C, or until it fails.
    async fn watch(&mut self, seconds: f64) -> Result<()> {
        let Some(sql) = self.last.clone() else {
            stderr("there is no Select yet that could be repeated");
            return Ok(());
        };
        let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            tokio::select! {
                biased;
                _ = &mut ended => return Ok(()),
                selected = self.select(&sql) => selected?,
            }
            tokio::select! {
                biased;
                _ = &mut ended => return Ok(()),
                () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => {}
            }
        }
    }

    async fn select(&mut self, sql: &str) -> Result<()> {
        let output = match self.file.take() {
            None => Output::on_screen(match self.format {
                Some(format) => format,
                None if self.is_expanded => Format::Vertical,
                None => Format::Table,
            })?,
            file => {
                let format = self.format.or(Some(Format::Csv));
                Output::check(&OutputArgs { format, output: file, null: None })?
            }
        };
        let started = Instant::now();
        let is_timed = self.is_timed;
        self.cancellable(async |connection| {
            let answered = select::answer(connection, Query::new(sql), output, false).await;
            hint::of_file(answered, connection).await
        })
        .await?;
        if is_timed {
            stderr(&format!("time: {:?}", rounded(started.elapsed())));
        }
        Ok(())
    }

    /// Does `work` until it is done or until Ctrl-C, which drops it. A dropped Select is cancelled
    /// on the server.
    async fn cancellable<T>(
        &self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T>,
    ) -> Result<()> {
        let mut link = self.link.lock().await;
        let done = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => None,
            done = async {
                link.ready().await?;
                link.news().iter().for_each(|line| stderr(line));
                work(link.ready().await?).await
            } => Some(done),
        };
        match done {
            None => {
                link.dropped();
                stderr("cancelled");
                Ok(())
            }
            Some(done) => done.map(drop).inspect_err(|fault| link.lost(fault)),
        }
    }
}

fn help() -> Result<()> {
    let mut text = HELP.to_owned();
    for (name, takes, does) in COMMANDS {
        text += &format!("    {:<20}  {does}\n", format!("{name} {takes}"));
    }
    output::stdout(text.as_bytes())
}
