//! `sift select`: writes the records of an answer to the output.

use std::time::{Duration, Instant};

use sift_client::{Channel, Connection, Query, Statistics};

use super::args::SelectArgs;
use super::fault::{Outcome, Result};
use super::interrupt;
use super::output::{Output, stderr};

pub(super) async fn run(
    connection: &mut Connection,
    query: Query,
    output: Output,
    args: &SelectArgs,
) -> Result<Outcome> {
    let is_regular = output.is_regular();
    let answer = answer(connection, query, output, args);
    if is_regular { interrupt::or(answer).await } else { answer.await }
}

async fn answer(
    connection: &mut Connection,
    query: Query,
    output: Output,
    args: &SelectArgs,
) -> Result<Outcome> {
    let started = Instant::now();
    let output = output.open()?;
    let mut stream = connection.select(query).await?;
    let mut records = output.begin(stream.schema())?;
    let mut count = 0;
    while let Some(batch) = stream.next().await? {
        count += batch.num_rows() as u64;
        records.batch(&batch)?;
        // with a fast server, nothing here waits, and signals are noticed between tasks
        tokio::task::yield_now().await;
    }
    records.finish()?;
    let statistics = stream.statistics().copied().unwrap_or_default();
    drop(stream);
    if args.stats {
        print(&statistics, count, connection.channel(), started.elapsed());
    }
    Ok(Outcome::of(count))
}

fn print(statistics: &Statistics, records: u64, channel: &Channel, elapsed: Duration) {
    let Statistics { records_selected, bytes_sent, .. } = *statistics;
    let verb = if channel.encrypted() { "encrypted" } else { "sent in the clear" };
    let mut of_records = format!("records   {records} received; {records_selected} selected");
    let mut of_bytes = format!("bytes     {bytes_sent} {verb}");
    if let Some((records, pruned)) = statistics.records_scanned.zip(statistics.records_pruned) {
        of_records += &format!(" of {records} scanned, {pruned} ruled out unread");
    }
    match statistics.file_bytes.zip(statistics.bytes_scanned) {
        Some((file_bytes, scanned)) => {
            let share = share(bytes_sent, file_bytes);
            of_bytes += &format!(", {share} of the file's {file_bytes}; {scanned} scanned");
        }
        None => of_records += "; only those who may see all of the file learn what was scanned",
    }
    stderr(&of_records);
    stderr(&of_bytes);
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

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "all".to_owned(),
        whole => format!("{:.4} %", part as f64 * 100.0 / whole as f64),
    }
}

/// Rounds a time to microseconds.
pub(super) fn rounded(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
