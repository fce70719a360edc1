//! The subcommand `sift-bench load`: the rate and the latency of a server's answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sift_client::{ConnectOptions, Connection, Connector, Error, Query};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Result;
use crate::authority::Authority;
use crate::command::{compare, generate};
use crate::document::{Document, Load, SIFT, Sample};
use crate::index;
use crate::lineitem::{Format, orders};
use crate::load::mix::Mix;
use crate::load::{Connections, Handshakes, Pace, Plan, Session, drive};
use crate::machine::Process;
use crate::rival::{self, Rival};
use crate::server::{Security, Server};

/// The options of the subcommand.
#[derive(Clone, Debug)]
pub struct Options {
    /// A server that is already running, with the authorities to verify it; without it, a server of
    /// our own with generated data.
    pub server: Option<(String, Option<PathBuf>)>,
    /// The folder of the generated data.
    pub folder: PathBuf,
    /// The scale factor of the generated data.
    pub scale: f64,
    /// True if the server of our own has an index of the data.
    pub index: bool,
    /// The required channel of every connection.
    pub security: Security,
    /// The numbers of sessions; each is one step.
    pub sessions: Vec<usize>,
    /// The number of further connections that stay open without requests.
    pub idle: usize,
    /// The connection of a request.
    pub connections: Connections,
    /// The requests.
    pub mix: Mix,
    /// The duration and the pace.
    pub plan: Plan,
    /// The commands that start rivals, which get the same load after each step. They need generated
    /// data and the default mix.
    pub rivals: Vec<String>,
}

/// The number of keys in the range of a point select: about eight records.
const KEYS_EACH: u64 = 8;

/// Returns the largest key at `scale`.
fn keys(scale: f64) -> u64 {
    // of each 32 keys the first eight are used: clause 4.2.3 of TPC-H
    4 * orders(scale)
}

/// Returns the TOML of the default mix at `scale`: about eight records by their key.
pub fn default_mix(scale: f64) -> String {
    format!(
        "[[select]]\n\
         sql = \"SELECT * FROM 'lineitem.dat' WHERE l_orderkey BETWEEN $1 AND $1 + {}\"\n\
         parameters = [{{ integer = [1, {}] }}]\n",
        KEYS_EACH - 1,
        keys(scale)
    )
}

