//! The commands that print information: files, describe, explain, channel.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use indicatif::HumanBytes;
use sift_client::{Connection, Description, FileEntry, Query};
use sift_print::printable;

use super::fault::{Outcome, Result};
use super::interrupt;
use super::output::{self, Output};

pub(super) async fn files(
    connection: &mut Connection,
    pattern: &str,
    is_human: bool,
    output: Output,
) -> Result<Outcome> {
    let is_regular = output.is_regular();
    let listing = list(connection, pattern, is_human, output);
    if is_regular { interrupt::or(listing).await } else { listing.await }
}

async fn list(
    connection: &mut Connection,
    pattern: &str,
    is_human: bool,
    output: Output,
) -> Result<Outcome> {
    let output = output.open()?;
    let files = connection.files(pattern).await?;
    let sizes = files.iter().map(|file| file.bytes);
    let sizes: ArrayRef = match is_human {
        true => Arc::new(StringArray::from_iter(
            sizes.map(|size| size.map(|bytes| HumanBytes(bytes).to_string())),
        )),
        false => Arc::new(UInt64Array::from_iter(sizes)),
    };
    let texts = |of: fn(&FileEntry) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(files.iter().map(of)))
    };
    let columns: [(&str, ArrayRef); 5] = [
        ("path", texts(|file| &file.path)),
        ("format", texts(|file| &file.format)),
        (if is_human { "size" } else { "bytes" }, sizes),
        (
            "modified",
            Arc::new(
                TimestampMicrosecondArray::from_iter(files.iter().map(|file| file.modified))
                    .with_timezone("+00:00"),
            ),
        ),
        ("protection", protections(files.iter().map(|file| (file.network_encrypt, file.scl_min)))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut records = output.begin(&batch.schema())?;
    records.batch(&batch)?;
    records.finish()?;
    Ok(Outcome::of(files.len() as u64))
}

pub(super) async fn describe(connection: &mut Connection, file: &str) -> Result<Outcome> {
    let description = connection.describe(file).await?;
    output::stdout(facts(&facts_of(&description)).as_bytes())?;
    output::stdout(b"\n")?;
    let fields = &description.fields;
    let columns: [(&str, ArrayRef); 5] = [
        ("field", Arc::new(StringArray::from_iter_values(fields.iter().map(|f| &f.name)))),
        ("type", Arc::new(StringArray::from_iter_values(fields.iter().map(|f| &f.r#type)))),
        ("nullable", Arc::new(BooleanArray::from_iter(fields.iter().map(|f| Some(f.nullable))))),
        ("storage", Arc::new(StringArray::from_iter_values(fields.iter().map(|f| &f.storage)))),
        (
            "protection",
            protections(fields.iter().map(|field| (field.network_encrypt, field.scl_min))),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut records = Output::table().open()?.begin(&batch.schema())?;
    records.batch(&batch)?;
    records.finish()?;
    Ok(Outcome::Found)
}

fn facts_of(description: &Description) -> Vec<(&'static str, String)> {
    let mut facts =
        vec![("file", description.file.clone()), ("format", description.format.clone())];
    facts.extend(description.bytes.map(|bytes| ("bytes", bytes.to_string())));
    facts.extend(description.records.map(|records| ("records", records.to_string())));
    facts.extend(description.record_bytes.map(|bytes| ("bytes a record", bytes.to_string())));
    let protection = protection(description.network_encrypt, description.scl_min);
    let consequence = match (description.scl_min, description.network_encrypt) {
        (0, false) => String::new(),
        (0, true) => ": leaves on encrypted channels only".to_owned(),
        (level, _) => format!(": leaves on channels of level {level} or higher only"),
    };
    facts.push(("protection", protection + &consequence));
    facts
}

/// Returns the protection of a file or a field, in the words of its descriptor.
fn protection(network_encrypt: bool, scl_min: u32) -> String {
    match (scl_min, network_encrypt) {
        (0, false) => "none".to_owned(),
        (0, true) => "network_encrypt".to_owned(),
        (level, _) => format!("scl_min {level}"),
    }
}

fn protections(demands: impl Iterator<Item = (bool, u32)>) -> ArrayRef {
    let texts = demands.map(|(network_encrypt, scl_min)| protection(network_encrypt, scl_min));
    Arc::new(StringArray::from_iter_values(texts))
}

pub(super) async fn explain(
    connection: &mut Connection,
    query: Query,
    analyze: bool,
) -> Result<Outcome> {
    let text = match analyze {
        true => connection.explain_analyze(query).await?,
        false => connection.explain(query).await?,
    };
    for line in text.lines() {
        output::stdout(printable(line, &[]).as_bytes())?;
        output::stdout(b"\n")?;
    }
    Ok(Outcome::Found)
}

pub(super) async fn channel(connection: &mut Connection) -> Result<Outcome> {
    let report = connection.report().await?;
    let channel = connection.channel();
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let mut known = vec![
        ("host", channel.host().to_owned()),
        ("address", channel.peer_address().to_string()),
        ("server", channel.server().to_owned()),
        ("encrypted", yes_no(channel.encrypted()).to_owned()),
    ];
    if let (Some(met), Some(asked)) = (channel.level_met(), channel.level()) {
        known.push(("protocol", channel.protocol().to_owned()));
        known.push(("cipher", channel.cipher().to_owned()));
        known.push(("key exchange", channel.key_exchange().to_owned()));
        let served = channel.server_level();
        known.push(("level", format!("{met}; {asked} asked for, {served} served")));
    }
    if channel.encrypted() {
        known.push(("names", names(channel.peer_names())));
    }
    if !report.user.is_empty() {
        known.push(("user", report.user));
    }
    known.push(("this end", report.peer));
    if !report.peer_names.is_empty() {
        known.push(("known as", names(&report.peer_names)));
    }
    output::stdout(facts(&known).as_bytes())?;
    Ok(Outcome::Found)
}

/// Lists the names in a certificate.
fn names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Formats names and values, one a line.
fn facts(facts: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in facts {
        let _infallible = writeln!(text, "{name:<14}  {}", printable(value, &[]));
    }
    text
}
