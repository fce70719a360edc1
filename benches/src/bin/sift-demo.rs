//! The program `sift-demo`, which asks the same question both ways: on generated data, over a real
//! channel.

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use sift_benches::answer::Answer;
use sift_benches::arms::{self, Question};
use sift_benches::authority::Authority;
use sift_benches::command::generate;
use sift_benches::lineitem::{Format, Lineitem, descriptor_path};
use sift_benches::local::Batches;
use sift_benches::measure::{Arm, Run, Series, Spread, interleave};
use sift_benches::server::{Security, Server, run_as_server};
use sift_benches::{Result, text};
use sift_client::{Channel, ConnectOptions, Connection, Level, Roots};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Ask the same question both ways: fetch the encrypted file and filter it here, or send the
/// Select and receive the matching records alone.
///
/// Makes a certificate authority and TPC-H lineitem in a temporary folder, starts a server on a
/// free loopback port, checks that both ways give the same answer, and cleans up.
#[derive(Debug, Parser)]
#[command(name = "sift-demo", version)]
struct Cli {
    /// Scale factor of the data; 1 is 6 million records, 1 GB as fixed-length records.
    #[arg(long, default_value_t = 0.1)]
    scale: f64,
    /// Security compliance level of the channel: 3, 4 or 5, or 2 in builds with the feature
    /// legacy-tls; 0 is the default level.
    #[arg(long, value_name = "LEVEL", default_value_t = Level::DEFAULT)]
    scl: Level,
    /// The condition after WHERE in the question.
    #[arg(long, value_name = "SQL", default_value = QUESTION)]
    question: String,
    /// Leave the server running until Ctrl-C, and print commands to try.
    #[arg(long)]
    keep: bool,
}

/// The default question, which selects one record in a hundred.
const QUESTION: &str = "l_shipdate BETWEEN DATE '1995-06-01' AND DATE '1995-06-25'";

/// The number of runs of each way, in turn. The median is shown.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    if let Some(code) = run_as_server() {
        return code;
    }
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sift-demo: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let runtime = Runtime::new()?;
    let folder = tempfile::Builder::new().prefix("sift-demo-").tempdir()?;
    clean_up_when_interrupted(&runtime, folder.path())?;
    let data = folder.path().join("data");
    let authority = Authority::create(folder.path())?;
    let files = generate::run(&data, &[Format::Fixed, Format::Csv], cli.scale)?;
    let server = Server::start(&data, folder.path(), &authority, &[Security::Encrypted(cli.scl)])?;
    let [address] = server.addresses() else { return Err("one channel, one address".into()) };
    let options = ConnectOptions::new(address.to_string())
        .level(cli.scl)
        .roots(Roots::File(authority.ca.clone()));
    let mut connection = runtime.block_on(Connection::connect(&options))?;

    let mut out = io::stdout().lock();
    writeln!(out, "TPC-H lineitem at scale factor {}, WHERE {}", cli.scale, cli.question)?;
    writeln!(out, "{}\n", channel(connection.channel()))?;
    for file in &files {
        writeln!(out, "{}\n", compare(&runtime, &mut connection, file, &cli.question)?)?;
    }
    if cli.keep {
        write!(out, "{}", commands(&address.to_string(), &authority.ca, &cli.question))?;
        out.flush()?;
        drop(out);
        runtime.block_on(std::future::pending::<()>());
    }
    drop(server);
    Ok(folder.close()?)
}

