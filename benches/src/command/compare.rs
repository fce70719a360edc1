//! The subcommand `sift-bench compare`: the whole file against the selected records, at each level.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use sift_client::{Channel, ConnectOptions, Connection, Roots};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Result;
use crate::answer::Answer;
use crate::arms::{self, Question};
use crate::authority::Authority;
use crate::command::generate;
use crate::document::{self, Cell, Document};
use crate::floor::tls::Bare;
use crate::index;
use crate::lineitem::{Format, Lineitem, descriptor_path};
use crate::link::{self, Link};
use crate::local::Batches;
use crate::machine::{Process, loopback_bytes};
use crate::measure::{Arm, Run, interleave};
use crate::question::Ask;
use crate::rival::{self, Rival, Said};
use crate::server::{Security, Server};
use crate::suites::Suites;

/// The name of the arm that fetches the file and filters at the client.
pub const WHOLE_FILE: &str = "whole file";

/// The name of the arm that sends the Select.
pub const SELECTED: &str = "selected records";

/// The name of the arm that moves the bytes of the file, and does nothing else.
pub const WHOLE_FILE_FLOOR: &str = "the file's bytes alone";

/// The name of the arm that moves as many bytes as the answer has, and does nothing else.
pub const SELECTED_FLOOR: &str = "the answer's bytes alone";

/// The options of a comparison on generated data.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The folder of the files. Missing files are made.
    pub folder: PathBuf,
    /// The scale factor.
    pub scale: f64,
    /// The formats.
    pub formats: Vec<Format>,
    /// True if the server has indexes of the files.
    pub index: bool,
    /// The questions to each file.
    pub questions: Vec<Ask>,
    /// The channels to ask over.
    pub channels: Vec<Security>,
    /// The suites of each encrypted channel.
    pub suites: Suites,
    /// The commands that start rivals, which get the same questions in the same rounds.
    pub rivals: Vec<String>,
}

/// The options of a comparison on a server and a file of the user.
#[derive(Clone, Debug)]
pub struct Own {
    /// The host and the port.
    pub server: String,
    /// The file of the authorities that verify the server's certificate; by default those of the
    /// platform.
    pub ca: Option<PathBuf>,
    /// The required channel.
    pub security: Security,
    /// The suites, if the channel is encrypted.
    pub suites: Suites,
    /// The path below the data root of the server.
    pub file: String,
    /// The condition after WHERE.
    pub predicate: String,
    /// A local copy of the file's descriptor, if the file needs one.
    pub descriptor: Option<PathBuf>,
}

/// Compares on generated files, with a server process of our own.
///
/// # Errors
/// The error of an arm, or a difference between the answers.
pub fn generated(
    wanted: &Generated,
    link: &Link,
    rounds: usize,
    done: impl Fn(&Cell),
) -> Result<Document> {
    let mut document = Document::start();
    let runtime = Runtime::new()?;
    let temporary = TempDir::new()?;
    let authority = Authority::create(temporary.path())?;
    let mut files = Vec::new();
    for &format in &wanted.formats {
        files.push(generate::reuse(&wanted.folder, format, wanted.scale)?);
    }
    if wanted.index {
        index::build(&files, temporary.path())?;
    }
    let server = Server::start(&wanted.folder, temporary.path(), &authority, &wanted.channels)?;
    if !wanted.rivals.is_empty() {
        // what they load
        generate::reuse(&wanted.folder, Format::Csv, wanted.scale)?;
    }
    let start = |command: &String| Rival::start(command, &wanted.folder, &authority);
    let mut rivals = wanted.rivals.iter().map(start).collect::<Result<Vec<_>>>()?;
    let mut offers = Vec::new();
    for (address, &security) in server.addresses().iter().zip(&wanted.channels) {
        let options = options(&address.to_string(), security, Some(&authority.ca));
        offers.extend(wanted.suites.offers(&options, security));
    }
    for offer in &offers {
        let connected = runtime.block_on(wanted.suites.connect(offer))?;
        let Some(connection) = connected else { continue };
        let bare = bare(&authority, connection.channel());
        let server = Some(server.process());
        let pair = Pair { runtime: &runtime, connection: RefCell::new(connection), server, rounds };
        for file in &files {
            let name = file.format.file_name();
            let descriptor = read_descriptor(&descriptor_path(&file.path))?;
            for ask in &wanted.questions {
                let sql = ask.sql(name);
                let descriptor = descriptor.clone();
                let question = Question { file: name.to_owned(), sql, descriptor };
                let beside = Beside {
                    bare: bare.as_ref().map(|bare| (bare, file)),
                    rivals: rivals.iter_mut().map(|rival| (rival, *ask)).collect(),
                };
                let mut cell = pair.compare(ask.name, &link.to_string(), &question, beside)?;
                cell.selectivity = cell.selectivity.filter(|_| ask.is_share());
                done(&cell);
                document.cells.push(cell);
            }
        }
    }
    some_cell(document)
}

