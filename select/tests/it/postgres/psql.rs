//! Questions to PostgreSQL through the program `psql`: many statements in, the answer to each out.
//!
//! Fields, rows and answers are separated by control characters, which no text of a test has. After
//! each statement, psql writes whether it failed, which distinguishes rows from errors.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

const FIELD_END: char = '\x1f';
const ROW_END: char = '\x1e';
const NULL: &str = "\x1c";
const ANSWER_END: &str = "\x1d";

/// The number of statements that one process answers.
const BATCH: usize = 500;

/// Rows of fields; `None` is NULL.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// The reason why PostgreSQL gives no rows.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) sqlstate: String,
    pub(super) message: String,
}

/// A server, by a connection string of psql, such as `host=/run/postgresql user=postgres
/// dbname=postgres`.
#[derive(Debug)]
pub(super) struct Postgres {
    connection: String,
}

impl Postgres {
    /// Returns the server that `SIFT_POSTGRES` names, if it is set.
    pub(super) fn from_environment() -> Option<Self> {
        let connection = std::env::var("SIFT_POSTGRES").ok()?;
        Some(Self { connection })
    }

    /// Answers each question; every process runs `setup` first.
    pub(super) fn ask(&self, setup: &str, questions: &[String]) -> Vec<Result<Rows, Failure>> {
        questions.chunks(BATCH).flat_map(|batch| self.ask_batch(setup, batch)).collect()
    }

    fn ask_batch(&self, setup: &str, questions: &[String]) -> Vec<Result<Rows, Failure>> {
        let mut script = format!(
            "SET statement_timeout = '20s';\nSET client_min_messages = 'error';\n{setup}\n\
             \\echo '{ANSWER_END}' :ERROR\n"
        );
        for question in questions {
            assert!(!question.contains(['\0', '\x1c', '\x1d', '\x1e', '\x1f']), "{question:?}");
            script += question;
            script += &format!(
                "\n;\n\\echo '{ANSWER_END}' :ERROR :SQLSTATE :LAST_ERROR_MESSAGE '{ANSWER_END}'\n"
            );
        }
        let output = self.run(script);
        let (before, output) = output.split_once(ANSWER_END).expect("the end of the setup");
        assert!(before.is_empty() && output.starts_with(" false"), "the setup failed: {before}");
        let output = output.strip_prefix(" false").expect("a line");
        let mut parts = output.split(ANSWER_END);
        let mut answers = Vec::new();
        while let (Some(rows), Some(end)) = (parts.next(), parts.next()) {
            answers.push(answer(rows.strip_prefix('\n').expect("the end of a line"), end));
        }
        assert_eq!(answers.len(), questions.len(), "answers of psql");
        answers
    }

    fn run(&self, script: String) -> String {
        let mut child = Command::new("psql")
            .args(["-X", "-q", "-A", "-t", "-d", &self.connection])
            .args(["-F", &FIELD_END.to_string(), "-R", &ROW_END.to_string()])
            .args(["-P", &format!("null={NULL}"), "-v", "VERBOSITY=terse"])
            .env("PGCLIENTENCODING", "UTF8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program psql");
        let mut stdin = child.stdin.take().expect("a pipe");
        let writer = thread::spawn(move || stdin.write_all(script.as_bytes()));
        let output = child.wait_with_output().expect("the output of psql");
        writer.join().expect("no panic").expect("psql reads all");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// Parses an answer, from the text before its end, and from the end: ` true 22P02 the message `.
fn answer(rows: &str, end: &str) -> Result<Rows, Failure> {
    let end = end.trim_start();
    if let Some(failure) = end.strip_prefix("true ") {
        let (sqlstate, message) = failure.split_once(' ').unwrap_or((failure, ""));
        return Err(Failure { sqlstate: sqlstate.to_owned(), message: message.trim().to_owned() });
    }
    // every row except the last ends in the separator, the last in a newline
    let Some(rows) = rows.strip_suffix('\n') else {
        assert!(rows.is_empty(), "rows of psql: {rows:?}");
        return Ok(Vec::new());
    };
    let field = |field: &str| (field != NULL).then(|| field.to_owned());
    Ok(rows.split(ROW_END).map(|row| row.split(FIELD_END).map(field).collect()).collect())
}
