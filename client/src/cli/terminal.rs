//! The terminal on standard output: its size, and whether it has colours.

use std::env;
use std::io;

use rustix::termios::tcgetwinsize;
use sift_print::Layout;

/// The columns and lines of the terminal.
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) lines: usize,
}

/// Returns the size; `None` if standard output is not a terminal, or does not know its size.
pub(super) fn size() -> Option<Size> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let (columns, lines) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && lines > 0).then_some(Size { columns, lines })
}

/// Returns whether the user wants colours: <https://no-color.org>.
pub(super) fn has_colours() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Returns the layout for records on the terminal.
pub(super) fn layout() -> Layout {
    let width = size().map(|size| size.columns);
    Layout { width, colours: has_colours(), null: None }
}