/// Asks about one file both ways and returns the figures as a table.
fn compare(
    runtime: &Runtime,
    connection: &mut Connection,
    file: &Lineitem,
    predicate: &str,
) -> Result<String> {
    let name = file.format.file_name();
    let question = Question {
        file: name.to_owned(),
        sql: format!("SELECT * FROM '{name}' WHERE {predicate}"),
        descriptor: std::fs::read_to_string(descriptor_path(&file.path)).ok(),
    };
    let connection = RefCell::new(connection);
    let expected = RefCell::new(None);
    let check = |(run, (schema, batches)): (Run, Batches)| {
        let answer = Answer::of(&schema, &batches)?;
        let mut expected = expected.borrow_mut();
        let expected = expected.get_or_insert_with(|| answer.clone());
        match expected.difference(&answer) {
            Some(difference) => Err(format!("{name}: the answers differ: {difference}").into()),
            None => Ok(run),
        }
    };
    let whole = || {
        let connection = &mut connection.borrow_mut();
        check(runtime.block_on(arms::whole_file(connection, &question))?)
    };
    let selected = || {
        let connection = &mut connection.borrow_mut();
        check(runtime.block_on(arms::selected(connection, &question))?)
    };
    let mut arms = [Arm::new("whole file", whole), Arm::new("selected records", selected)];
    let series = interleave(ROUNDS, &mut arms)?;
    drop(arms);
    let columns = expected.into_inner().map_or(0, |answer| answer.columns.len());
    table(file, &series, columns)
}

fn table(file: &Lineitem, series: &[Series], columns: usize) -> Result<String> {
    let [whole, selected] = series else { return Err("two arms, two series".into()) };
    let median = |series: &Series| Spread::seconds(&series.runs).map_or(0.0, |time| time.median);
    let sent = |series: &Series| series.runs.iter().find_map(|run| run.bytes_sent).unwrap_or(0);
    let records = whole.runs.iter().find_map(|run| run.records).unwrap_or(0);
    let name = format!("{} ({})", file.format.file_name(), text::bytes(file.bytes));
    let mut table = text::table([&name, "whole file", "selected records", "ratio"]);
    let [count, no_ratio] = [text::count(records), String::new()];
    table.add_row(["records", &count, &count, &no_ratio].map(String::from));
    if let Some(arrow) = selected.runs.iter().find_map(|run| run.arrow_bytes) {
        let (arrow, none) = (text::bytes(arrow), String::new);
        table.add_row(["bytes as Arrow".to_owned(), none(), arrow, none()]);
    }
    let bytes = [sent(whole), sent(selected)];
    table.add_row([
        "bytes encrypted".to_owned(),
        text::bytes(bytes[0]),
        text::bytes(bytes[1]),
        text::bytes_ratio(bytes[0], bytes[1]),
    ]);
    let times = [median(whole), median(selected)];
    table.add_row([
        "time".to_owned(),
        text::seconds(times[0]),
        text::seconds(times[1]),
        text::ratio(times[0], times[1]),
    ]);
    Ok(format!("{table}\nboth answers are equal: {count} records, {columns} columns, in order"))
}

fn channel(channel: &Channel) -> String {
    let (Some(met), Some(asked)) = (channel.level_met(), channel.level()) else {
        return "not encrypted".to_owned();
    };
    format!(
        "level {met} ({asked} asked for), {}, key exchange {}, {}",
        channel.protocol(),
        channel.key_exchange(),
        channel.cipher()
    )
}

/// Returns commands to try while the server is running.
fn commands(address: &str, ca: &Path, predicate: &str) -> String {
    let sift =
        format!("cargo run --release --bin sift -- --server {address} --ca {}", ca.display());
    let name = Format::Fixed.file_name();
    format!(
        "The server goes on until Ctrl-C. In another terminal, here:\n\n\
         {sift} channel\n\
         {sift} files\n\
         {sift} describe {name}\n\
         {sift} select --stats \"SELECT * FROM '{name}' WHERE {predicate} LIMIT 10\"\n\
         {sift} select \"SELECT count(*), sum(l_extendedprice) FROM '{name}'\"\n\
         {sift} fetch {name} -o lineitem.copy\n"
    )
}

/// Removes `folder` and ends the process at Ctrl-C or SIGTERM; the server ends with its parent.
fn clean_up_when_interrupted(runtime: &Runtime, folder: &Path) -> Result<()> {
    let folder = folder.to_owned();
    let _entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    runtime.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let removed = std::fs::remove_dir_all(folder);
        std::process::exit(if removed.is_ok() { 130 } else { 2 });
    });
    Ok(())
}
