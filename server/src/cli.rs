//! Runs the commands of `siftd`.

mod args;
mod cert;
mod check;
mod control;
mod error;
mod file;
mod index;
mod log;
mod notices;
pub(crate) mod output;
mod panics;
mod passphrase;
mod query;
mod reload;
mod serve_args;
mod settings;
mod signals;
mod status;
mod systemd;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::CommandFactory;
use sift_server::{
    Access, Admission, ControlSocket, DataRoot, Grant, Listener, ListenerHandle, Monitor, Server,
    Terms, UsersFile, entropy, open_files,
};
use tracing::{error, info, warn};

pub(crate) use args::Args;
use args::Command;
use error::Error;
use log::LogHandle;
use output::print;
use passphrase::{Asking, Opener};
use reload::{Certificates, Running};
use serve_args::ServeArgs;
use settings::{AccessSettings, Channels, ListenerSettings, Settings};
use systemd::Systemd;

pub(crate) fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Serve(args) => {
            entropy::draw()?;
            let settings = Settings::new(args.clone())?;
            let log = log::start(settings.log_format, &settings.log_level)?;
            panics::log();
            let runtime = sift_server::runtime()?;
            let served = runtime.block_on(serve_until_signal(args, settings, log));
            // a thread that hangs in a file system must not keep the process
            runtime.shutdown_background();
            served
        }
        Command::Cert(command) => {
            entropy::draw()?;
            cert::run(command)
        }
        Command::File(command) => file::run(command),
        Command::Index(command) => index::run(command),
        Command::Query(args) => query::run(args),
        Command::Check(args) => check::run(args),
        Command::User(command) => user::run(command),
        Command::Status(args) => control::status(args),
        Command::Kill(args) => control::kill(args),
        Command::Reload(args) => control::reload(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "siftd", &mut script);
            Ok(print(&script)?)
        }
        Command::Man { folder } => Ok(clap_mangen::generate_to(Args::command(), folder)?),
    }
}

async fn serve_until_signal(
    args: ServeArgs,
    settings: Settings,
    log: LogHandle,
) -> Result<(), Error> {
    raise_open_files(settings.limits.connections_max.get());
    // the signals are caught before a listener is open, so that none is missed
    let shutdown = signals::shutdown()?;
    let hangup = signals::hangup()?;
    // another server with this folder is found before a listener is open
    let control = settings.control.as_deref().map(ControlSocket::bind).transpose()?;
    let (control, orders) = control.unzip();
    let config = reload::config(&settings)?;
    let mut opener = Opener::default();
    let mut open = Vec::new();
    for listener in &settings.listeners {
        let terms = terms(listener, &mut opener, Asking::Allowed)?;
        let bound = Listener::bind(listener.address, terms).await?;
        announce(&bound.handle(), &listener.admission);
        open.push(bound);
    }
    let monitor = match settings.metrics {
        Some(address) => Some(Monitor::bind(address).await?),
        None => None,
    };
    warn_of_seed();
    if config.access.grants.is_none() {
        warn_of_everybody(&config.data, &open);
    }
    let certificates: Certificates =
        Arc::new(Mutex::new(open.iter().filter_map(Listener::reloader).collect()));
    notices::tell_daily(Arc::clone(&certificates));
    let mut server = Server::new(config);
    if let Some(monitor) = monitor {
        announce_monitor(monitor.address());
        server = server.with_monitor(monitor);
    }
    if let Some(control) = control {
        server = server.with_control(control);
    }
    server.check_grants()?;
    let rules = server.rules_reloader();
    let listeners = settings.listeners.iter().zip(&open).map(|(settings, listener)| reload::Open {
        settings: settings.clone(),
        handle: listener.handle(),
    });
    let listeners = listeners.collect();
    let running = Running { args, settings, listeners, opener, rules, log, certificates };
    let systemd = Systemd::from_environment();
    signals::reload_at(hangup, orders, running, systemd.clone());
    systemd.watch(server.watchdog());
    systemd.ready();
    let shutdown = async {
        shutdown.await;
        systemd.stopping();
    };
    server.serve(open, shutdown).await;
    Ok(())
}

