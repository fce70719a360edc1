//! The subcommand `sift-bench fair`: what a light Select takes beside many heavy ones of another
//! user.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sift_client::{ConnectOptions, Connector, Error, Query};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::authority::Authority;
use crate::command::{compare, generate, load};
use crate::document::{Crowd, Document, Fairness};
use crate::index;
use crate::lineitem::Format;
use crate::load::mix::Mix;
use crate::load::{Connections, Outcome, Pace, Plan, drive};
use crate::server::{Security, Server};

/// The options of the subcommand.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the generated data.
    pub folder: PathBuf,
    /// The scale factor of the data of the heavy Selects.
    pub scale: f64,
    /// The required channel of every connection.
    pub security: Security,
    /// The numbers of heavy Selects at once; each is one step.
    pub crowds: Vec<usize>,
    /// The measured time of each light Select in each step.
    pub measured: Duration,
    /// The time of the heavy Selects before the light ones begin.
    pub warm_up: Duration,
}

/// The folder, below that of the data, of the files of the light Selects.
const SMALL: &str = "small";

/// The scale of these files: 30,000 records, 4.8 MB as fixed-length records.
const SMALL_SCALE: f64 = 0.005;

/// The light Selects, each with its name.
fn light() -> [(&'static str, String); 3] {
    let select = |sql: &str| format!("[[select]]\nsql = \"{sql}\"\n");
    [
        ("100 records of Parquet", select("SELECT * FROM 'small/lineitem.parquet' LIMIT 100")),
        (
            "scan of 5 MB",
            select("SELECT count(*) FROM 'small/lineitem.dat' WHERE l_comment LIKE '%zzz%'"),
        ),
        (
            "point select",
            "[[select]]\nsql = \"SELECT * FROM 'lineitem.dat' WHERE l_orderkey = $1\"\n\
             parameters = [{ integer = [1, 600000] }]\n"
                .to_owned(),
        ),
    ]
}

/// The heavy Selects. Their answers are small, so that the server has the work.
const HEAVY: [(&str, &str); 3] = [
    ("scans", "SELECT * FROM 'lineitem.parquet' WHERE l_comment LIKE '%zzz%'"),
    (
        "sorts",
        "SELECT l_orderkey, l_linenumber, l_extendedprice FROM 'lineitem.parquet' \
         ORDER BY l_extendedprice, l_orderkey, l_linenumber OFFSET 100000000",
    ),
    (
        "groupings",
        "SELECT l_suppkey, sum(l_quantity) AS quantity, count(*) AS lines \
         FROM 'lineitem.parquet' GROUP BY l_suppkey ORDER BY quantity DESC, l_suppkey LIMIT 10",
    ),
];

/// Measures each light Select alone, and beside each crowd of heavy ones.
///
/// # Errors
/// A server that did not start, or a session that could not connect.
pub fn run(options: &Options, done: impl Fn(&Crowd)) -> Result<Document> {
    let mut document = Document::start();
    let runtime = Runtime::new()?;
    let temporary = TempDir::new()?;
    let authority = Authority::create(temporary.path())?;
    let keyed = generate::reuse(&options.folder, Format::Fixed, options.scale)?;
    generate::reuse(&options.folder, Format::Parquet, options.scale)?;
    for format in [Format::Fixed, Format::Parquet] {
        generate::reuse(&options.folder.join(SMALL), format, SMALL_SCALE)?;
    }
    index::build(&[keyed], temporary.path())?;
    let channels = [options.security; 2];
    let server = Server::start(&options.folder, temporary.path(), &authority, &channels)?;
    let [heavy, light_user] = server.addresses() else { return Err("no addresses".into()) };
    let connect = |address: &std::net::SocketAddr| {
        compare::options(&address.to_string(), options.security, Some(&authority.ca))
    };
    let (heavy, light_user) = (connect(heavy), connect(light_user));
    let alone = runtime.block_on(measure(&light_user, options))?;
    for (name, sql) in HEAVY {
        for &selects in &options.crowds {
            let seconds = runtime.block_on(all_at_once(&heavy, sql, selects))?;
            let beside = runtime.block_on(async {
                let crowd = Loop::start(&heavy, sql, selects).await?;
                sleep(options.warm_up).await;
                let measured = measure(&light_user, options).await;
                crowd.stop().await?;
                measured
            })?;
            let light = light().into_iter().zip(&alone).zip(beside);
            let light = light.map(|(((name, _), alone), beside)| Fairness {
                select: name.to_owned(),
                alone: alone.clone(),
                beside,
            });
            let crowd = Crowd { kind: name.to_owned(), selects, seconds, light: light.collect() };
            done(&crowd);
            document.crowds.push(crowd);
        }
    }
    Ok(document)
}

/// Measures each light Select in a closed loop of one session.
async fn measure(connect: &ConnectOptions, options: &Options) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (_, mix) in light() {
        let plan = Plan {
            pace: Pace::Closed,
            warm_up: options.measured / 10,
            measured: options.measured,
            seed: 1,
        };
        let opened = Arc::default();
        let session = load::clients(Connections::Kept, connect, 1, &opened).await?;
        // both ends of the channel have to live as long as somebody listens
        let (_stop, stopped) = watch::channel(false);
        outcomes.push(drive(session, Mix::parse(&mix)?, plan, stopped).await?);
    }
    Ok(outcomes)
}

/// Sends `sql` from so many sessions at once, and returns the seconds until all have answers.
async fn all_at_once(connect: &ConnectOptions, sql: &'static str, selects: usize) -> Result<f64> {
    let connector = Connector::new(connect.clone())?;
    let mut running = JoinSet::new();
    let connections = load::open(&Arc::new(connector), selects).await?;
    let started = Instant::now();
    for mut connection in connections {
        running.spawn(async move { ask(&mut connection, sql).await });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(started.elapsed().as_secs_f64())
}

async fn ask(connection: &mut sift_client::Connection, sql: &str) -> Result<(), Error> {
    let mut answer = connection.select(Query::new(sql)).await?;
    while answer.next().await?.is_some() {}
    Ok(())
}

/// Sessions that send the same Select again and again.
struct Loop {
    running: JoinSet<Result<(), Error>>,
}

/// The time for the server to give up the heavy Selects of clients that have left.
const QUIET_TIME: Duration = Duration::from_secs(2);

impl Loop {
    async fn start(connect: &ConnectOptions, sql: &'static str, sessions: usize) -> Result<Self> {
        let connector = Connector::new(connect.clone())?;
        let mut running = JoinSet::new();
        for mut connection in load::open(&Arc::new(connector), sessions).await? {
            running.spawn(async move {
                loop {
                    ask(&mut connection, sql).await?;
                }
            });
        }
        Ok(Self { running })
    }

    /// Drops the connections.
    ///
    /// # Errors
    /// The first heavy Select that failed.
    async fn stop(mut self) -> Result<()> {
        if let Ok(Some(ended)) = timeout(Duration::ZERO, self.running.join_next()).await {
            ended??;
        }
        self.running.shutdown().await;
        sleep(QUIET_TIME).await;
        Ok(())
    }
}
