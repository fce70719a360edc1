//! The server from outside: real sockets on port 0, real certificates, and peers that do not
//! behave. Each module has a tiny temporary data root and a server of its own for each test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "helpers of tests may panic too"
)]

/// A server on free ports, its data root and its certificate.
mod fixture;
/// A client that speaks single frames, so that it can speak them wrong.
mod peer;

/// The audit log: what is in its lines, and files that take none.
mod audit;
/// Files that a request cannot reach, by whatever name.
mod catalogue;
/// Certificates that `siftd cert` makes.
mod cert;
/// Certificates of a server that runs: under a passphrase, and replaced.
mod certificates;
/// Levels, proofs, and peers that speak the wrong protocol for the port.
mod channel;
/// `siftd check`: its findings and its exit code.
mod check;
/// The ordinary paths, with the client that people use.
mod client;
/// Clients that show a certificate, or none.
mod client_certificates;
/// `siftd` as a process: exit codes, signals, log lines.
mod command;
/// Connections that have not said Hello: thousands of them, silent ones and slow ones.
mod door;
/// Encrypted Parquet files: with keys, without, and on which channels.
mod encrypted;
/// Whole files and ranges of them.
mod fetch;
/// `siftd file`: what it writes, what it leaves alone, and that a running server obeys.
mod file;
/// Users read what is granted to them, and learn nothing about the rest.
mod grants;
/// Selects that take long: they stop, and other clients do not wait for them.
mod hard;
/// `siftd index`, and what servers make of indexes.
mod index;
/// Servers that differ only in hidden data give the same answers, to every request and in every
/// format.
mod interference;
/// No request on any channel gets a byte of a protected value that the channel may not have.
mod leak;
/// Limits of numbers and times, and the shutdown.
mod limits;
/// Files with two names because of symbolic links.
mod links;
/// Lists of large trees, many at once.
mod lists;
/// Log-in.
mod login;
/// Every level of the server times every level of the client.
mod matrix;
mod memory;
/// The port for monitors: its figures, and monitors that do not behave.
mod monitor;
/// Narrow columns and compression: the same records, fewer bytes, and never for protected data.
mod narrow;
/// A server with few file descriptors.
mod open_files;
/// Selects over many files.
mod patterns;
/// Peers that break the protocol, stall or vanish.
mod peers;
/// Protected files and columns leave only on channels that meet their requirements.
mod protection;
/// `siftd query`: the same scan without a server and without protection.
mod query;
/// `siftd reload`: the whole configuration, under load, and what `siftd check` tells of it.
mod reconfigure;
/// Grants, protection and users that change while the server serves.
mod reload;
/// Files and folders that are renamed while they are requested.
mod renames;
/// The answer to each kind of request.
mod requests;
/// `siftd status` and `siftd kill`: who is there, what runs, and its end.
mod status;
/// Every status that the server can send, with a request that provokes it.
mod statuses;
/// `siftd` as a service of systemd.
mod systemd;
/// `siftd user`: the users file.
mod user;
/// Client certificates, authorities and revocation lists with a clock that the test sets.
mod validity;
/// Peers of the wrong kind: what the client learns, and what the log says.
mod wrong_peers;