/// Runs one step for each number of sessions, until all are done or Ctrl-C.
///
/// # Errors
/// A server that did not start, or a session that could not connect.
pub fn run(options: &Options, done: impl Fn(&Load)) -> Result<Document> {
    let mut document = Document::start();
    let runtime = Runtime::new()?;
    let temporary = TempDir::new()?;
    let mut rivals = Vec::new();
    let (connect, server) = match &options.server {
        Some((address, ca)) => {
            let connect = compare::options(address, options.security, ca.as_deref());
            (compare::as_user(connect), None)
        }
        None => {
            let authority = Authority::create(temporary.path())?;
            let file = generate::reuse(&options.folder, Format::Fixed, options.scale)?;
            if options.index {
                index::build(&[file], temporary.path())?;
            }
            if !options.rivals.is_empty() {
                // what they load
                generate::reuse(&options.folder, Format::Csv, options.scale)?;
            }
            for command in &options.rivals {
                rivals.push(Rival::start(command, &options.folder, &authority)?);
            }
            let (data, state) = (&options.folder, temporary.path());
            let server = Server::start(data, state, &authority, &[options.security])?;
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
    let idle = runtime.block_on(open(&connector(&connect, Connections::Full)?, options.idle))?;
    for &sessions in &options.sessions {
        if *stopped.borrow() {
            break;
        }
        let step = step(options, &connect, sessions, process, stopped.clone());
        let load = runtime.block_on(step)?;
        done(&load);
        document.loads.push(load);
        for rival in &mut rivals {
            let load = rival_step(options, sessions, rival)?;
            done(&load);
            document.loads.push(load);
        }
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
    let opened = Arc::new(Opened::default());
    let clients = clients(options.connections, connect, sessions, &opened).await?;
    let (end, ended) = watch::channel(false);
    let samples = tokio::spawn(sample(process, ended));
    let outcome = drive(clients, options.mix.clone(), options.plan, stopped).await;
    let _ = end.send(true);
    Ok(Load {
        arm: SIFT.to_owned(),
        outcome: outcome?,
        idle: options.idle,
        connections: options.connections,
        handshakes: opened.count(),
        samples: samples.await?,
    })
}

fn rival_step(options: &Options, sessions: usize, rival: &mut Rival) -> Result<Load> {
    let Plan { pace, warm_up, measured, .. } = options.plan;
    let outcome = rival.load(rival::Step {
        sessions,
        rate: match pace {
            Pace::Closed => None,
            Pace::PerSecond(rate) => Some(rate),
        },
        connections: options.connections,
        warm_up: warm_up.as_secs_f64(),
        seconds: measured.as_secs_f64(),
        keys: keys(options.scale),
        keys_each: KEYS_EACH,
    })?;
    Ok(Load {
        arm: rival.name().to_owned(),
        outcome,
        idle: 0,
        connections: options.connections,
        handshakes: Handshakes::default(),
        samples: Vec::new(),
    })
}

pub(super) async fn clients(
    connections: Connections,
    connect: &ConnectOptions,
    sessions: usize,
    opened: &Arc<Opened>,
) -> Result<Vec<Client>> {
    let shared = connector(connect, connections)?;
    let kept = if connections == Connections::Kept { sessions } else { 0 };
    let mut ready = open(&shared, kept).await?.into_iter();
    let client = |_| {
        let connector = match connections {
            // its tickets are its own, as those of another process would be
            Connections::Resumed => connector(connect, connections)?,
            Connections::Kept | Connections::Full => Arc::clone(&shared),
        };
        let opened = Arc::clone(opened);
        Ok(Client { connector, connection: ready.next(), connections, opened })
    };
    (0..sessions).map(client).collect()
}

fn connector(connect: &ConnectOptions, connections: Connections) -> Result<Arc<Connector>> {
    let resume = connections == Connections::Resumed;
    Ok(Arc::new(Connector::new(connect.clone().resume(resume))?))
}

/// Opens connections, a bounded number at a time.
pub(super) async fn open(connector: &Arc<Connector>, count: usize) -> Result<Vec<Connection>> {
    const AT_ONCE_MAX: usize = 32;
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let place = Arc::clone(&places).acquire_owned().await?;
        let connector = Arc::clone(connector);
        opening.spawn(async move {
            let opened = connector.connect().await;
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

/// Samples the process of the server each second.
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
pub(super) struct Client {
    connector: Arc<Connector>,
    connection: Option<Connection>,
    connections: Connections,
    opened: Arc<Opened>,
}

/// Counts the connections that all sessions open.
#[derive(Default)]
pub(super) struct Opened {
    full: AtomicU64,
    resumed: AtomicU64,
}

impl Opened {
    fn add(&self, connection: &Connection) {
        let counter = if connection.channel().resumed() { &self.resumed } else { &self.full };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> Handshakes {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Handshakes { full: load(&self.full), resumed: load(&self.resumed) }
    }
}

impl Session for Client {
    async fn ask(&mut self, query: Query) -> Result<(), String> {
        let answer = self.try_ask(query).await;
        // after a failure it is not known what the connection is still good for
        if self.connections != Connections::Kept || answer.is_err() {
            self.connection = None;
        }
        answer.map_err(|error| kind(&error))
    }
}

impl Client {
    async fn try_ask(&mut self, query: Query) -> Result<(), Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let connection = self.connector.connect().await?;
                self.opened.add(&connection);
                empty.insert(connection)
            }
        };
        let mut answer = connection.select(query).await?;
        while answer.next().await?.is_some() {}
        Ok(())
    }
}

/// Returns the kind of a failure: the status of the server, or the first words about the channel.
fn kind(error: &Error) -> String {
    match error.status() {
        Some(status) => status.as_str_name().to_owned(),
        None => error.to_string(),
    }
}
