//! The settings of `siftd serve`: the configuration file and the command line, merged and checked.
//!
//! The command line has precedence for each key. Its options about a listener change the only
//! listener of a file. With several listeners they would be ambiguous, so they are refused.

mod access;
pub(super) mod error;
mod flat;
mod hint;
mod keys;
mod protection;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sift_proto::DEFAULT_PORT;
use sift_proto::level::Level;
use sift_server::{
    Admission, AuditOptions, ClientCertificates, CompressionChoice, Keyring, LEVELS, Limits,
    LocalKeys, Passphrase, Protection, TlsOptions,
};

use super::passphrase;
use super::serve_args::{CompressionName, LogFormat, ServeArgs};
pub(crate) use access::AccessSettings;
use access::Keys;
pub(crate) use error::Error;
use error::ValueFault;
pub(crate) use flat::changes;
use keys::Unreadable;

/// The keys that a reload cannot change, because the control socket or a port depends on them.
pub(crate) const RESTART_KEYS: [&str; 2] = ["state", "metrics"];

/// The settings of `siftd serve`.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The path of the configuration file, without symbolic links.
    pub(crate) path: Option<PathBuf>,
    /// The keys of that file with their values, as texts.
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) data: PathBuf,
    pub(crate) listeners: Vec<ListenerSettings>,
    pub(crate) limits: Limits,
    pub(crate) protection: Protection,
    pub(crate) keyring: Keyring,
    pub(crate) access: AccessSettings,
    /// The folder for indexes, and for records that do not fit into memory.
    pub(crate) state: PathBuf,
    /// The folder of the control socket: that of the state, if it is not the default for everybody.
    pub(crate) control: Option<PathBuf>,
    pub(crate) log_format: LogFormat,
    /// The levels that are logged, unless the environment names others.
    pub(crate) log_level: String,
    /// The address of the port for monitors.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) compression: CompressionChoice,
    pub(crate) compress_protected: bool,
    pub(crate) spill_encrypt: bool,
    pub(crate) audit: Option<AuditOptions>,
    /// The time from which on a Select is slow.
    pub(crate) slow_query_time: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListenerSettings {
    pub(crate) address: SocketAddr,
    pub(crate) channels: Channels,
    pub(crate) admission: Admission,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Channels {
    Plain,
    Encrypted(TlsOptions),
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    data: Option<PathBuf>,
    state: Option<PathBuf>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    log_level: String,
    metrics: Option<SocketAddr>,
    compression: Option<CompressionName>,
    #[serde(default)]
    compress_protected: bool,
    spill_encrypt: Option<bool>,
    slow_query_seconds: Option<NonZeroU32>,
    audit: Option<AuditOptions>,
    secure: Option<bool>,
    users: Option<PathBuf>,
    default_user: Option<String>,
    max_connections: Option<NonZeroUsize>,
    #[serde(default)]
    listener: Vec<FileListener>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    defaults: protection::Defaults,
    #[serde(default)]
    protect: Vec<protection::Rule>,
    #[serde(default)]
    parquet_key: Vec<keys::Key>,
    #[serde(default)]
    parquet: Vec<keys::Rule>,
    #[serde(default)]
    grant: Vec<access::GrantRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileListener {
    listen: Option<IpAddr>,
    port: Option<u16>,
    encrypt: Option<bool>,
    secure: Option<bool>,
    default_user: Option<String>,
    cert: Option<PathBuf>,
    scl: Option<u8>,
    cert_passphrase_file: Option<PathBuf>,
    client_ca: Option<PathBuf>,
    client_cert: Option<ClientCert>,
    client_crl: Option<Paths>,
}

/// One path or several paths.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
enum Paths {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Paths {
    fn map(self, change: impl Fn(PathBuf) -> PathBuf) -> Self {
        Self::Several(self.into_vec().into_iter().map(change).collect())
    }

    fn into_vec(self) -> Vec<PathBuf> {
        match self {
            Self::One(path) => vec![path],
            Self::Several(paths) => paths,
        }
    }
}

/// The values of `client_cert`, as [`ClientCertificates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClientCert {
    Required,
    Optional,
}

impl Settings {
    /// Reads the configuration file, if there is one, and applies `args`.
    pub(crate) fn new(args: ServeArgs) -> Result<Self, Error> {
        let folders = configuration_folders();
        let path = match &args.config {
            Some(path) => Some(path.clone()),
            None => find(&folders, "siftd.toml"),
        };
        let Some(path) = path else {
            return merge(args, FileSettings::default(), Path::new(""), &folders);
        };
        let text = text(&path)?;
        let settings = merge(args, parse(&path, &text)?, &path, &folders)?;
        Ok(Self { path: fs::canonicalize(&path).ok(), keys: flat::keys(&text), ..settings })
    }

    /// Returns the first key whose change needs a restart.
    pub(crate) fn needs_start(&self, after: &Self) -> Option<&'static str> {
        let changed = [
            self.state != after.state || self.control != after.control,
            self.metrics != after.metrics,
        ];
        RESTART_KEYS.into_iter().zip(changed).find_map(|(key, changed)| changed.then_some(key))
    }
}

fn merge(
    args: ServeArgs,
    file: FileSettings,
    path: &Path,
    folders: &[PathBuf],
) -> Result<Settings, Error> {
    let value = |fault| Error::Value { path: path.to_owned(), fault };
    let beside = |relative: PathBuf| path.parent().unwrap_or(Path::new("")).join(relative);
    let mut limits = file.limits;
    if let Some(connections_max) = args.max_connections.or(file.max_connections) {
        limits.connections_max = connections_max;
    }
    limits.check().map_err(|fault| value(fault.into()))?;
    let protection = protection::checked(&file.defaults, &file.protect).map_err(value)?;
    let keyring = keys::checked(file.parquet_key, file.parquet, beside, Unreadable::Refused);
    let keyring = keyring.map_err(value)?;
    let data = args.data.clone().or(file.data.map(beside)).ok_or(Error::NoData)?;

    let mut listeners = file.listener;
    if listeners.is_empty() {
        listeners.push(FileListener::default());
    }
    if listeners.len() > 1 && names_listener(&args) {
        return Err(value(ValueFault::Ambiguous(listeners.len())));
    }
    for listener in &mut listeners {
        listener.cert = listener.cert.take().map(beside);
        listener.cert_passphrase_file = listener.cert_passphrase_file.take().map(beside);
        listener.client_ca = listener.client_ca.take().map(beside);
        listener.client_crl = listener.client_crl.take().map(|paths| paths.map(beside));
        correct(listener, &args);
    }
    let of_file = Keys { secure: file.secure, default_user: file.default_user.as_deref() };
    let listeners = listeners.into_iter().zip(1..).map(|(listener, number)| {
        let address = SocketAddr::new(
            listener.listen.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            listener.port.unwrap_or(DEFAULT_PORT),
        );
        let level = listener.checked(number).map_err(value)?;
        let keys = Keys { secure: listener.secure, default_user: listener.default_user.as_deref() };
        let admission = access::admission(&args, of_file, keys, level.is_none(), number);
        let admission = admission.map_err(value)?;
        let channels = match level {
            None => Channels::Plain,
            Some(level) => Channels::Encrypted(listener.tls(level, folders)?),
        };
        Ok(ListenerSettings { address, channels, admission })
    });
    let listeners: Vec<_> = listeners.collect::<Result<_, Error>>()?;
    let admissions = listeners.iter().map(|listener| &listener.admission);
    let users = file.users.map(beside);
    let access = access::checked(&args, users, file.grant, folders, path, admissions)?;
    let log_format = args.log_format.or(file.log_format).unwrap_or_default();
    let named = file.state.map(beside).or_else(service_folder);
    let control = named.clone();
    let state = named.unwrap_or_else(|| PathBuf::from(STATE));
    if !state.is_dir() {
        return Err(Error::NoState { path: state });
    }
    let compression = args.compression.or(file.compression).unwrap_or_default();
    Ok(Settings {
        path: None,
        keys: BTreeMap::new(),
        data,
        listeners,
        limits,
        protection,
        keyring,
        access,
        state,
        control,
        log_format,
        log_level: file.log_level,
        metrics: args.metrics.or(file.metrics),
        compression: compression.into(),
        compress_protected: file.compress_protected,
        spill_encrypt: file.spill_encrypt.unwrap_or(true),
        audit: file.audit.map(|audit| AuditOptions { file: beside(audit.file), ..audit }),
        slow_query_time: file
            .slow_query_seconds
            .map(|seconds| Duration::from_secs(seconds.get().into())),
    })
}

fn names_listener(args: &ServeArgs) -> bool {
    args.encrypt
        || args.plain
        || args.certificate.is_some()
        || args.level.is_some()
        || args.listen.is_some()
        || args.port.is_some()
}

fn correct(listener: &mut FileListener, args: &ServeArgs) {
    listener.listen = args.listen.or(listener.listen);
    listener.port = args.port.or(listener.port);
    if args.plain {
        // the keys about encryption do not apply any more
        let FileListener { listen, port, secure, .. } = *listener;
        let default_user = listener.default_user.take();
        let encrypt = Some(false);
        *listener =
            FileListener { listen, port, encrypt, secure, default_user, ..FileListener::default() };
        return;
    }
    if args.encrypt || args.certificate.is_some() || args.level.is_some() {
        listener.encrypt = Some(true);
    }
    listener.cert = args.certificate.clone().or(listener.cert.take());
    listener.scl = args.level.map(Level::number).or(listener.scl);
}

impl FileListener {
    /// Returns the level; `None` for a plain listener.
    fn checked(&self, number: usize) -> Result<Option<Level>, ValueFault> {
        if self.encrypt.unwrap_or(true) {
            if self.client_cert.is_some() && self.client_ca.is_none() {
                return Err(ValueFault::NoClientAuthority { number });
            }
            if self.client_crl.is_some() && self.client_ca.is_none() {
                return Err(ValueFault::NoRevokingAuthority { number });
            }
            if matches!(&self.client_crl, Some(Paths::Several(paths)) if paths.is_empty()) {
                return Err(ValueFault::NoRevocationList { number });
            }
            let level = Level::from_number(self.scl.unwrap_or(0));
            return level
                .and_then(|level| level.among(LEVELS))
                .map(Some)
                .map_err(|error| ValueFault::Level { number, error });
        }
        let given = [
            ("cert", self.cert.is_some()),
            ("scl", self.scl.is_some()),
            ("cert_passphrase_file", self.cert_passphrase_file.is_some()),
            ("client_ca", self.client_ca.is_some()),
            ("client_cert", self.client_cert.is_some()),
            ("client_crl", self.client_crl.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => Err(ValueFault::PlainWith { number, key }),
            None => Ok(None),
        }
    }

    fn tls(self, level: Level, folders: &[PathBuf]) -> Result<TlsOptions, Error> {
        let certificate = self.cert.map_or_else(|| default_certificate(folders), Ok)?;
        let passphrase =
            self.cert_passphrase_file.map_or_else(passphrase::from_environment, Passphrase::File);
        let options = TlsOptions::new(certificate, level).passphrase(passphrase);
        let asked = match self.client_cert.unwrap_or(ClientCert::Required) {
            ClientCert::Required => ClientCertificates::Required,
            ClientCert::Optional => ClientCertificates::Optional,
        };
        Ok(match self.client_ca {
            None => options,
            Some(authorities) => options
                .clients(authorities, asked)
                .revocation_lists(self.client_crl.map(Paths::into_vec).unwrap_or_default()),
        })
    }
}

fn read(path: &Path) -> Result<FileSettings, Error> {
    parse(path, &text(path)?)
}

fn text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn parse(path: &Path, text: &str) -> Result<FileSettings, Error> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let message = hint::unknown_key(text);
        let message = message.unwrap_or_else(|| error.to_string().trim_end().to_owned());
        Error::Syntax { path: path.to_owned(), message }
    })
}

