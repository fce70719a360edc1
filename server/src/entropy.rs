//! Random numbers at start-up: that there are any, before there is anything to encrypt.

use crate::error::Error;

/// The environment variable of a file with seed material, as the original's SYNSSL_RAND.
pub const SEED_VARIABLE: &str = "SIFT_RAND";

/// Draws from the operating system's generator, from which both TLS libraries seed theirs. They do
/// not come back from a failure, so this is the place to hear of one.
///
/// # Errors
/// `Random`.
pub fn draw() -> Result<(), Error> {
    getrandom::fill(&mut [0; 32]).map_err(|_unavailable| Error::Random)
}
