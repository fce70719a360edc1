//! A rival: another program as an arm. It is a process that answers one question in each line.
//!
//! The shell starts it with these variables in its environment: `RIVAL_DATA`, the folder of the
//! generated files, with CSV; `RIVAL_CERTIFICATE`, the chain and the key of a server for
//! `localhost`, as PEM; `RIVAL_CA`, the authority of this certificate, as PEM. When the rival is
//! ready it writes its name as `{"arm": "…"}`. Then it reads questions and answers each with a
//! line. It ends at the end of its input.
//!
//! In `sift-bench compare` a question is a [`Question`], `{"columns": "…", "predicate": "…"}`, and
//! the answer is a [`Run`] as in the report. An answer of one value may contain its text as
//! `"value"`. In `sift-bench load` a question is a [`Step`] and the answer is an [`Outcome`].

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::authority::Authority;
use crate::load::{Connections, Outcome};
use crate::measure::Run;

/// The time that a rival has to stop the programs that it started.
const ENDING_MAX: Duration = Duration::from_secs(30);

/// A running rival. Dropping it ends it.
#[derive(Debug)]
pub struct Rival {
    name: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Option<BufReader<ChildStdout>>,
}

/// A question to a rival.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Question<'a> {
    /// The text between SELECT and FROM.
    pub columns: &'a str,
    /// The text after WHERE, to the end.
    pub predicate: &'a str,
}

/// A load on a rival: sessions that select records by a random range of keys.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Step {
    /// The number of sessions.
    pub sessions: usize,
    /// The requests a second over all sessions; absent in a closed loop.
    pub rate: Option<f64>,
    /// The connection of a request.
    pub connections: Connections,
    /// The seconds of the warm-up, which are not counted.
    pub warm_up: f64,
    /// The seconds that are counted.
    pub seconds: f64,
    /// The maximal value of l_orderkey at which a range may begin; the minimum is 1.
    pub keys: u64,
    /// The number of keys in a range.
    pub keys_each: u64,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Said {
    /// The figures of the run.
    #[serde(flatten)]
    pub run: Run,
    /// The answer, if it is one value.
    pub value: Option<String>,
}

#[derive(Deserialize)]
struct Ready {
    arm: String,
}

impl Rival {
    /// Starts `command` and waits until it is ready, which may take as long as loading the data.
    ///
    /// # Errors
    /// A rival that ended too early. Its standard error says why.
    pub fn start(command: &str, data: &Path, authority: &Authority) -> Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .env("RIVAL_DATA", data.canonicalize()?)
            .env("RIVAL_CERTIFICATE", &authority.server)
            .env("RIVAL_CA", &authority.ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().map(BufReader::new);
        let mut rival = Self { name: command.to_owned(), child, questions, answers };
        rival.name = rival.read::<Ready>()?.arm;
        Ok(rival)
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends one question and waits for the answer.
    ///
    /// # Errors
    /// A rival that ended, or a line that is not an answer.
    pub fn ask(&mut self, question: Question<'_>) -> Result<Said> {
        self.say(&question)
    }

    /// Puts a load on it and waits for the result.
    ///
    /// # Errors
    /// The errors of [`ask`](Self::ask).
    pub fn load(&mut self, step: Step) -> Result<Outcome> {
        self.say(&step)
    }

    fn say<A: for<'a> Deserialize<'a>>(&mut self, question: &impl Serialize) -> Result<A> {
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        let input = self.questions.as_mut().ok_or("a rival without standard input")?;
        input.write_all(line.as_bytes())?;
        input.flush()?;
        self.read()
    }

    fn read<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T> {
        let mut line = String::new();
        let output = self.answers.as_mut().ok_or("a rival without standard output")?;
        if output.read_line(&mut line)? == 0 {
            return Err(format!("the rival `{}` has ended", self.name).into());
        }
        let wrong = |error| format!("the rival `{}` said {line:?}: {error}", self.name);
        Ok(serde_json::from_str(&line).map_err(wrong)?)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // at the end of its input it stops the programs that it started, which takes some time
        drop(self.questions.take());
        if let Some(mut answers) = self.answers.take() {
            let (sender, ended) = mpsc::channel();
            thread::spawn(move || {
                let _ = io::copy(&mut answers, &mut io::sink());
                let _ = sender.send(());
            });
            if ended.recv_timeout(ENDING_MAX).is_err() {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> Result<Rival> {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path()).unwrap();
        Rival::start(&format!("sh -c '{script}'"), folder.path(), &authority)
    }

    const QUESTION: Question<'_> = Question { columns: "*", predicate: "TRUE" };

    #[test]
    fn it_is_asked_a_line_and_says_a_line() {
        let mut rival = start(
            r#"echo "{\"arm\":\"echo\"}"; while read line; do
               echo "{\"seconds\":0.5,\"records\":${#line},\"value\":\"7\"}"; done"#,
        )
        .unwrap();
        assert_eq!(rival.name(), "echo");
        let said = rival.ask(QUESTION).unwrap();
        let asked = r#"{"columns":"*","predicate":"TRUE"}"#.len() as u64;
        assert_eq!((said.run.seconds, said.run.records), (0.5, Some(asked)));
        assert_eq!(said.value.as_deref(), Some("7"));
    }

    #[test]
    fn one_that_ends_or_says_something_else_is_an_error() {
        assert!(start("true").unwrap_err().to_string().contains("has ended"));
        let said = start("echo hello").unwrap_err().to_string();
        assert!(said.contains("said \"hello"), "{said}");
        let mut rival = start(r#"echo "{\"arm\":\"short\"}"; read line"#).unwrap();
        assert!(rival.ask(QUESTION).unwrap_err().to_string().contains("`short` has ended"));
    }
}
