//! The connection of the shell, which is made again if it was lost.

use std::time::{Duration, Instant};

use sift_client::{Connection, Connector, ErrorKind, Status};
use sift_print::printable;

use crate::cli::fault::{Fault, Result};
use crate::cli::target::{self, Names};

/// The time after which a connection is tried before it is used. Servers close idle connections.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// A server, and the connection to it if there is one.
pub(super) struct Link {
    connector: Connector,
    names: Names,
    connection: Option<Connection>,
    used: Instant,
    /// True if a request was dropped, so that the rest of its answer may still come.
    is_dropped: bool,
    /// The news about the connection, for the user.
    news: Vec<String>,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// The errors of connecting.
    pub(super) async fn open(connector: Connector, names: Names) -> Result<Self> {
        let connection = Some(target::connect(&connector, &names).await?);
        Ok(Self {
            connector,
            names,
            connection,
            used: Instant::now(),
            is_dropped: false,
            news: Vec::new(),
        })
    }

    /// Returns the connection. If it was lost, it is made again.
    ///
    /// # Errors
    /// The errors of connecting.
    pub(super) async fn ready(&mut self) -> Result<&mut Connection> {
        let is_doubtful = self.used.elapsed() >= IDLE_TIME || std::mem::take(&mut self.is_dropped);
        if let Some(connection) = self.connection.as_mut().filter(|_| is_doubtful)
            && let Err(error) = connection.report().await
        {
            self.lost(&error.into());
        }
        if self.connection.is_none() {
            self.connection = Some(target::connect(&self.connector, &self.names).await?);
            self.news.push(format!("connected to {} again", self.names.given()));
        }
        self.used = Instant::now();
        self.connection.as_mut().ok_or(Fault::NotConnected)
    }

    /// Notes that a request was dropped.
    pub(super) fn dropped(&mut self) {
        self.is_dropped = true;
    }

    /// Notes an error, after which the connection may be lost.
    pub(super) fn lost(&mut self, fault: &Fault) {
        self.is_dropped = true;
        let is_lost = match fault {
            Fault::Client(error) | Fault::Hinted { error, .. } => {
                let is_closing =
                    matches!(error.status(), Some(Status::IdleTimeout | Status::ShuttingDown));
                let is_broken = matches!(
                    error.kind(),
                    ErrorKind::ClientServer { .. } | ErrorKind::BrokenStream { .. }
                );
                is_closing || is_broken
            }
            _ => false,
        };
        if is_lost && self.connection.take().is_some() {
            self.news.push(format!("the connection to {} is lost", self.names.given()));
        }
    }

    /// Takes what became of the connection since the last call.
    pub(super) fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Returns the server and its channel, for the prompt.
    pub(super) fn prompt(&self) -> String {
        let name = printable(self.names.given(), &[]);
        match &self.connection {
            None => format!("{name} not connected> "),
            Some(connection) => match connection.channel().level_met() {
                Some(level) => format!("{name} level {level}> "),
                None => format!("{name} not encrypted> "),
            },
        }
    }
}
