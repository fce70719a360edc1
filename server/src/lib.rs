//! The server of Sift: channels, access, catalogue and connections around `sift-select`.
//!
//! ```text
//! connection -> channel -> Frame -> Request -> catalogue -> Plan -> Scan -> Batch* -> Frame* -> TLS
//! ```
//!
//! [`serve`] takes listeners that are already bound, and a future that ends the server. `siftd` is
//! a command line around it.
//!
//! ```no_run
//! use sift_server::{Access, Config, DataRoot, Listener, serve};
//!
//! # async fn run() -> Result<(), sift_server::Error> {
//! let listener = Listener::plain(([127, 0, 0, 1], 0).into()).await?;
//! println!("listening on {}", listener.address());
//! let config = Config::new(DataRoot::open("/srv/data")?, Access::open());
//! serve(vec![listener], config, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod access;
mod audit;
pub mod bench;
mod blocking;
mod catalogue;
mod channel;
mod config;
mod connection;
mod control;
mod door;
pub mod entropy;
mod error;
mod fault;
mod interrupt;
mod limits;
mod link;
mod local;
mod memory;
mod metrics;
mod monitor;
pub mod open_files;
mod permits;
mod pool;
mod pulse;
mod quota;
mod replace;
mod rules;
mod schedule;
mod server;
mod sessions;
mod shared;
mod shutdown;

pub use access::grant::{Grant, GrantFault};
pub use access::password::{PASSWORD_CHARS_MIN, PasswordFault, PasswordHash};
pub use access::protect::{ProtectRule, Protection};
pub use access::user::{Account, User, Users, UsersFault, UsersFile, check_name};
pub use access::{Access, Admission};
pub use audit::{Audit, AuditOptions, AuditParameters, AuditText, KeyChange, WhenFull};
pub use blocking::runtime;
pub use catalogue::DataRoot;
pub use catalogue::keyring::{KeyFault, KeyRule, KeySource, Keyring};
pub use catalogue::survey::{Survey, SurveyError, SurveyedFile, survey};
pub use channel::tls::{
    ClientCertificates, Clock, LEVELS, Notice, Passphrase, Reloader, TlsOptions,
};
pub use config::{Config, Listener, ListenerHandle, Terms};
pub use control::{
    ControlAnswer, ControlOrder, ControlRequest, ControlSocket, SOCKET, SettingsReport,
};
pub use error::{CertificateFault, Error};
pub use limits::{Limit, LimitFault, Limits};
pub use link::CompressionChoice;
pub use local::{LocalError, LocalKeys, LocalQuery, open_local};
pub use monitor::Monitor;
pub use pulse::{Stalled, Watchdog};
pub use replace::replaceable;
pub use rules::RulesReloader;
pub use server::{Server, serve};
pub use sessions::{RequestReport, SessionReport, StatusReport, Wait};
pub use shared::Activity;
pub use sift_proto::owner::{CertificateName, NameFault};
pub use sift_select::Requirement;
