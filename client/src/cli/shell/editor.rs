//! The line editor of the shell, with completion and a history in a file of the user's own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Helper};
use sift_client::Connection;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::complete::{self, Names};
use super::input;
use super::link::Link;

/// The maximal number of texts in the history.
const HISTORY_MAX: usize = 1000;

/// The maximal length of a text in the history.
const HISTORY_TEXT_BYTES_MAX: usize = 16 << 10;

/// The mode of the history's folder, and of the history, which may have secrets in it.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The maximal time for a question to the server while the user waits for a completion.
const ASK_TIME_MAX: Duration = Duration::from_secs(2);

/// The maximal number of files that are completed.
const FILES_MAX: usize = 10_000;

/// The maximal number of files whose columns are remembered.
const DESCRIBED_MAX: usize = 100;

/// The result of one line of typing.
pub(super) enum Typed {
    /// Whole entries.
    Text(String),
    /// Ctrl-C: what was typed is forgotten.
    Interrupted,
    /// Ctrl-D, or a terminal that is gone.
    End,
}

/// The line editor.
pub(super) struct Editor {
    inner: rustyline::Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

impl Editor {
    /// Reads the history. The completion asks through `link`.
    ///
    /// # Errors
    /// There is no terminal.
    pub(super) fn new(link: Arc<Mutex<Link>>) -> rustyline::Result<Self> {
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .build();
        let mut inner = rustyline::Editor::with_config(config)?;
        inner.set_helper(Some(Assistant {
            link,
            runtime: Handle::current(),
            known: RefCell::default(),
        }));
        let history = history();
        if let Some(path) = &history {
            // the first time, there is none
            let _none = fs::set_permissions(path, Permissions::from_mode(FILE_MODE));
            let _none = inner.load_history(path);
        }
        Ok(Self { inner, history })
    }

    /// Reads until an entry is whole. It blocks.
    pub(super) fn read(&mut self, prompt: &str) -> Typed {
        match self.inner.readline(prompt) {
            Ok(text) => {
                self.remember(&text);
                Typed::Text(text)
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupted,
            Err(_end) => Typed::End,
        }
    }

    fn remember(&mut self, text: &str) {
        let is_new = text.len() <= HISTORY_TEXT_BYTES_MAX
            && self.inner.add_history_entry(text).unwrap_or_default();
        if let Some(path) = self.history.as_ref().filter(|_| is_new) {
            // a history that cannot be written is no reason to stop
            let _not_written = self.inner.append_history(path);
        }
    }
}

/// Returns the path of the history, in a folder that exists.
fn history() -> Option<PathBuf> {
    let given = env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = given.or_else(|| env::home_dir().map(|home| home.join(".local/state")))?;
    let folder = folder.join("sift");
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder).ok()?;
    Some(folder.join("history"))
}

/// Completes names, and tells when an entry is whole.
struct Assistant {
    link: Arc<Mutex<Link>>,
    runtime: Handle,
    known: RefCell<Known>,
}

impl Assistant {
    /// Asks the server. Returns `None` after an error, or if there is no answer in time.
    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut Connection) -> sift_client::Result<T>,
    ) -> Option<T> {
        let asked = self.runtime.block_on(timeout(ASK_TIME_MAX, async {
            let mut link = self.link.lock().await;
            let answer = question(link.ready().await.ok()?).await;
            answer.map_err(|error| link.lost(&error.into())).ok()
        }));
        asked.ok().flatten()
    }
}

/// The answers of the server. After an error it is asked again.
#[derive(Default)]
struct Known {
    files: Option<Vec<String>>,
    columns: HashMap<String, Vec<String>>,
}

impl Known {
    fn files(&mut self, ask: impl FnOnce() -> Option<Vec<String>>) -> Vec<String> {
        if self.files.is_none() {
            self.files = ask();
        }
        self.files.clone().unwrap_or_default()
    }

    fn columns(&mut self, file: &str, ask: impl FnOnce() -> Option<Vec<String>>) -> Vec<String> {
        if let Some(columns) = self.columns.get(file) {
            return columns.clone();
        }
        let Some(columns) = ask() else { return Vec::new() };
        if self.columns.len() >= DESCRIBED_MAX {
            self.columns.clear();
        }
        self.columns.insert(file.to_owned(), columns.clone());
        columns
    }
}

impl Names for Assistant {
    fn files(&self) -> Vec<String> {
        self.known.borrow_mut().files(|| {
            let files = self.ask(async |connection: &mut Connection| connection.files("").await)?;
            Some(files.into_iter().take(FILES_MAX).map(|file| file.path).collect())
        })
    }

    fn columns(&self, file: &str) -> Vec<String> {
        self.known.borrow_mut().columns(file, || {
            let describe = async |connection: &mut Connection| connection.describe(file).await;
            Some(self.ask(describe)?.fields.into_iter().map(|field| field.name).collect())
        })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete::candidates(line, position, self))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match input::parse(context.input()) {
            Some(_) => ValidationResult::Valid(None),
            None => ValidationResult::Incomplete,
        })
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_and_an_error_is_not() {
        let mut known = Known::default();
        assert!(known.files(|| None).is_empty());
        assert!(known.columns("a", || None).is_empty());
        let answer = || Some(vec!["x".to_owned()]);
        assert_eq!(known.files(answer), ["x"]);
        assert_eq!(known.columns("a", answer), ["x"]);
        assert_eq!(known.files(|| panic!("asked again")), ["x"]);
        assert_eq!(known.columns("a", || panic!("asked again")), ["x"]);
        // no files are an answer, too
        let mut known = Known::default();
        assert!(known.files(|| Some(Vec::new())).is_empty());
        assert!(known.files(|| panic!("asked again")).is_empty());
    }
}
