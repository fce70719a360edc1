//! Panics as lines of the log. Panics of Arrow and Parquet on damaged files are caught by the
//! caller, but the standard library would still print them between the lines of the log.

use std::panic::{self, PanicHookInfo};

use tracing::error;

/// The maximal length of a panic message, which may quote a file. A log line should fit on a
/// screen.
const MESSAGE_BYTES_MAX: usize = 500;

/// Logs panics from now on, even if they are caught.
pub(crate) fn log() {
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(
            thread = thread.name().unwrap_or_default(),
            location,
            reason = bounded(message(panic)),
            "panic"
        );
    }));
}

fn message<'p>(panic: &'p PanicHookInfo<'_>) -> &'p str {
    panic.payload_as_str().unwrap_or("no message")
}

fn bounded(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut() {
        assert_eq!(bounded("short"), "short");
        assert_eq!(bounded(&"é".repeat(400)).len(), MESSAGE_BYTES_MAX);
        assert_eq!(bounded(&format!("a{}", "é".repeat(400))).len(), MESSAGE_BYTES_MAX - 1);
    }
}
