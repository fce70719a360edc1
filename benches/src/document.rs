//! The JSON document of `sift-bench`: the machine, and every run of every cell.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sift_client::OutputFile;

use crate::Result;
use crate::load::{Connections, Handshakes, Outcome};
use crate::machine::Setting;
use crate::measure::Series;

/// The version of the document. It rises if older readers would misread the document.
pub const VERSION: u32 = 2;

/// One run of `sift-bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`VERSION`].
    pub sift_bench: u32,
    /// The machine, the software and the time.
    pub setting: Setting,
    /// The compared arms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<Cell>,
    /// The loads on a server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loads: Vec<Load>,
    /// The light Selects beside heavy ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crowds: Vec<Crowd>,
}

/// Many heavy Selects of one user, and the light ones of another user beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    /// The kind of the heavy Selects, for people.
    pub kind: String,
    /// The number of heavy Selects at once.
    pub selects: usize,
    /// The seconds that so many heavy Selects take together, without others.
    pub seconds: f64,
    /// Each light Select beside them.
    pub light: Vec<Fairness>,
}

/// A light Select, alone and beside heavy ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// The Select, for people.
    pub select: String,
    /// The result without others.
    pub alone: Outcome,
    /// The result beside the heavy ones.
    pub beside: Outcome,
}

/// The name of our own arm of a load.
pub const SIFT: &str = "Sift";

/// One step of a load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The server: [`SIFT`], or the name of a rival.
    pub arm: String,
    /// The result.
    pub outcome: Outcome,
    /// The number of further connections that stayed open without requests.
    pub idle: usize,
    /// The connection of a request.
    pub connections: Connections,
    /// The connections that were opened for requests, with the warm-up; `None` if they were kept.
    pub handshakes: Handshakes,
    /// The process of the server, once a second, if it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
}

/// A sample of the process of the server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The seconds since the start of the step.
    pub seconds: f64,
    /// The CPU time since the start of the process.
    pub cpu_seconds: f64,
    /// The resident memory.
    pub resident_bytes: u64,
    /// The number of open file descriptors.
    pub descriptors: u64,
}

/// A group of arms that did the same task in different ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The task of every arm, for people.
    pub title: String,
    /// The path of the file below the data root of the server, if there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The format of the file.
    pub format: String,
    /// The length of the file.
    pub file_bytes: u64,
    /// The number of connections that every arm opened, if that was its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshakes: Option<u64>,
    /// The Select, if there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql: String,
    /// The link between client and server, if there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub link: String,
    /// The level, protocol and cipher of the channel, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The share of selected records, 0 to 1, if both numbers are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectivity: Option<f64>,
    /// The runs of each arm.
    pub series: Vec<Series>,
}

impl Cell {
    /// Returns the path of the file, or its format in documents that do not have the path.
    pub fn file_or_format(&self) -> &str {
        if self.file.is_empty() { &self.format } else { &self.file }
    }
}

/// The description of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// `plain`, or the security level.
    pub level: String,
    /// The cipher as OpenSSL describes it; blank when plain.
    pub cipher: String,
    /// The group of the key exchange; blank when plain.
    pub key_exchange: String,
}

impl Channel {
    /// Returns the level and the suite: `level 3 (TLS_AES_256_GCM_SHA384)`, `no encryption`.
    pub fn name(&self) -> String {
        match self.cipher.split(' ').next() {
            Some(suite) if !suite.is_empty() => format!("level {} ({suite})", self.level),
            _ if self.is_plain() => "no encryption".to_owned(),
            _ => format!("level {}", self.level),
        }
    }

    /// Returns whether nothing is encrypted.
    pub fn is_plain(&self) -> bool {
        self.level == "plain"
    }
}

/// Groups the cells that have the same channel, link and file, in the order of their first cells.
pub fn by_question<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<Vec<&'a Cell>> {
    grouped(cells, |left, right| {
        left.channel == right.channel && left.link == right.link && is_same_file(left, right)
    })
}

/// Groups the cells that have the same file, in the order of their first cells.
pub fn by_file<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Vec<Vec<&'a Cell>> {
    grouped(cells, is_same_file)
}

fn is_same_file(left: &Cell, right: &Cell) -> bool {
    left.file == right.file && left.format == right.format && left.file_bytes == right.file_bytes
}

fn grouped<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    is_same: impl Fn(&Cell, &Cell) -> bool,
) -> Vec<Vec<&'a Cell>> {
    let mut groups: Vec<Vec<&Cell>> = Vec::new();
    for cell in cells {
        let same =
            |group: &&mut Vec<&Cell>| group.first().is_some_and(|first| is_same(first, cell));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups
}

impl Document {
    /// Makes a document about this machine, now, without measurements.
    pub fn start() -> Self {
        Self {
            sift_bench: VERSION,
            setting: Setting::here(),
            cells: Vec::new(),
            loads: Vec::new(),
            crowds: Vec::new(),
        }
    }

    /// Writes the document to `path` with [`OutputFile`].
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
