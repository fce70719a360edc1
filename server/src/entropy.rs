//! Checks at start-up that the operating system provides random numbers.

use crate::error::Error;

/// The environment variable for a file with seed material, as SYNSSL_RAND of the original.
pub const SEED_VARIABLE: &str = "SIFT_RAND";

/// Draws from the operating system's generator. Both TLS libraries seed theirs from it and cannot
/// recover from a failure, so the failure is reported here.
///
/// # Errors
/// `Random`.
pub fn draw() -> Result<(), Error> {
    getrandom::fill(&mut [0; 32]).map_err(|_unavailable| Error::Random)
}
