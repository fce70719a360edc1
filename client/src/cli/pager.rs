//! Text on the terminal: through a pager if it is longer than the screen.

use std::env;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::terminal::Size;

/// The pager that the user chose, as a command of a shell. An empty one is none.
const VARIABLE: &str = "PAGER";

/// The pager if the user chose none: it chops long lines, and ends at once if all fits.
const LESS: [&str; 2] = ["less", "-SFRX"];

/// The exit codes of a shell that cannot start a program.
const NOT_STARTED: [i32; 2] = [126, 127];

/// The maximal number of bytes that wait in a pipe, with the largest pages of memory.
const PIPE_BYTES_MAX: usize = 1 << 20;

/// Text for the terminal. As long as it fits the screen, it waits for the rest.
pub(super) struct Pager<T = io::Stdout> {
    screen: Size,
    lines: usize,
    held: Vec<u8>,
    to: To,
    terminal: T,
}

enum To {
    Held,
    Terminal,
    Pager(Running),
}

impl Pager {
    pub(super) fn new(screen: Size) -> Self {
        Self { screen, lines: 0, held: Vec::new(), to: To::Held, terminal: io::stdout() }
    }
}

impl<T: Write> Pager<T> {
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
        self.fall_back()?;
        self.flush()
    }

    /// Writes what was held to where it goes now.
    fn pass_on(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.write_all(&held)
    }

    /// Waits for the pager, if there is one. If it has not started, its text goes to the terminal.
    /// Returns whether the rest goes there, too.
    fn fall_back(&mut self) -> io::Result<bool> {
        if let To::Pager(pager) = &mut self.to
            && let Some(unread) = pager.unread()
        {
            self.to = To::Terminal;
            self.terminal.write_all(&unread)?;
        }
        Ok(matches!(self.to, To::Terminal))
    }
}

impl<T: Write> Write for Pager<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Terminal => return self.terminal.write(bytes),
            To::Pager(pager) => match pager.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return if self.fall_back()? { self.write(bytes) } else { Err(error) };
                }
                done => return done,
            },
            To::Held => {}
        }
        self.held.extend_from_slice(bytes);
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        // a line of the prompt follows
        let is_longer = self.lines >= self.screen.lines
            || self.held.len() > self.screen.lines * self.screen.columns * size_of::<char>();
        if is_longer {
            self.to = command().and_then(Running::start).map_or(To::Terminal, To::Pager);
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.to {
            // a pipe has no buffer at this end
            To::Held | To::Pager(_) => Ok(()),
            To::Terminal => self.terminal.flush(),
        }
    }
}

/// A pager that runs, or a shell that tries to start it.
struct Running {
    child: Child,
    input: Option<ChildStdin>,
    /// All that was written to it; `None` if that is more than a pipe holds, so somebody reads.
    given: Option<Vec<u8>>,
}

impl Running {
    /// Starts a pager; `None` if there is no such program.
    fn start(mut command: Command) -> Option<Self> {
        let mut child = command.stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take();
        Some(Self { child, input, given: Some(Vec::new()) })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let written = input.write(bytes)?;
        if let Some(given) = &mut self.given {
            given.extend(bytes.iter().take(written));
            if given.len() > PIPE_BYTES_MAX {
                self.given = None;
            }
        }
        Ok(written)
    }

    /// Ends the text, and waits for the end of the pager. If it has not started, returns the text.
    fn unread(&mut self) -> Option<Vec<u8>> {
        drop(self.input.take());
        let code = self.child.wait().ok()?.code()?;
        self.given.take().filter(|_| NOT_STARTED.contains(&code))
    }
}

impl Drop for Running {
    /// Waits for the pager, so that two programs never read from the terminal.
    fn drop(&mut self) {
        drop(self.input.take());
        let _status = self.child.wait();
    }
}

/// Returns the command of the pager; `None` if the user wants none.
fn command() -> Option<Command> {
    match env::var_os(VARIABLE) {
        Some(chosen) if chosen.is_empty() => None,
        Some(chosen) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(chosen);
            Some(shell)
        }
        None => {
            let [less, options] = LESS;
            let mut command = Command::new(less);
            command.arg(options);
            Some(command)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a text to a pager. Returns what the terminal gets beside it.
    fn beside(script: &str, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script);
        let mut terminal = Vec::new();
        let mut pager = Pager {
            screen: Size { columns: 80, lines: 24 },
            lines: 0,
            held: Vec::new(),
            to: To::Pager(Running::start(shell).unwrap()),
            terminal: &mut terminal,
        };
        pager.write_all(text)?;
        pager.finish()?;
        Ok(terminal)
    }

    #[test]
    fn a_pager_that_does_not_start_loses_nothing() {
        let long = b"0123456789abcdef".repeat(PIPE_BYTES_MAX / 8);
        for text in [&b"short\n"[..], &long[..]] {
            for code in NOT_STARTED {
                let shown = beside(&format!("exit {code}"), text).unwrap();
                assert!(shown == text, "{code}: {} bytes of {}", shown.len(), text.len());
            }
            assert!(beside("cat >/dev/null", text).unwrap().is_empty());
        }
        // it has started, and the user has left it
        let left = beside("exit 0", &long).unwrap_err();
        assert_eq!(left.kind(), io::ErrorKind::BrokenPipe);
        assert!(beside("cat >/dev/null; exit 127", &long).unwrap().is_empty());
    }
}
