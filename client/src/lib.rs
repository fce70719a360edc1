//! The client of a Sift server. It selects records on the server, or fetches whole files.
//!
//! A [`Connection`] is one channel with one request at a time. [`Connection::select`] returns the
//! answer as Arrow batches, or as records of a serde type:
//!
//! ```no_run
//! use serde::Deserialize;
//! use sift_client::{ConnectOptions, Connection, Decimal, Error, Roots, Select, Value};
//!
//! #[derive(Deserialize)]
//! struct Order {
//!     id: i64,
//!     customer: Option<String>, // a column that can have NULL
//!     price: Decimal,           // or f64, where the nearest float is good enough
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Error> {
//!     let options = ConnectOptions::new("files.example.com").roots(Roots::File("ca.pem".into()));
//!     let mut connection = Connection::connect(&options).await?;
//!     assert!(connection.channel().encrypted());
//!
//!     let select = Select::from("sales/orders.dat")
//!         .columns(["id", "customer", "price"])
//!         .filter("price > $1 AND day >= $2")
//!         .parameter(Value::decimal("99.50")?)
//!         .parameter(Value::date("2024-02-01")?);
//!     let mut orders = connection.select(select).await?.records::<Order>();
//!     while let Some(order) = orders.next().await? {
//!         println!("{} {} {}", order.id, order.customer.unwrap_or_default(), order.price);
//!     }
//!     let statistics = orders.statistics().copied().unwrap_or_default();
//!     println!("{} bytes crossed the network", statistics.bytes_sent);
//!     Ok(())
//! }
//! ```
//!
//! [`BatchStream`], [`RecordStream`] and [`ChunkStream`] are streams of the `futures` crates, too.
//! The batches are those of [`arrow`], which is re-exported so that a program uses the same
//! version. The feature `cli`, on by default, builds the command `sift`; a program that needs only
//! the library turns it off (`default-features = false`).
//!
//! # Guarantees
//!
//! With encryption (the default), nothing is ever sent in the clear, and every channel fulfils the
//! rules of the level. An answer without its end marker is an error, never a short answer. For all
//! bytes that a server can send, this end does not panic, does not wait without a time-out, and has
//! at most a few frames (of at most 8 MiB) and the decoded data of one frame in memory.
//!
//! A stream that is dropped cancels its query: it sends Cancel at once, without waiting. The next
//! request on the connection first reads the data that was already on its way, at most 64 MiB and
//! for at most 5 seconds. If that is not enough, the connection is closed, and the caller has to
//! connect again.

mod alike;
mod answer;
mod batches;
mod channel;
mod connect;
mod connection;
mod error;
mod fetch;
mod ipc;
mod options;
mod output_file;
mod output_path;
mod part;
mod query;
mod record;
mod session;
mod tls;
mod transport;
mod value;
mod wire;
mod wrong_peer;

/// The version of Arrow whose batches this crate returns.
pub use arrow;

pub use alike::nearest;
pub use batches::{BatchStream, RecordStream};
pub use channel::Channel;
pub use connect::Connector;
pub use connection::Connection;
pub use error::{Error, ErrorKind, Reason, Result, Usage, Violation};
pub use fetch::{ChunkStream, Fetch, Fetched, Progress};
pub use options::{Compression, ConnectOptions, Roots};
pub use output_file::OutputFile;
pub use query::{Query, Select, quote_column, quote_file};
pub use sift_codec::DecodeError;
pub use sift_proto::frame::{DecompressError, FrameError, Kind};
pub use sift_proto::identity::IdentityError;
pub use sift_proto::level::{Level, LevelError, Protocol};
pub use sift_proto::message::{ChannelReport, Description, Field, FileEntry, Statistics, Status};
pub use tls::LEVELS;
pub use value::{Decimal, Value};

#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")] // its examples are doctests
struct Guide;
