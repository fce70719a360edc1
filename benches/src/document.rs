//! What `sift-bench` writes as JSON: where it was measured, and every run of every cell.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sift_client::OutputFile;

use crate::Result;
use crate::load::{Connections, Handshakes, Outcome};
use crate::machine::Setting;
use crate::measure::Series;

/// Version of the document; raised when a reader of an older one would misread it.
pub const VERSION: u32 = 2;

/// One run of `sift-bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`VERSION`].
    pub sift_bench: u32,
    /// Where, with what and when.
    pub setting: Setting,
    /// Arms that were compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<Cell>,
    /// Loads that were put on a server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<Load>,
}

/// The arm of a load that is not a rival's.
pub const SIFT: &str = "Sift";

/// One step of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Who was asked: [`SIFT`], or what a rival is called.
    pub arm: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Connections that were held open beside.
    pub idle: usize,
    /// Whose connection a request had.
    pub connections: Connections,
    /// Connections that were opened for requests, warm-up included; none where they were kept.
    pub handshakes: Handshakes,
    /// The server's process, once a second, where it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// A look at the server's process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Since the step began.
    pub seconds: f64,
    /// CPU time since the process began.
    pub cpu_seconds: f64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// Arms that did the same thing, each in its way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// For people: what every arm had to do.
    pub title: String,
    /// Format of the file.
    pub format: String,
    /// Length of the file.
    pub file_bytes: u64,
    /// Connections that every arm opened, where that is what it had to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<u64>,
    /// The Select, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// The link between client and server, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// Level, protocol and cipher of the channel, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Records that were selected, of all, where both are known: 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectivity: Option<f64>,
    /// One for each arm.
    pub series: Vec<Series>,
}

/// What a channel was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// `plain`, or the security level.
    pub level: String,
    /// As OpenSSL describes it; blank when plain.
    pub cipher: String,
    /// Group of the key exchange; blank when plain.
    pub key_exchange: String,
}

impl Channel {
    /// Level and suite: `level 3, TLS_AES_256_GCM_SHA384`, `no encryption`.
    pub fn name(&self) -> String {
        match self.cipher.split(' ').next() {
            Some(suite) if !suite.is_empty() => format!("level {}, {suite}", self.level),
            _ if self.level == "plain" => "no encryption".to_owned(),
            _ => format!("level {}", self.level),
        }
    }
}

/// Cells that differ by what was asked alone: of the same channel, format and link. In the order in which
/// each was met first.
pub fn by_question<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<Vec<&'a Cell>> {
    let mut groups: Vec<Vec<&Cell>> = Vec::new();
    for cell in cells {
        let same = |group: &&mut Vec<&Cell>| {
            group.first().is_some_and(|first| {
                first.channel == cell.channel
                    && first.format == cell.format
                    && first.link == cell.link
                    && first.file_bytes == cell.file_bytes
            })
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups
}

impl Document {
    /// Of this machine, now, nothing measured yet.
    pub fn start() -> Self {
        Self { sift_bench: VERSION, setting: Setting::here(), cells: Vec::new(), loads: Vec::new() }
    }

    /// Writes it to `path` with [`OutputFile`].
    ///
    /// # Errors
    /// An error of the operating system.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = OutputFile::create(path)?;
        file.write(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write(b"\n")?;
        Ok(file.finish()?)
    }
}
