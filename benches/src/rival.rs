//! An arm that is somebody else's: a process of its own that answers one question a line.
//!
//! It is started by the shell with these in its environment: `RIVAL_DATA`, the folder of the
//! generated files, CSV among them; `RIVAL_CERTIFICATE` and `RIVAL_CA`, chain and key of a server for
//! `localhost` and what clients verify it against, as PEM. When it is ready it says what it is called, as
//! `{"arm": "…"}`. Then it reads questions and answers each with a line; it ends with its input.
//!
//! Of `sift-bench compare` a question is a [`Question`], `{"columns": "…", "predicate": "…"}`, and its
//! answer a [`Run`] as the report keeps it, to which it may add the text of an answer of one value as
//! `"value"`. Of `sift-bench load` a question is a [`Step`] and its answer an [`Outcome`].

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

/// So long may it take to end what it has started.
const ENDING_MAX: Duration = Duration::from_secs(30);

/// A running rival. Dropping it ends it.
#[derive(Debug)]
pub struct Rival {
    name: String,
    child: Child,
    questions: Option<ChildStdin>,
    answers: Option<BufReader<ChildStdout>>,
}

/// What it is asked.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Question<'a> {
    /// What stands between SELECT and FROM.
    pub columns: &'a str,
    /// What stands after WHERE, to the end.
    pub predicate: &'a str,
}

/// A load that it is put under: sessions that select records by a range of keys, each range drawn at
/// random.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Step {
    /// How many at once.
    pub sessions: usize,
    /// Requests a second over all sessions; each asks when it has its answer without.
    pub rate: Option<f64>,
    /// Whose connection a request has.
    pub connections: Connections,
    /// Seconds that are not counted, before.
    pub warm_up: f64,
    /// Seconds that are counted.
    pub seconds: f64,
    /// The largest value of l_orderkey that a range may begin with; 1 is the least.
    pub keys: u64,
    /// Keys in a range.
    pub keys_each: u64,
}

/// What it says to a question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Said {
    /// What one run took.
    #[serde(flatten)]
    pub run: Run,
    /// The answer, where it is one value.
    pub value: Option<String>,
}

#[derive(Deserialize)]
struct Ready {
    arm: String,
}

impl Rival {
    /// Starts `command` and waits until it is ready, which may take as long as loading the data does.
    ///
    /// # Errors
    /// That it ended before; it has said why on standard error.
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

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks it once.
    ///
    /// # Errors
    /// That it ended, or said what is no answer.
    pub fn ask(&mut self, question: Question<'_>) -> Result<Said> {
        self.say(&question)
    }

    /// Puts it under a load.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
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
        // it ends what it has started itself when its input ends, for which it has some time
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
