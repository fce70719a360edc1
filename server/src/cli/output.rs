//! Text on standard output.

use std::borrow::Cow;
use std::io::{self, Write};

use sift_print::printable;

/// Returns a text for a terminal, which may have several lines.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    printable(text, &['\n', '\t'])
}

/// Prints to standard output. It is not an error if the reader has closed the pipe.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    let text = String::from_utf8_lossy(text);
    match io::stdout().write_all(shown(&text).as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
