//! The server from outside: real sockets on port 0, real certificates, and peers that do not
//! behave. Each module has a tiny temporary data root and a server of its own for each test.

#![allow(
    dead_code,
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

/// Levels, proofs, and peers that speak the wrong protocol for the port.
mod channel;
/// Whole files and ranges of them.
mod fetch;
/// Bounds in number and time, and the way down.
mod limits;