/// Compares on a server that is already running. Its CPU time and memory are unknown.
///
/// # Errors
/// The error of an arm, or a difference between the answers.
pub fn own(wanted: &Own, rounds: usize, done: impl Fn(&Cell)) -> Result<Document> {
    let mut document = Document::start();
    let runtime = Runtime::new()?;
    let options = as_user(options(&wanted.server, wanted.security, wanted.ca.as_deref()));
    let Own { file, predicate, descriptor, .. } = wanted;
    let question = Question {
        file: file.clone(),
        sql: format!("SELECT * FROM '{}' WHERE {predicate}", file.replace('\'', "''")),
        descriptor: descriptor.as_deref().map(std::fs::read_to_string).transpose()?,
    };
    for offer in wanted.suites.offers(&options, wanted.security) {
        let connected = runtime.block_on(wanted.suites.connect(&offer))?;
        let Some(connection) = connected.map(RefCell::new) else { continue };
        let pair = Pair { runtime: &runtime, connection, server: None, rounds };
        let cell = pair.compare(predicate, "as it is", &question, Beside::default())?;
        done(&cell);
        document.cells.push(cell);
    }
    some_cell(document)
}

fn some_cell(document: Document) -> Result<Document> {
    match document.cells.is_empty() {
        true => Err("none of these suites belongs to one of these levels".into()),
        false => Ok(document),
    }
}

/// Returns the options for connecting.
pub(super) fn options(address: &str, security: Security, ca: Option<&Path>) -> ConnectOptions {
    let roots = ca.map_or(Roots::Platform, |ca| Roots::File(ca.to_owned()));
    let options = ConnectOptions::new(address).roots(roots);
    match security {
        Security::Plain => options.encrypt(false),
        Security::Encrypted(level) => options.level(level),
    }
}

/// Logs in as the user in the environment, if there is one.
pub(super) fn as_user(options: ConnectOptions) -> ConnectOptions {
    let given = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    match (given("SIFT_USER"), given("SIFT_PASSWORD")) {
        (Some(user), Some(password)) => options.user(user).password(password),
        (Some(user), None) => options.user(user),
        (None, _) => options,
    }
}

fn read_descriptor(path: &Path) -> Result<Option<String>> {
    if path.exists() { Ok(Some(std::fs::read_to_string(path)?)) } else { Ok(None) }
}

/// The other arms that are measured in the same rounds.
#[derive(Default)]
struct Beside<'a> {
    /// Moves the bytes of the file.
    bare: Option<(&'a Bare, &'a Lineitem)>,
    rivals: Vec<(&'a mut Rival, Ask)>,
}

/// Returns a bare loop over a channel of the same kind, if rustls can make it.
fn bare(authority: &Authority, channel: &Channel) -> Option<Bare> {
    match channel.level() {
        None => Some(Bare::plain()),
        Some(_) => Bare::like(authority, channel.cipher(), channel.key_exchange()).ok(),
    }
}

/// The two arms over one connection.
struct Pair<'a> {
    runtime: &'a Runtime,
    connection: RefCell<Connection>,
    server: Option<Process>,
    rounds: usize,
}

