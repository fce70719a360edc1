//! The subcommand `sift-bench floors`: each stage next to the same bytes without our work.

use std::path::Path;
use std::time::Instant;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use rayon::ThreadPool;
use sift_client::{ConnectOptions, Connection, Connector, Level, Roots};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Result;
use crate::arms;
use crate::authority::Authority;
use crate::command::generate;
use crate::document::{Cell, Document};
use crate::floor::scan::{self, Probe};
use crate::floor::tls::Bare;
use crate::lineitem::{Format, Lineitem, RECORD_BYTES};
use crate::local;
use crate::measure::{Arm, Run, Series, interleave};
use crate::server::{Security, Server};

/// The options of the subcommand.
#[derive(Clone, Debug)]
pub struct Options {
    /// The scale factor of the data.
    pub scale: f64,
    /// The number of rounds.
    pub rounds: usize,
    /// The number of threads of each scan.
    pub threads: usize,
}

/// Measures on files in `folder`. Missing files are made.
///
/// # Errors
/// The error of an arm, or different counts of an arm and its floor.
pub fn run(folder: &Path, options: &Options) -> Result<Document> {
    let mut document = Document::start();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;

    let fixed = generate::reuse(folder, Format::Fixed, options.scale)?;
    let date = Probe::Date { offset: 51, low: *b"19950601", high: *b"19950625" };
    let predicate = "l_shipdate BETWEEN DATE '1995-06-01' AND DATE '1995-06-25'";
    document.cells.push(probe(&fixed, date, predicate, options, &pool)?);
    let integer = Probe::Integer { offset: 0, low: 30_001, high: 60_000 };
    let predicate = "l_orderkey BETWEEN 30001 AND 60000";
    document.cells.push(probe(&fixed, integer, predicate, options, &pool)?);

    let csv = generate::reuse(folder, Format::Csv, options.scale)?;
    let predicate = "l_shipdate BETWEEN DATE '1995-06-01' AND DATE '1995-06-25'";
    document.cells.push(newlines(&csv, predicate, options, &pool)?);

    document.cells.extend(channels(&fixed, folder, options.rounds)?);
    Ok(document)
}

/// Measures a predicate on one fixed-length field, next to one read and one comparison a record.
fn probe(
    file: &Lineitem,
    probe: Probe,
    predicate: &str,
    options: &Options,
    pool: &ThreadPool,
) -> Result<Cell> {
    let sql = count_where(file, predicate);
    let floor = || scan::count(&file.path, RECORD_BYTES, probe, options.threads);
    let (expected, counted) = (floor()?, count(&sql, &file.path, pool)?);
    if expected != counted {
        return Err(format!("{sql}: {counted}, its floor counts {expected}").into());
    }
    let series = interleave(
        options.rounds,
        &mut [
            Arm::new("read and compare", || timed(floor)),
            Arm::new("select", || timed(|| count(&sql, &file.path, pool))),
        ],
    )?;
    Ok(cell(file, format!("filter by {predicate}"), sql, series))
}

/// Measures a predicate on one CSV column, next to counting the newlines.
fn newlines(
    file: &Lineitem,
    predicate: &str,
    options: &Options,
    pool: &ThreadPool,
) -> Result<Cell> {
    let sql = count_where(file, predicate);
    let series = interleave(
        options.rounds,
        &mut [
            Arm::new("read and count newlines", || {
                timed(|| scan::newlines(&file.path, options.threads))
            }),
            Arm::new("select", || timed(|| count(&sql, &file.path, pool))),
        ],
    )?;
    Ok(cell(file, format!("filter by {predicate}"), sql, series))
}

/// Measures the cost of channels: a whole file and handshakes at each level, next to bare rustls
/// loops with the same suite and key exchange.
fn channels(file: &Lineitem, folder: &Path, rounds: usize) -> Result<Vec<Cell>> {
    let temporary = TempDir::new()?;
    let authority = Authority::create(temporary.path())?;
    let levels = [Level::Three, Level::Four, Level::Five];
    let server =
        Server::start(folder, temporary.path(), &authority, &levels.map(Security::Encrypted))?;
    let runtime = Runtime::new()?;
    let mut cells = Vec::new();
    for (address, level) in server.addresses().iter().zip(levels) {
        let options = ConnectOptions::new(address.to_string())
            .level(level)
            .roots(Roots::File(authority.ca.clone()));
        let mut connection = runtime.block_on(Connection::connect(&options))?;
        let channel = connection.channel();
        let bare = Bare::like(&authority, channel.cipher(), channel.key_exchange())?;
        let (suite, _) = channel.cipher().split_once(' ').unwrap_or_default();
        let channel = format!("level {level}, {suite}, {}", channel.key_exchange());
        let name = file.format.file_name();
        let transfer = || timed(|| bare.transfer(&file.path, file.bytes).map(|_| file.bytes));
        let fetch = || runtime.block_on(arms::fetch(&mut connection, name));
        let mut arms = [Arm::new("bare rustls", transfer), Arm::new("fetch", fetch)];
        let series = interleave(rounds, &mut arms)?;
        cells.push(cell(file, format!("fetch at {channel}"), String::new(), series));

        for resumed in [false, true] {
            let connector = Connector::new(options.clone().resume(resumed))?;
            let bare = if resumed { bare.resuming() } else { bare.clone() };
            // what the first run resumes
            bare.handshakes(1)?;
            runtime.block_on(connector.connect())?;
            let connect = || timed(|| runtime.block_on(connect(&connector, resumed)));
            let handshakes = || timed(|| bare.handshakes(HANDSHAKES).map(|_| HANDSHAKES));
            let mut arms = [Arm::new("bare rustls", handshakes), Arm::new("connect", connect)];
            let series = interleave(rounds, &mut arms)?;
            let kind = if resumed { "resumed" } else { "full" };
            let (title, format) = (format!("{kind} handshake at {channel}"), "connect".to_owned());
            let handshakes = Some(HANDSHAKES);
            cells.push(Cell { title, format, handshakes, series, ..Cell::default() });
        }
    }
    Ok(cells)
}

/// The number of channels that are opened one after the other in one run.
const HANDSHAKES: u64 = 100;

async fn connect(connector: &Connector, resumed: bool) -> Result<u64> {
    for _ in 0..HANDSHAKES {
        if connector.connect().await?.channel().resumed() != resumed {
            return Err(format!("a handshake was not as it should be: resumed {resumed}").into());
        }
    }
    Ok(HANDSHAKES)
}

fn cell(file: &Lineitem, title: String, sql: String, series: Vec<Series>) -> Cell {
    let format = file.format.name().to_owned();
    let rest = Cell::default();
    Cell { title, format, file_bytes: file.bytes, sql, series, ..rest }
}

fn count_where(file: &Lineitem, predicate: &str) -> String {
    format!("SELECT count(*) FROM '{}' WHERE {predicate}", file.format.file_name())
}

fn count(sql: &str, path: &Path, pool: &ThreadPool) -> Result<u64> {
    let (_, batches) = pool.install(|| local::select_from_path(sql, path))?;
    let batch = batches.first().ok_or("an answer without a record")?;
    let counts = batch.column(0).as_primitive_opt::<Int64Type>().ok_or("a count is an integer")?;
    Ok(u64::try_from(counts.value(0))?)
}

fn timed<E>(work: impl FnOnce() -> Result<u64, E>) -> Result<Run>
where
    Box<dyn std::error::Error + Send + Sync>: From<E>,
{
    let start = Instant::now();
    work()?;
    Ok(Run { seconds: start.elapsed().as_secs_f64(), ..Run::default() })
}
