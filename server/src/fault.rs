//! The faults that end a request or a connection, and the statuses that the client sees: one
//! exhaustive match for each kind of error.

use sift_proto::PROTOCOL_VERSION;
use sift_proto::frame::{FrameError, Kind};
use sift_proto::level::{Level, LevelError};
use sift_proto::message::{Failure, Status};
use sift_select::{ErrorKind, Requirement, Stopped, WouldBlock};

use crate::access::login::Denied;
use crate::access::protect::Refusal;
use crate::blocking::{GivesUp, Panicked};

/// A fault that the client gets instead of an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    // the channel is wrong
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("{0} frame where {expected} was due", expected = .1)]
    Unexpected(Kind, &'static str),
    #[error("{0} frame while an answer is under way; cancel it or read it to its end first")]
    WhileAnswering(Kind),
    #[error("{0} frame that does not decode: {1}")]
    Message(Kind, prost::DecodeError),
    #[error("protocol version {0}, this server speaks {PROTOCOL_VERSION}")]
    Version(u32),
    #[error("level {asked} is asked for, this channel does not meet it: {channel}")]
    LevelNotMet { asked: u8, channel: String },
    #[error(transparent)]
    LevelUnknown(#[from] LevelError),
    #[error("the server is busy: {max} {what} are open, its limit; try again later")]
    Busy { what: &'static str, max: usize },
    #[error(
        "the server is busy: Selects over patterns may have {0} files open together, and others have \
         too many of them; try again later"
    )]
    OpenFiles(usize),
    #[error("the server has too many open files; try again later")]
    NoDescriptors,
    #[error(
        "{requests} requests of your user are being answered, the limit `queries_per_user_max`, and \
         this one has waited for {seconds} seconds; try again later"
    )]
    Queued { requests: usize, seconds: u64 },
    #[error(
        "answers that wait to be sent take all the memory there is for them, and this one has waited \
         for {seconds} seconds; read answers faster, or try again later"
    )]
    MemoryFull { seconds: u64 },
    #[error("no request within {0} seconds")]
    Idle(u64),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("the session was ended by the administrator of the server")]
    SessionEnded,
    // the request is wrong
    /// The error of a Select as the client may see it. It is not made by `?`: `granted.rs` makes it
    /// for a file that does not open, and the view of the caller for the records of a file.
    #[error("{0}")]
    Select(sift_select::Error),
    #[error("`{name}`: {why}; a file is named by its path below the data root")]
    FileName { name: String, why: &'static str },
    #[error("`{0}`: unknown file")]
    UnknownFile(String),
    #[error("`{0}`: leads out of the data root")]
    Outside(String),
    #[error("`{0}`: not a regular file")]
    NotRegular(String),
    #[error("`{0}`: a descriptor, not a data file")]
    IsDescriptor(String),
    #[error("`{0}`: unknown format; a descriptor `{0}.toml` would tell it")]
    UnknownFormat(String),
    #[error("pattern `{pattern}`: {why}")]
    Pattern { pattern: String, why: String },
    #[error("`{name}`: range from byte {offset} for {length} bytes, the file has {file_bytes}")]
    Range { name: String, offset: u64, length: u64, file_bytes: u64 },
    #[error("{what} of {got} {unit}, at most {max} are accepted")]
    TooLarge { what: &'static str, got: usize, max: usize, unit: &'static str },
    #[error("more than {max} {what}; narrow the pattern")]
    TooMany { what: &'static str, max: usize },
    #[error(
        "{pattern}: your grants for {first} and {other} differ; select from files with the same \
         grant"
    )]
    GrantsDiffer { pattern: String, first: String, other: String },
    #[error(
        "the server worked on this for {seconds} seconds, its limit; select less, narrow WHERE, or \
         have `query_seconds_max` raised"
    )]
    OutOfTime { seconds: u64 },
    #[error("${number}: {why}")]
    Parameter { number: usize, why: String },
    #[error("cancelled by the client")]
    Cancelled,
    #[error("ended by the administrator of the server")]
    RequestEnded,
    // the data is wrong
    #[error("{0}: {1}")]
    Descriptor(String, String),
    #[error("{0}: {1}")]
    Unreadable(String, std::io::Error),
    #[error("{0}: the file changed while it was sent")]
    Changed(String),
    #[error("{0}: it or its descriptor changed while the file was opened; ask again")]
    Renamed(String),
    #[error("{0}: the file changed since its first part was fetched; fetch it from the start")]
    ChangedSince(String),
    // the data may not leave on this channel
    #[error(transparent)]
    Protected(#[from] Refusal),
    #[error("{0}: file requires network encryption while its descriptor cannot be read")]
    NetworkEncryptUnknown(String),
    #[error("{}", withheld_text(.name))]
    Withheld { name: String, kind: ErrorKind },
    // the user may not
    #[error(transparent)]
    Login(Denied),
    #[error("{0}: only parts of the file are granted to you; select them, a fetch is of all")]
    FetchOfPart(String),
    #[error("{0}: the file cannot be opened with your grant; the server's log says why")]
    Ungranted(String),
    // the server is wrong
    #[error(
        "the server cannot write its audit log, and gives no answers without it; tell its administrator"
    )]
    Unaudited,
    #[error("internal error of the server, {0}; its log may say more")]
    Internal(&'static str),
}