fn default_certificate(folders: &[PathBuf]) -> Result<PathBuf, Error> {
    find(folders, "siftd.pem").ok_or_else(|| {
        let folders: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
        Error::NoCertificate { searched: folders.join(" or ") }
    })
}

fn find(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(name)).find(|path| path.exists())
}

/// The default folder of the state: that for large temporary files, which is on a disk more often
/// than the folder for small ones. Everybody may write there.
const STATE: &str = "/var/tmp";

/// Returns the folder that systemd made for the service.
fn service_folder() -> Option<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").map(PathBuf::from)
}

/// Returns the path of the users file of this machine's server.
pub(super) fn users_file(config: Option<&Path>) -> Result<PathBuf, Error> {
    let folders = configuration_folders();
    let config = config.map(Path::to_owned).or_else(|| find(&folders, "siftd.toml"));
    let named = config.map(|path| Ok::<_, Error>((read(&path)?.users, path))).transpose()?;
    Ok(match named {
        Some((Some(users), path)) => path.parent().unwrap_or(Path::new("")).join(users),
        _ => find(&folders, access::USERS).unwrap_or_else(|| own_folder().join(access::USERS)),
    })
}

/// Returns the folder of the state of this machine's server.
pub(super) fn state(config: Option<&Path>) -> Result<PathBuf, Error> {
    let state = state_named(config)?.unwrap_or_else(|| PathBuf::from(STATE));
    if state.is_dir() { Ok(state) } else { Err(Error::NoState { path: state }) }
}