impl Pair<'_> {
    fn compare(
        &self,
        title: &str,
        link: &str,
        question: &Question,
        beside: Beside<'_>,
    ) -> Result<Cell> {
        let file = question.file.as_str();
        let described = self.runtime.block_on(self.connection.borrow_mut().describe(file))?;
        let expected = RefCell::new(None::<Expected>);
        let whole = || {
            let connection = &mut *self.connection.borrow_mut();
            self.observe(&expected, || arms::whole_file(connection, question))
        };
        let selected = || {
            let connection = &mut *self.connection.borrow_mut();
            self.observe(&expected, || arms::selected(connection, question))
        };
        let answer_bytes = std::cell::Cell::new(0);
        let selected = || {
            let run = selected()?;
            answer_bytes.set(run.bytes_sent.unwrap_or(0));
            Ok(run)
        };
        let mut arms = vec![Arm::new(WHOLE_FILE, whole), Arm::new(SELECTED, selected)];
        if let Some((bare, file)) = beside.bare {
            let transfer = move |bytes: u64| {
                let seconds = bare.transfer(&file.path, bytes)?.as_secs_f64();
                Ok(Run { seconds, bytes_sent: Some(bytes), ..Run::default() })
            };
            let answer_bytes = &answer_bytes;
            arms.push(Arm::new(WHOLE_FILE_FLOOR, move || transfer(file.bytes)));
            arms.push(Arm::new(SELECTED_FLOOR, move || transfer(answer_bytes.get())));
        }
        for (rival, ask) in beside.rivals {
            let (name, expected) = (rival.name().to_owned(), &expected);
            arms.push(Arm::new(name, move || ask_rival(expected, rival, ask)));
        }
        let series = interleave(self.rounds, &mut arms)?;
        let mut runs = series.iter().flat_map(|series| &series.runs);
        let share = runs.find_map(|run| share(run.records?, run.records_seen?));
        Ok(Cell {
            title: title.to_owned(),
            file: question.file.clone(),
            format: described.format,
            file_bytes: described.bytes.ok_or("all records of the file have to be granted")?,
            handshakes: None,
            sql: question.sql.clone(),
            link: link.to_owned(),
            channel: Some(channel(self.connection.borrow().channel())),
            selectivity: share,
            series,
        })
    }

    /// Runs an arm once, measures it from outside, and compares its answer with the first one.
    fn observe<'b, F>(
        &self,
        expected: &RefCell<Option<Expected>>,
        arm: impl FnOnce() -> F + 'b,
    ) -> Result<Run>
    where
        F: Future<Output = Result<(Run, Batches)>> + 'b,
    {
        let (client, server) = (Process::this(), self.server);
        [Some(client), server].into_iter().flatten().for_each(Process::forget_peak);
        let cpu = || (client.cpu_seconds(), server.and_then(Process::cpu_seconds));
        let (cpu_before, wire_before) = (cpu(), loopback_bytes());
        let (mut run, (schema, batches)) = self.runtime.block_on(arm())?;
        let (cpu_after, wire_after) = (cpu(), loopback_bytes());
        run.client_cpu_seconds = difference(cpu_before.0, cpu_after.0);
        run.server_cpu_seconds = difference(cpu_before.1, cpu_after.1);
        run.client_bytes_max = client.resident_bytes_max();
        run.server_bytes_max = server.and_then(Process::resident_bytes_max);
        if link::is_inside() {
            run.bytes_wire = wire_before.zip(wire_after).map(|(before, after)| after - before);
        }
        let answer = Answer::of(&schema, &batches)?;
        let value = only_value(&batches)?;
        let mut expected = expected.borrow_mut();
        let expected = expected.get_or_insert_with(|| Expected { answer: answer.clone(), value });
        match expected.answer.difference(&answer) {
            Some(difference) => Err(format!("the arms' answers differ: {difference}").into()),
            None => Ok(run),
        }
    }
}

/// The answer that every arm has to give.
struct Expected {
    answer: Answer,
    /// The text of an answer of one value. It is compared with a rival's text.
    value: Option<String>,
}

/// Runs a rival once and compares its description of the answer with ours.
fn ask_rival(expected: &RefCell<Option<Expected>>, rival: &mut Rival, ask: Ask) -> Result<Run> {
    let Ask { columns, predicate, .. } = ask;
    let wire_before = loopback_bytes();
    let Said { mut run, value } = rival.ask(rival::Question { columns, predicate })?;
    let wire_after = loopback_bytes();
    if link::is_inside() {
        run.bytes_wire = wire_before.zip(wire_after).map(|(before, after)| after - before);
    }
    let expected = expected.borrow();
    let expected = expected.as_ref().ok_or("our own arms answer first")?;
    let records = expected.answer.records;
    match (run.records, &value, &expected.value) {
        (Some(other), ..) if other != records => {
            Err(format!("{}: {other} records, expected {records}", rival.name()).into())
        }
        (_, Some(other), Some(ours)) if other != ours => {
            Err(format!("{}: the answer is {other}, expected {ours}", rival.name()).into())
        }
        _ => Ok(run),
    }
}

/// Returns the text of an answer of one value.
fn only_value(batches: &[RecordBatch]) -> Result<Option<String>> {
    match batches {
        [batch] if batch.num_rows() == 1 && batch.num_columns() == 1 => {
            Ok(Some(array_value_to_string(batch.column(0), 0)?))
        }
        _ => Ok(None),
    }
}

fn difference(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    Some(after? - before?)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(kept: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| kept as f64 / all as f64)
}

fn channel(channel: &Channel) -> document::Channel {
    document::Channel {
        level: channel.level().map_or_else(|| "plain".to_owned(), |level| level.to_string()),
        cipher: channel.cipher().to_owned(),
        key_exchange: channel.key_exchange().to_owned(),
    }
}