impl Fault {
    pub(crate) fn level(asked: Level, channel: impl Into<String>) -> Self {
        Self::LevelNotMet { asked: asked.number(), channel: channel.into() }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Frame(_) | Self::Unexpected(..) | Self::WhileAnswering(_) | Self::Message(..) => {
                Status::ProtocolViolation
            }
            Self::Version(_) => Status::VersionUnsupported,
            Self::LevelNotMet { .. } | Self::LevelUnknown(_) => Status::LevelNotMet,
            Self::Busy { .. }
            | Self::OpenFiles(_)
            | Self::NoDescriptors
            | Self::Queued { .. }
            | Self::MemoryFull { .. } => Status::ServerBusy,
            Self::Idle(_) => Status::IdleTimeout,
            Self::ShuttingDown => Status::ShuttingDown,
            Self::SessionEnded | Self::RequestEnded => Status::Ended,
            Self::Select(error) => select_status(error.kind()),
            Self::FileName { .. }
            | Self::UnknownFile(_)
            | Self::Outside(_)
            | Self::GrantsDiffer { .. }
            | Self::NotRegular(_)
            | Self::IsDescriptor(_)
            | Self::UnknownFormat(_) => Status::UnknownFile,
            Self::Pattern { .. } => Status::Syntax,
            Self::Range { .. } => Status::RangeInvalid,
            Self::TooLarge { .. } | Self::TooMany { .. } | Self::OutOfTime { .. } => {
                Status::LimitExceeded
            }
            Self::Parameter { .. } => Status::Parameter,
            Self::Cancelled => Status::Cancelled,
            Self::Descriptor(..) => Status::DescriptorInvalid,
            Self::Unreadable(..) => Status::FileUnreadable,
            Self::Changed(_) | Self::ChangedSince(_) | Self::Renamed(_) => Status::FileChanged,
            Self::Protected(refusal) => match refusal.requirement {
                Requirement::Level(_) => Status::LevelRequired,
                Requirement::Encryption | Requirement::None => Status::NetworkEncryptRequired,
            },
            Self::NetworkEncryptUnknown(_) => Status::NetworkEncryptRequired,
            Self::Withheld { kind, .. } => select_status(*kind),
            Self::Login(_) => Status::LoginRejected,
            Self::FetchOfPart(_) => Status::GrantRequired,
            Self::Ungranted(_) => Status::FileUnreadable,
            Self::Internal(_) | Self::Unaudited => Status::Internal,
        }
    }

    /// Returns whether the connection ends with the fault, because later frames could not be
    /// understood, or because there are too many connections.
    pub(crate) fn is_fatal(&self) -> bool {
        match self.status() {
            Status::ServerBusy => matches!(self, Self::Busy { .. }),
            Status::Ended => matches!(self, Self::SessionEnded),
            status => matches!(
                status,
                Status::ProtocolViolation
                    | Status::VersionUnsupported
                    | Status::LevelNotMet
                    | Status::IdleTimeout
                    | Status::ShuttingDown
                    | Status::LoginRejected
            ),
        }
    }

    pub(crate) fn to_failure(&self) -> Failure {
        Failure { status: self.status().into(), message: bounded(self.to_string()) }
    }
}

impl From<WouldBlock> for Fault {
    fn from(would_block: WouldBlock) -> Self {
        Self::Select(would_block.into())
    }
}

impl GivesUp for Fault {
    fn would_block(&self) -> bool {
        matches!(self, Self::Select(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl From<Stopped> for Fault {
    fn from(stopped: Stopped) -> Self {
        Self::Select(stopped.into())
    }
}

/// Returns the text of a fault of the file `name` whose details may not be sent on the channel.
pub(crate) fn withheld_text(name: &str) -> String {
    format!(
        "{name}: the file does not match its description; a channel that meets the protection of \
         all its columns gets the details"
    )
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Panicked(panicked) => panicked.into(),
            denied => Self::Login(denied),
        }
    }
}

impl From<Panicked> for Fault {
    fn from(_: Panicked) -> Self {
        Self::Internal("a job panicked")
    }
}

fn select_status(kind: ErrorKind) -> Status {
    match kind {
        ErrorKind::Syntax => Status::Syntax,
        ErrorKind::Unsupported => Status::Unsupported,
        ErrorKind::UnknownColumn => Status::UnknownColumn,
        ErrorKind::UnknownFunction => Status::UnknownFunction,
        ErrorKind::TypeMismatch => Status::TypeMismatch,
        ErrorKind::Parameter => Status::Parameter,
        ErrorKind::LimitExceeded => Status::LimitExceeded,
        ErrorKind::Computation => Status::Computation,
        ErrorKind::Descriptor => Status::DescriptorInvalid,
        ErrorKind::Record => Status::RecordInvalid,
        ErrorKind::FileChanged => Status::FileChanged,
        ErrorKind::Io | ErrorKind::KeyMissing => Status::FileUnreadable,
        ErrorKind::Cancelled => Status::Cancelled,
        // it is done again and never sent
        ErrorKind::WouldBlock => Status::Internal,
    }
}

/// The maximal size of a message. It may quote the client, and has to fit into a frame and a log
/// line.
const MESSAGE_BYTES_MAX: usize = 4096;

fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push_str(" …");
    }
    message
}

/// The reason why an answer stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The client gets the fault.
    Fault(Fault),
    /// Nobody can get a fault: the channel broke, or the client stopped reading.
    Gone(std::io::Error),
}

impl Stop {
    /// Returns the name of the status, for the log and for counters.
    pub(crate) fn status(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.status().as_str_name(),
            Self::Gone(_) => "GONE",
        }
    }
}

impl<F: Into<Fault>> From<F> for Stop {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}
