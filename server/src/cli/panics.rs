//! Panics as lines of the log. Those of Arrow and Parquet at damaged files are caught where they are
//! called, and the standard library would print them between the lines.

use std::panic::{self, PanicHookInfo};

use tracing::error;

/// What a panic says may quote a file; a log line is not to outgrow a screen.
const MESSAGE_BYTES_MAX: usize = 500;

/// Logs panics from now on, caught or not.
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
