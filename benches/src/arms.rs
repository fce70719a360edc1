//! The two arms of every comparison: one fetches the whole file and filters it at the client, the
//! other sends the Select.
//!
//! Both start on an open channel and end when the answer is in the memory of the client as Arrow
//! batches. The client of the whole-file arm has the engine of the server and all cores. It holds
//! the file in memory, so no disk slows it down.

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use arrow::array::RecordBatch;
use bytes::Bytes;
use sift_client::Connection;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};

use crate::Result;
use crate::local::{self, Batches};
use crate::measure::Run;

/// A question about a file.
#[derive(Clone, Debug)]
pub struct Question {
    /// The path below the data root of the server.
    pub file: String,
    /// A Select from the file.
    pub sql: String,
    /// The text of the file's descriptor, which the client of the whole-file arm needs too.
    pub descriptor: Option<String>,
}

/// Sends the Select.
///
/// # Errors
/// The errors of the client.
pub async fn selected(connection: &mut Connection, question: &Question) -> Result<(Run, Batches)> {
    let mut kept = Kept::new();
    let mut stream = connection.select(question.sql.as_str()).await?;
    while let Some(batch) = stream.next().await? {
        kept.push(batch);
    }
    let statistics = stream.statistics().copied().unwrap_or_default();
    let run = Run {
        records_seen: statistics
            .records_scanned
            .zip(statistics.records_pruned)
            .map(|(scanned, pruned)| scanned + pruned),
        arrow_bytes: some(statistics.arrow_bytes),
        narrow_bytes: some(statistics.narrow_bytes),
        bytes_sent: Some(statistics.bytes_sent),
        ..kept.run()
    };
    Ok((run, (stream.schema().clone(), kept.batches)))
}

/// Fetches the whole file into memory and runs the same Select on it.
///
/// # Errors
/// The errors of the client and of `select`.
pub async fn whole_file(
    connection: &mut Connection,
    question: &Question,
) -> Result<(Run, Batches)> {
    let mut kept = Kept::new();
    let mut chunks = connection.fetch(question.file.as_str()).chunks().await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let writer = keep(memory_file()?, receiver);
    while let Some(chunk) = chunks.next().await? {
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    let file = writer.await??;
    let fetch_seconds = kept.start.elapsed().as_secs_f64();
    let Question { file: name, sql, descriptor } = question;
    let each = |batch| kept.push(batch);
    let schema = block_in_place(|| local::select(sql, name, file, descriptor.as_deref(), each))?;
    let statistics = chunks.statistics().copied().unwrap_or_default();
    let run = Run {
        fetch_seconds: Some(fetch_seconds),
        narrow_bytes: some(statistics.narrow_bytes),
        bytes_sent: Some(statistics.bytes_sent),
        ..kept.run()
    };
    Ok((run, (schema, kept.batches)))
}

/// Fetches the whole file and discards it.
///
/// # Errors
/// The errors of the client.
pub async fn fetch(connection: &mut Connection, file: &str) -> Result<Run> {
    let start = Instant::now();
    let mut chunks = connection.fetch(file).chunks().await?;
    while chunks.next().await?.is_some() {}
    let seconds = start.elapsed().as_secs_f64();
    let bytes_sent = Some(chunks.statistics().copied().unwrap_or_default().bytes_sent);
    Ok(Run { seconds, bytes_sent, ..Run::default() })
}

/// A server that does not tell a size says 0.
fn some(bytes: u64) -> Option<u64> {
    (bytes > 0).then_some(bytes)
}

/// The maximal number of chunks that wait to be copied. Receiving goes on during a copy, and memory
/// is bounded.
const CHUNKS_WAITING_MAX: usize = 2;

/// Copies chunks into `file` on another thread while the next ones are decrypted.
fn keep(mut file: File, mut chunks: mpsc::Receiver<Bytes>) -> JoinHandle<std::io::Result<File>> {
    #[expect(clippy::disallowed_methods, reason = "file I/O")]
    spawn_blocking(move || {
        while let Some(chunk) = chunks.blocking_recv() {
            file.write_all(&chunk)?;
        }
        Ok(file)
    })
}

/// Makes a file in memory.
fn memory_file() -> Result<File> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::memfd_create("whole-file", rustix::fs::MemfdFlags::CLOEXEC)?.into());
    #[cfg(not(target_os = "linux"))]
    return Ok(tempfile::tempfile()?);
}

/// An answer that is being received.
struct Kept {
    start: Instant,
    first_seconds: Option<f64>,
    batches: Vec<RecordBatch>,
}

impl Kept {
    fn new() -> Self {
        Self { start: Instant::now(), first_seconds: None, batches: Vec::new() }
    }

    fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.first_seconds.get_or_insert_with(|| self.start.elapsed().as_secs_f64());
        }
        self.batches.push(batch);
    }

    /// Returns the figures that both arms have about a complete answer.
    fn run(&self) -> Run {
        Run {
            seconds: self.start.elapsed().as_secs_f64(),
            first_seconds: self.first_seconds,
            records: Some(self.batches.iter().map(|batch| batch.num_rows() as u64).sum()),
            ..Run::default()
        }
    }
}
