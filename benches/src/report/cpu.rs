//! The cost of encryption: the CPU time of a run on an encrypted channel minus that of the same run
//! without encryption.

use super::chart::{Bar, Bars, Chart};
use super::{Section, about, arm, picture};
use crate::command::compare::{SELECTED, WHOLE_FILE};
use crate::document::{Cell, Channel, by_question};
use crate::measure::{Run, Series, Spread};
use crate::text;

/// Makes a section for each encrypted channel, format and link that was also measured without
/// encryption.
pub(super) fn sections(cells: &[&Cell]) -> Vec<Section> {
    by_question(cells.iter().copied()).iter().filter_map(|group| section(group, cells)).collect()
}

fn section(group: &[&Cell], all: &[&Cell]) -> Option<Section> {
    let first = group.first()?;
    first.channel.as_ref().filter(|channel| !channel.cipher.is_empty())?;
    let mut bars = Vec::new();
    for cell in group {
        let Some(clear) = all.iter().find(|other| is_in_the_clear(cell, other)) else { continue };
        for (name, short) in [(WHOLE_FILE, "whole"), (SELECTED, "selected")] {
            let seconds = split(arm(cell, name)?, arm(clear, name)?)?;
            bars.push(Bar { name: format!("{}, {short}", cell.title), seconds: seconds.into() });
        }
    }
    if bars.is_empty() {
        return None;
    }
    let parts = [
        "server, in the clear",
        "server, encrypting",
        "client, in the clear",
        "client, decrypting",
    ];
    let mut section = Section {
        title: format!("CPU time: {}", about(first)),
        picture: picture("CPU", first),
        ..Section::default()
    };
    section.paragraphs.push(
        "Seconds over all threads. The cost of encryption is the difference to the same run in the \
         clear, or zero if the encrypted run took less."
            .to_owned(),
    );
    section
        .table
        .push(["question", parts[0], parts[1], parts[2], parts[3]].map(String::from).into());
    for bar in &bars {
        let seconds = bar.seconds.iter().map(|seconds| text::seconds(*seconds));
        section.table.push([bar.name.clone()].into_iter().chain(seconds).collect());
    }
    section.chart = Some(Chart::Bars(Bars { parts: parts.map(String::from).into(), bars }));
    Some(section)
}

fn is_in_the_clear(cell: &Cell, other: &Cell) -> bool {
    let question = |cell: &Cell| {
        let Cell { title, file, format, link, .. } = cell;
        (title.clone(), file.clone(), format.clone(), link.clone(), cell.file_bytes)
    };
    let plain = |channel: &Channel| channel.cipher.is_empty();
    other.channel.as_ref().is_some_and(plain) && question(cell) == question(other)
}

/// Returns the seconds of the server without encryption and for it, then those of the client.
fn split(encrypted: &Series, clear: &Series) -> Option<[f64; 4]> {
    let of = |quantity: fn(&Run) -> Option<f64>| {
        let mean = |series: &Series| Spread::mean(series.runs.iter().filter_map(quantity));
        let (with, without) = (mean(encrypted)?, mean(clear)?);
        Some([without.min(with), (with - without).max(0.0)])
    };
    let [server, encrypting] = of(|run| run.server_cpu_seconds)?;
    let [client, decrypting] = of(|run| run.client_cpu_seconds)?;
    Some([server, encrypting, client, decrypting])
}
