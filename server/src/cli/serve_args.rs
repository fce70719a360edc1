//! The options of `siftd serve`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use sift_proto::level::{Level, LevelError};
use sift_server::{CompressionChoice, LEVELS, Limits};

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// The folder with the data files; no request leads out of it
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Speak TLS (the default)
    #[arg(long, conflicts_with = "plain")]
    pub(crate) encrypt: bool,

    /// Speak in the clear; files with `network_encrypt` are refused then
    #[arg(long, conflicts_with_all = ["certificate", "level"])]
    pub(crate) plain: bool,

    /// PEM file with the certificate chain, the server's own first, and its private key
    ///
    /// By default siftd.pem in $XDG_CONFIG_HOME/sift or ~/.config/sift, else in /etc/sift.
    #[arg(long = "cert", value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,

    /// Security level of the channels: 0, 2, 3, 4 or 5
    ///
    /// 0 is the default level, now 3. 2: TLS 1.1 and 1.2, for old peers, in builds with the feature
    /// `legacy-tls` only. 3: TLS 1.2 and 1.3. 4: TLS 1.3. 5: TLS 1.3 with AES-256-GCM or ChaCha20
    /// and the post-quantum key exchange X25519MLKEM768 only. 1 is retired.
    #[arg(long = "scl", value_name = "LEVEL", value_parser = parse_level)]
    pub(crate) level: Option<Level>,

    /// Let all clients in without log-in
    ///
    /// Every client is the user that --default-user names, with the grants of that user. Without
    /// any `[[grant]]` in the configuration, every client may read every file below the data root.
    #[arg(long)]
    pub(crate) no_secure: bool,

    /// The user that every client is with --no-secure
    #[arg(long, value_name = "NAME")]
    pub(crate) default_user: Option<String>,

    /// The file with the users, as `siftd user` writes it
    ///
    /// By default users.toml in the folders of siftd.pem.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<IpAddr>,

    /// The port to listen on, 0 for any free one [default: 7330]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,

    #[arg(long, value_name = "N", help = limit_help("max_connections"))]
    pub(crate) max_connections: Option<NonZeroUsize>,

    /// How the log is written [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// Tell monitors the metrics at this address, in the clear, as 127.0.0.1:7332
    ///
    /// There are /metrics for Prometheus, /live, and /ready, which is 503 during the shutdown.
    /// Nobody logs in. By default there is no such port.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<SocketAddr>,

    /// The compression of answers [default: auto]
    ///
    /// It makes slow links faster and needs processor time. Answers from protected files are never
    /// compressed unless the configuration says `compress_protected`.
    #[arg(long, value_name = "HOW")]
    pub(crate) compression: Option<CompressionName>,

    /// The configuration file; the command line has precedence
    ///
    /// By default siftd.toml in the folders of siftd.pem, if it is there. Several listeners need a
    /// configuration file; siftd.example.toml in the source explains every key.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line of text for people
    #[default]
    Text,
    /// One JSON object for each line
    Json,
}

/// The names of [`CompressionChoice`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CompressionName {
    /// The one with which most records arrive, found out while answers are sent
    #[default]
    Auto,
    /// None
    None,
    /// Always LZ4
    Lz4,
    /// Always Zstandard
    Zstd,
}

impl From<CompressionName> for CompressionChoice {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::Auto => Self::Auto,
            CompressionName::None => Self::Never,
            CompressionName::Lz4 => Self::Lz4,
            CompressionName::Zstd => Self::Zstd,
        }
    }
}

/// Returns the line of the table of limits that is about `key`, with its default.
fn limit_help(key: &str) -> String {
    let limits = Limits::table().into_iter();
    let lines = limits.filter(|limit| limit.key == key);
    lines.map(|limit| format!("{} [default: {}]", limit.help(), limit.default)).collect()
}

fn parse_level(text: &str) -> Result<Level, LevelError> {
    text.parse::<Level>()?.among(LEVELS)
}
