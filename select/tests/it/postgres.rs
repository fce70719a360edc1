//! Selects and texts against PostgreSQL 15: Sift has its answer or refuses, but has no other
//! answer.
//!
//! Texts with recorded answers need no server. The random tests ask one: `SIFT_POSTGRES` is a
//! connection string of psql, such as `host=/run/postgresql user=postgres dbname=postgres`, of a
//! database with the encoding UTF8 and the locale C. `SIFT_POSTGRES_CASES` sets the number of
//! questions of each test, `SIFT_POSTGRES_SEED` the first seed. A failure prints the seed of each
//! example. Without a server, the tests check a few hundred questions against themselves.

mod columns;
mod forms;
mod grammar;
mod known;
mod literals;
mod psql;
mod questions;
mod recorded;
mod report;
mod sift;
mod texts;
mod types;

use psql::Postgres;

/// The number of questions that a test asks PostgreSQL, and Sift alone.
const CASES: u64 = 20_000;
const CASES_ALONE: u64 = 300;

fn cases(postgres: &Option<Postgres>) -> u64 {
    let default = if postgres.is_some() { CASES } else { CASES_ALONE };
    number("SIFT_POSTGRES_CASES").unwrap_or(default)
}

fn first_seed() -> u64 {
    number("SIFT_POSTGRES_SEED").unwrap_or(1)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}
