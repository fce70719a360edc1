//! Chooses the server and the options by configuration and flags, and connects.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use sift_client::{
    ConnectOptions, Connection, Connector, ErrorKind, IdentityError, LEVELS, Level, Roots, Usage,
    nearest,
};

use super::args::Target;
use super::config::{Config, Server};
use super::fault::{Fault, Result};
use super::{hint, password};

/// The environment variable with the passphrase of the client certificate's key.
const PASSPHRASE: &str = "SIFT_CERT_PASSPHRASE";

/// The environment variable with the file of trusted authorities. It says nothing about whether to
/// encrypt.
const CA: &str = "SIFT_CA";

/// The server if neither the flags nor the configuration name one.
const LOCAL: &str = "localhost";

/// The chosen server.
pub(super) struct Chosen {
    pub(super) options: ConnectOptions,
    pub(super) names: Names,
}

/// The configured servers by name, and the name that was given.
pub(super) struct Names {
    given: String,
    servers: BTreeMap<String, Server>,
}

impl Names {
    /// Returns the name of the server as it was given.
    pub(super) fn given(&self) -> &str {
        &self.given
    }
}

/// Chooses the server. Flags take precedence over the configuration.
pub(super) fn choose(target: &Target) -> Result<Chosen> {
    let config = Config::load(target.config.as_deref())?;
    // an empty environment variable counts as not set
    let given = target.server.as_deref().filter(|name| !name.is_empty());
    let name = given.or(config.default.as_deref()).unwrap_or(LOCAL);
    let server = config.server.get(name);
    if server.is_none() && given.is_none() && config.default.is_some() {
        let near = nearest(name, config.server.keys().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Fault::NoSuchDefault { path: config.path, name: name.to_owned(), hint });
    }
    let mut options = match server {
        Some(server) => configured(&config, name, server)?,
        None => ConnectOptions::new(name),
    };
    if target.plain {
        options = options.encrypt(false);
    }
    // a flag about encryption asks for encryption
    let says_how = target.ca.is_some()
        || target.client_cert.is_some()
        || target.scl.is_some()
        || target.server_name.is_some();
    if says_how {
        options = options.encrypt(true);
    }
    if let Some(file) = &target.client_cert {
        options = options.client_certificate(file);
    }
    if let Some(passphrase) = env::var(PASSPHRASE).ok().filter(|text| !text.is_empty()) {
        options = options.client_passphrase(passphrase);
    }
    let of_environment = || env::var_os(CA).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(ca) = target.ca.clone().or_else(of_environment) {
        options = options.roots(Roots::File(ca));
    }
    if let Some(level) = target.scl {
        options = options.level(level);
    }
    if let Some(server_name) = &target.server_name {
        options = options.server_name(server_name);
    }
    let given = target.user.as_ref().filter(|name| !name.is_empty());
    if let Some(user) = given.or(server.and_then(|server| server.user.as_ref())) {
        options = options.user(user);
        // the configured password is that of the configured user
        let configured = server.filter(|_| given.is_none());
        let configured = configured.and_then(|server| server.password_file.as_ref());
        let file = target.password_file.clone().or_else(|| Some(config.beside(configured?)));
        let has_certificate = target.client_cert.is_some()
            || server.is_some_and(|server| server.client_cert.is_some());
        if options.encrypts() {
            options = match password::given(file)? {
                Some(password) => options.password(password.as_str()),
                None if has_certificate => options,
                None => options.password(password::ask(user)?.as_str()),
            };
        }
    }
    let configured = server.and_then(|server| server.compression);
    if let Some(compression) = target.compression.or(configured) {
        options = options.compression(compression.into());
    }
    if let Some(limit) = target.timeout {
        options = options
            .idle_timeout(limit)
            .connect_timeout(limit.min(ConnectOptions::CONNECT_TIMEOUT))
            .handshake_timeout(limit.min(ConnectOptions::HANDSHAKE_TIMEOUT));
    }
    let given = name.to_owned();
    Ok(Chosen { options, names: Names { given, servers: config.server } })
}

/// Returns the options of a configured server, without user and compression.
///
/// # Errors
/// A level that there is not.
pub(super) fn configured(config: &Config, name: &str, server: &Server) -> Result<ConnectOptions> {
    let mut options = ConnectOptions::new(&server.address).encrypt(server.encrypt);
    if let Some(number) = server.scl {
        let level = Level::from_number(number).and_then(|level| level.among(LEVELS));
        let level = level.map_err(|error| {
            let (path, name) = (config.path.clone(), name.to_owned());
            Fault::ConfiguredLevel { path, name, error }
        })?;
        options = options.level(level);
    }
    if let Some(ca) = &server.ca {
        options = options.roots(Roots::File(config.beside(ca)));
    }
    if let Some(file) = &server.client_cert {
        options = options.client_certificate(config.beside(file));
    }
    if let Some(server_name) = &server.server_name {
        options = options.server_name(server_name);
    }
    Ok(options)
}

/// Connects.
pub(super) async fn connect(connector: &Connector, names: &Names) -> Result<Connection> {
    let connected = connector.connect().await;
    connected.map_err(|error| hint::of_server(error, &names.given, &names.servers))
}

/// Reads the files that the options name. If a passphrase is missing, it asks for it at the
/// terminal.
pub(super) fn connector(options: ConnectOptions) -> Result<Connector> {
    let error = match Connector::new(options.clone()) {
        Ok(connector) => return Ok(connector),
        Err(error) => error,
    };
    let ErrorKind::Usage(Usage::Passphrase { path, error: IdentityError::NoPassphrase }) =
        error.kind()
    else {
        return Err(error.into());
    };
    match rpassword::prompt_password(format!("passphrase of {}: ", path.display())) {
        Ok(passphrase) => Ok(Connector::new(options.client_passphrase(passphrase))?),
        Err(_no_terminal) => Err(Fault::NoPassphrase { path: path.clone(), variable: PASSPHRASE }),
    }
}