/// Raises the limit on open files as far as possible, before anything is derived from it.
fn raise_open_files(connections_max: usize) {
    match open_files::raise_limit() {
        // the rest is for data files, and for connections without Hello
        Ok(limit) if connections_max > limit / 4 => {
            warn!(limit, "RLIMIT_NOFILE is low: a quarter of it is less than max_connections");
        }
        Ok(limit) => info!(limit, "open files"),
        Err(error) => warn!(%error, "cannot raise RLIMIT_NOFILE"),
    }
}

/// Reads the files of a listener.
fn terms(listener: &ListenerSettings, opener: &mut Opener, asking: Asking) -> Result<Terms, Error> {
    let terms = match &listener.channels {
        Channels::Plain => Terms::plain(),
        Channels::Encrypted(options) => opener.terms(options.clone(), asking)?,
    };
    Ok(terms.admit(listener.admission.clone()))
}

/// Opens the users file, and warns about what is probably forgotten.
fn opened(settings: AccessSettings, listeners: &[ListenerSettings]) -> Result<Access, Error> {
    let AccessSettings { users, grants } = settings;
    let open = |path: PathBuf| UsersFile::open(&path).map_err(|fault| Error::Users { path, fault });
    let users = users.map(open).transpose()?;
    let logs_in = listeners.iter().any(|listener| listener.admission == Admission::LogIn);
    if let Some(file) = &users
        && logs_in
        && file.users().is_empty()
    {
        return Err(settings::Error::NoUsers.into());
    }
    warn_of_grants(grants.as_deref(), users.as_ref(), listeners);
    Ok(Access { admission: Admission::LogIn, users, grants })
}

/// Warns about what is probably forgotten in the grants.
fn warn_of_grants(
    grants: Option<&[Grant]>,
    users: Option<&UsersFile>,
    listeners: &[ListenerSettings],
) {
    if grants.is_some_and(<[_]>::is_empty) {
        warn!("nobody may read anything: there is no [[grant]] in the configuration");
    }
    for name in grants.into_iter().flatten().flat_map(Grant::users) {
        let known = users.is_some_and(|file| file.users().contains(name));
        let everybody = Admission::Everybody(name.clone());
        if !known && listeners.iter().all(|listener| listener.admission != everybody) {
            warn!(user = name, "a grant is for a user who is not there");
        }
    }
}

/// Logs a listener, with warnings about its security.
fn announce(listener: &ListenerHandle, admission: &Admission) {
    let address = listener.address();
    let login = match admission {
        Admission::LogIn => "required".to_owned(),
        Admission::Everybody(name) => format!("none, everybody is `{name}`"),
    };
    match listener.level() {
        Some(level) => info!(%address, scl = level.number(), login, "listening, encrypted"),
        None => info!(%address, login, "listening, plain"),
    }
    if listener.level().is_none() && !address.ip().is_loopback() {
        error!(%address, "PLAIN CHANNELS ON A NETWORK: all that is sent can be read on the way");
    }
}

fn announce_monitor(address: SocketAddr) {
    info!(%address, "metrics, in the clear");
    if !address.ip().is_loopback() {
        warn!(%address, "everybody on the network may read the metrics");
    }
}

fn warn_of_seed() {
    if std::env::var_os(entropy::SEED_VARIABLE).is_some() {
        warn!(
            "SIFT_RAND is set, and its file is not read: rustls takes no seed material, and the safe \
             interface to OpenSSL none from a file; the operating system's generator seeds both"
        );
    }
}

fn warn_of_everybody(data: &DataRoot, listeners: &[Listener]) {
    warn!(
        data = %data.path().display(),
        "no log-in and no [[grant]]: whoever can connect may read every file below the data root"
    );
    let open =
        listeners.iter().map(Listener::address).filter(|address| !address.ip().is_loopback());
    for address in open {
        error!(%address, "NO LOG-IN AND NOT ONLY LOOPBACK: everybody on the network may read every file");
    }
}
