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

/// What the user has typed.
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

/// What the server has answered. It is asked once.
#[derive(Default)]
struct Known {
    files: Option<Vec<String>>,
    columns: HashMap<String, Vec<String>>,
}

impl Names for Assistant {
    fn files(&self) -> Vec<String> {
        if let Some(files) = &self.known.borrow().files {
            return files.clone();
        }
        let asked = self.runtime.block_on(timeout(ASK_TIME_MAX, async {
            let mut link = self.link.lock().await;
            link.ready().await.ok()?.files("").await.ok()
        }));
        let files = asked.ok().flatten().unwrap_or_default();
        let paths: Vec<String> = files.into_iter().take(FILES_MAX).map(|file| file.path).collect();
        self.known.borrow_mut().files = Some(paths.clone());
        paths
    }

    fn columns(&self, file: &str) -> Vec<String> {
        if let Some(columns) = self.known.borrow().columns.get(file) {
            return columns.clone();
        }
        let asked = self.runtime.block_on(timeout(ASK_TIME_MAX, async {
            let mut link = self.link.lock().await;
            link.ready().await.ok()?.describe(file).await.ok()
        }));
        let fields = asked.ok().flatten().map(|described| described.fields).unwrap_or_default();
        let columns: Vec<String> = fields.into_iter().map(|field| field.name).collect();
        let mut known = self.known.borrow_mut();
        if known.columns.len() >= DESCRIBED_MAX {
            known.columns.clear();
        }
        known.columns.insert(file.to_owned(), columns.clone());
        columns
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
