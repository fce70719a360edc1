//! `sift select`: writes the records of an answer to the output.

use std::time::{Duration, Instant};

use sift_client::{Channel, Connection, Query, Statistics};

use super::args::SelectArgs;
use super::fault::{Outcome, Result};
use super::interrupt;
use super::output::{Output, stderr};
use super::progress::Progress;
use super::sizes;

pub(super) async fn run(
    connection: &mut Connection,
    query: Query,
    output: Output,
    args: &SelectArgs,
) -> Result<Outcome> {
    let is_regular = output.is_regular();
    let started = Instant::now();
    let answer = answer(connection, query, output, args.quiet);
    let Answered { records, statistics } =
        if is_regular { interrupt::or(answer).await? } else { answer.await? };
    if args.stats {
        print(&statistics, records, connection.channel(), started.elapsed());
    }
    Ok(Outcome::of(records))
}

/// A complete answer.
pub(super) struct Answered {
    records: u64,
    statistics: Statistics,
}

/// Writes the records of an answer to the output.
pub(super) async fn answer(
    connection: &mut Connection,
    query: Query,
    output: Output,
    is_quiet: bool,
) -> Result<Answered> {
    let output = output.open()?;
    let mut progress = Progress::begin(is_quiet);
    let mut stream = progress.during(connection.select(query)).await?;
    let mut written = output.begin(stream.schema())?;
    let mut records = 0;
    while let Some(batch) = progress.during(stream.next()).await? {
        records += batch.num_rows() as u64;
        progress.received(records, stream.bytes());
        if written.is_on_terminal() {
            progress.clear();
        }
        written.batch(&batch)?;
        if written.owns_terminal() {
            progress.end();
        }
        // with a fast server, nothing here waits, and signals are noticed between tasks
        tokio::task::yield_now().await;
    }
    progress.end();
    written.finish()?;
    Ok(Answered { records, statistics: stream.statistics().copied().unwrap_or_default() })
}

fn print(statistics: &Statistics, records: u64, channel: &Channel, elapsed: Duration) {
    let mut of_records =
        format!("records   {records} received; {} selected", statistics.records_selected);
    match statistics.records_scanned.zip(statistics.records_pruned) {
        Some((records, pruned)) => {
            of_records += &format!(" of {records} scanned, {pruned} ruled out unread");
        }
        None => of_records += "; only those who may see all of the file learn what was scanned",
    }
    stderr(&of_records);
    if let Some((file_bytes, scanned)) = statistics.file_bytes.zip(statistics.bytes_scanned) {
        stderr(&format!("file      {file_bytes} bytes, {scanned} of them scanned"));
    }
    sizes::of_records(statistics).iter().for_each(|line| stderr(line));
    stderr(&sizes::sent(statistics, channel));
    if let Some(file_bytes) = statistics.file_bytes
        && let Some(saved) = sizes::saved(statistics, file_bytes, "the file")
    {
        stderr(&saved);
    }
    stderr(&format!("time      {}; {:?} at this end", times(statistics), rounded(elapsed)));
    stderr(&format!("channel   {}", describe(channel)));
}

/// Formats the times of the stages of an answer.
fn times(statistics: &Statistics) -> String {
    let of = |micros| format!("{:?}", Duration::from_micros(micros));
    let work = match statistics.plan_micros.zip(statistics.scan_micros) {
        Some((plan, scan)) => format!("plan {}, scan {} (all threads), ", of(plan), of(scan)),
        None => String::new(),
    };
    let (send, total) = (of(statistics.send_micros), of(statistics.total_micros));
    format!("{work}waiting to send {send}, in all {total}")
}

/// Describes a channel on one line.
pub(super) fn describe(channel: &Channel) -> String {
    match (channel.level_met(), channel.level()) {
        (Some(met), Some(asked)) => format!(
            "{}, level {met} ({asked} asked for), {}, {}",
            channel.protocol(),
            channel.cipher(),
            channel.key_exchange()
        ),
        _ => "not encrypted".to_owned(),
    }
}

/// Rounds a time to microseconds.
pub(super) fn rounded(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
