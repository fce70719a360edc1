//! Text on the terminal: through a pager if it is longer than the screen.

use std::env;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::terminal::Size;

/// The pager that the user chose, as a command of a shell. An empty one is none.
const VARIABLE: &str = "PAGER";

/// The pager if the user chose none: it chops long lines, and ends at once if all fits.
const LESS: [&str; 2] = ["less", "-SFRX"];

/// Text for the terminal. As long as it fits the screen, it waits for the rest.
pub(super) struct Pager {
    screen: Size,
    lines: usize,
    held: Vec<u8>,
    to: To,
}

enum To {
    Held,
    Terminal,
    Pager { child: Child, input: Option<ChildStdin> },
}

impl Pager {
    pub(super) fn new(screen: Size) -> Self {
        Self { screen, lines: 0, held: Vec::new(), to: To::Held }
    }

    /// Returns whether the text goes on beyond the screen.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.to, To::Held)
    }

    /// Writes the rest, and waits until the user leaves the pager.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let To::Held = self.to {
            self.to = To::Terminal;
            self.pass_on()?;
        }
        self.flush()
    }

    /// Writes what was held to where it goes now.
    fn pass_on(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.write_all(&held)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Terminal => return io::stdout().write(bytes),
            To::Pager { input: Some(input), .. } => return input.write(bytes),
            To::Pager { input: None, .. } => return Err(io::ErrorKind::BrokenPipe.into()),
            To::Held => {}
        }
        self.held.extend_from_slice(bytes);
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        // a line of the prompt follows
        let is_longer = self.lines >= self.screen.lines
            || self.held.len() > self.screen.lines * self.screen.columns * size_of::<char>();
        if is_longer {
            self.to = started().map_or(To::Terminal, |mut child| {
                let input = child.stdin.take();
                To::Pager { child, input }
            });
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Held => Ok(()),
            To::Terminal => io::stdout().flush(),
            To::Pager { input, .. } => input.as_mut().map_or(Ok(()), ChildStdin::flush),
        }
    }
}

impl Drop for Pager {
    /// Waits for the pager, so that two programs never read from the terminal.
    fn drop(&mut self) {
        if let To::Pager { child, input } = &mut self.to {
            drop(input.take());
            let _status = child.wait();
        }
    }
}

/// Starts the pager; `None` if there is none.
fn started() -> Option<Child> {
    let mut command = match env::var_os(VARIABLE) {
        Some(chosen) if chosen.is_empty() => return None,
        Some(chosen) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(chosen);
            shell
        }
        None => {
            let [less, options] = LESS;
            let mut command = Command::new(less);
            command.arg(options);
            command
        }
    };
    command.stdin(Stdio::piped()).spawn().ok()
}