/// Returns the folder of the state of this machine's server, unless it is the default.
pub(super) fn state_named(config: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    let config = config.map(Path::to_owned);
    let config = config.or_else(|| find(&configuration_folders(), "siftd.toml"));
    let named = config.map(|path| Ok::<_, Error>((read(&path)?.state, path))).transpose()?;
    Ok(match named {
        Some((Some(state), path)) => Some(path.parent().unwrap_or(Path::new("")).join(state)),
        _ => service_folder(),
    })
}

/// Returns the keys of encrypted files in this machine's configuration.
pub(super) fn local_keys(config: Option<&Path>) -> Result<LocalKeys, Error> {
    let config = config.map(Path::to_owned);
    let config = config.or_else(|| find(&configuration_folders(), "siftd.toml"));
    let Some(path) = config else { return Ok(LocalKeys::default()) };
    let file = read(&path)?;
    let beside = |relative: PathBuf| path.parent().unwrap_or(Path::new("")).join(relative);
    let keyring = keys::checked(file.parquet_key, file.parquet, beside, Unreadable::Told)
        .map_err(|fault| Error::Value { path: path.clone(), fault })?;
    Ok(LocalKeys { keyring, data: file.data.map(beside) })
}

/// Returns the configuration folder to which `siftd cert` writes.
pub(super) fn own_folder() -> PathBuf {
    configuration_folders().into_iter().next().unwrap_or_default()
}

/// Returns the configuration folders: the user's own, if there is one, and that of the machine.
fn configuration_folders() -> Vec<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|folder| folder.join("sift"));
    own.into_iter().chain([PathBuf::from("/etc/sift")]).collect()
}

#[cfg(test)]
mod tests;
