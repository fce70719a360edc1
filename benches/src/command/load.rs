//! `sift-bench load`: how many requests a server answers, and how long they take.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sift_client::{ConnectOptions, Connection, Error, Query};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Result;
use crate::authority::Authority;
use crate::command::{compare, generate};
use crate::document::{Document, Load, Sample};
use crate::lineitem::{Format, orders};
use crate::load::mix::Mix;
use crate::load::{Plan, Session, drive};
use crate::machine::Process;
use crate::server::{Security, Server};

/// Whom to ask what, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A server that runs already, with the authorities to verify it against; else one of our own
    /// over generated data.
    pub server: Option<(String, Option<PathBuf>)>,
    /// Folder of the generated data.
    pub folder: PathBuf,
    /// Scale factor of the generated data.
    pub scale: f64,
    /// What every channel has to be.
    pub security: Security,
    /// Numbers of sessions, each a step of its own.
    pub sessions: Vec<usize>,
    /// Connections that are held open beside and never asked over.
    pub idle: usize,
    /// A connection for each request.
    pub reconnect: bool,
    /// What to ask.
    pub mix: Mix,
    /// How long, at which pace.
    pub plan: Plan,
}

/// The TOML of what is asked of generated data at `scale`: about four records by their key.
pub fn default_mix(scale: f64) -> String {
    // of each 32 keys the first eight are used: clause 4.2.3 of TPC-H
    let last = 4 * orders(scale);
    format!(
        "[[select]]\n\
         sql = \"SELECT * FROM 'lineitem.dat' WHERE l_orderkey BETWEEN $1 AND $1 + 7\"\n\
         parameters = [{{ integer = [1, {last}] }}]\n"
    )
}

/// Asks, one step for each number of sessions, until all are done or Ctrl-C.
///
/// # Errors
/// That a server did not start, or a session could not connect.
pub fn run(options: &Options, done: impl Fn(&Load)) -> Result<Document> {
    let mut document = Document::start();
    let runtime = Runtime::new()?;
    let temporary = TempDir::new()?;
    let (connect, server) = match &options.server {
        Some((address, ca)) => {
            let connect = compare::options(address, options.security, ca.as_deref());
            (compare::as_user(connect), None)
        }
        None => {
            let authority = Authority::create(temporary.path())?;
            generate::reuse(&options.folder, Format::Fixed, options.scale)?;
            let server = Server::start(&options.folder, &authority, &[options.security])?;
            let address = server.addresses().first().ok_or("no address")?.to_string();
            (compare::options(&address, options.security, Some(&authority.ca)), Some(server))
        }
    };
    let process = server.as_ref().map(Server::process);
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        let _ = stop.send(true);
        // both ends of the channel have to live as long as somebody listens
        stop.closed().await;
    });
    let idle = runtime.block_on(open(&connect, options.idle))?;
    for &sessions in &options.sessions {
        if *stopped.borrow() {
            break;
        }
        let step = step(options, &connect, sessions, process, stopped.clone());
        let load = runtime.block_on(step)?;
        done(&load);
        document.loads.push(load);
    }
    drop(idle);
    Ok(document)
}

async fn step(
    options: &Options,
    connect: &ConnectOptions,
    sessions: usize,
    process: Option<Process>,
    stopped: watch::Receiver<bool>,
) -> Result<Load> {
    let kept = if options.reconnect { 0 } else { sessions };
    let mut ready: Vec<Option<Connection>> =
        open(connect, kept).await?.into_iter().map(Some).collect();
    ready.resize_with(sessions, || None);
    let client =
        |connection| Client { options: connect.clone(), connection, reconnect: options.reconnect };
    let clients = ready.into_iter().map(client).collect();
    let (end, ended) = watch::channel(false);
    let samples = tokio::spawn(sample(process, ended));
    let outcome = drive(clients, options.mix.clone(), options.plan, stopped).await;
    let _ = end.send(true);
    let (outcome, samples) = (outcome?, samples.await?);
    Ok(Load { outcome, idle: options.idle, reconnect: options.reconnect, samples })
}

/// Opens connections, a bounded number at a time.
async fn open(connect: &ConnectOptions, count: usize) -> Result<Vec<Connection>> {
    const AT_ONCE_MAX: usize = 32;
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let (place, connect) = (Arc::clone(&places).acquire_owned().await?, connect.clone());
        opening.spawn(async move {
            let opened = Connection::connect(&connect).await;
            drop(place);
            opened
        });
    }
    let mut opened = Vec::with_capacity(count);
    while let Some(connection) = opening.join_next().await {
        opened.push(connection??);
    }
    Ok(opened)
}

/// Looks at the server's process each second.
async fn sample(process: Option<Process>, mut ended: watch::Receiver<bool>) -> Vec<Sample> {
    let Some(process) = process else { return Vec::new() };
    let start = Instant::now();
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut samples = Vec::new();
    loop {
        let over = tokio::select! {
            _ = ended.wait_for(|ended| *ended) => true,
            _ = ticks.tick() => false,
        };
        samples.push(Sample {
            seconds: start.elapsed().as_secs_f64(),
            cpu_seconds: process.cpu_seconds().unwrap_or_default(),
            resident_bytes: process.resident_bytes().unwrap_or_default(),
            descriptors: process.descriptors().unwrap_or_default(),
        });
        if over {
            return samples;
        }
    }
}

/// A session over a real channel.
struct Client {
    options: ConnectOptions,
    connection: Option<Connection>,
    reconnect: bool,
}

impl Session for Client {
    async fn ask(&mut self, query: Query) -> Result<(), String> {
        let answer = self.try_ask(query).await;
        // after a failure it is not known what the connection is still good for
        if self.reconnect || answer.is_err() {
            self.connection = None;
        }
        answer.map_err(|error| kind(&error))
    }
}

impl Client {
    async fn try_ask(&mut self, query: Query) -> Result<(), Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => empty.insert(Connection::connect(&self.options).await?),
        };
        let mut answer = connection.select(query).await?;
        while answer.next().await?.is_some() {}
        Ok(())
    }
}

/// By what failures are told apart: the server's status, or the first words about the channel.
fn kind(error: &Error) -> String {
    match error.status() {
        Some(status) => status.as_str_name().to_owned(),
        None => error.to_string(),
    }
}
