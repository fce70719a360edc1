//! The contents of a report: sections of text, tables and charts, in no output format.

mod bytes;
pub mod chart;
mod cpu;
mod headline;
pub mod html;
mod load;
pub mod markdown;
mod words;

use crate::break_even::BreakEven;
use crate::command::compare::{SELECTED, SELECTED_FLOOR, WHOLE_FILE, WHOLE_FILE_FLOOR};
use crate::document::{Cell, Channel, Document, Load, by_question};
use crate::machine::Setting;
use crate::measure::{Run, Series, Spread};
use crate::{shell, text};
use chart::{Chart, Line, Lines, Unit};

/// A part of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// The heading; empty in the first section, which has the result.
    pub title: String,
    /// The sentences below the heading. Backquotes mark code.
    pub paragraphs: Vec<String>,
    /// A chart.
    pub chart: Option<Chart>,
    /// The words for the name of the chart's file.
    pub picture: String,
    /// The sentences below the chart.
    pub notes: Vec<String>,
    /// The cells of a table, the header first. The first column is text, the others are figures.
    pub table: Vec<Vec<String>>,
    /// A command for a shell.
    pub command: String,
}

impl Section {
    /// Removes the columns of the table that have nothing below their header.
    fn remove_empty_columns(&mut self) {
        let Some((header, rows)) = self.table.split_first() else { return };
        let is_kept = |column: usize| {
            column == 0
                || rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
        };
        let kept: Vec<bool> = (0..header.len()).map(is_kept).collect();
        for row in &mut self.table {
            let mut kept = kept.iter();
            row.retain(|_| kept.next().copied().unwrap_or(true));
        }
    }
}

/// Makes a report of `documents`.
pub fn sections(documents: &[Document]) -> Vec<Section> {
    let cells: Vec<&Cell> = documents.iter().flat_map(|document| &document.cells).collect();
    let (compared, floors): (Vec<&Cell>, Vec<&Cell>) =
        cells.into_iter().partition(|cell| arm(cell, SELECTED).is_some());
    let loads: Vec<&Load> = documents.iter().flat_map(|document| &document.loads).collect();
    let mut sections: Vec<Section> = headline::section(&compared).into_iter().collect();
    sections.extend(bytes::sections(&compared));
    sections.extend(comparisons(&compared));
    sections.extend(cpu::sections(&compared));
    sections.extend(beside_rivals(&compared));
    if !floors.is_empty() {
        sections.push(beside_floors(&floors));
    }
    sections.extend(load::sections(&loads));
    sections.extend(documents.iter().map(|document| setting(&document.setting)));
    sections.iter_mut().for_each(Section::remove_empty_columns);
    show_once(&mut sections);
    sections
}

/// Removes charts that an earlier section has.
fn show_once(sections: &mut [Section]) {
    for index in 0..sections.len() {
        let (earlier, later) = sections.split_at_mut(index);
        let Some(section) = later.first_mut() else { continue };
        if earlier.iter().any(|earlier| earlier.chart == section.chart) {
            section.chart = None;
        }
    }
}

/// Makes one section for each channel, link and file.
fn comparisons(cells: &[&Cell]) -> Vec<Section> {
    by_question(cells.iter().copied()).iter().filter_map(|group| compared(group)).collect()
}

/// Returns the file, the channel and the link of a section: `lineitem.dat (fixed), level 3
/// (TLS_AES_256_GCM_SHA384), loopback`.
fn about(cell: &Cell) -> String {
    let channel = cell.channel.as_ref().map(Channel::name).unwrap_or_default();
    let parts = [words::file(cell), channel, words::link(&cell.link)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// Returns the words for the name of a picture about a file, a level and a link.
fn picture(what: &str, cell: &Cell) -> String {
    let level = cell.channel.as_ref().map_or("", |channel| &channel.level);
    let kind = if level == "plain" { "" } else { "level" };
    format!("{what} {} {kind} {level} {}", cell.file_or_format(), cell.link)
}

fn compared(cells: &[&Cell]) -> Option<Section> {
    let first = cells.first()?;
    let channel = first.channel.clone().unwrap_or_default();
    let about = about(first);
    let mut section = Section {
        title: format!("Whole file or selected records: {about}"),
        picture: picture("seconds", first),
        ..Section::default()
    };
    let bytes = text::bytes(first.file_bytes);
    section.paragraphs.push(match &channel.cipher[..] {
        "" => format!("A file of {bytes}."),
        cipher => format!("A file of {bytes}; {cipher}, key exchange {}.", channel.key_exchange),
    });
    if let Some(found) = BreakEven::of(cells.iter().copied()) {
        section.paragraphs.push(format!("Break-even: {found}."));
    }
    let header = [
        "question",
        "whole file",
        "selected records",
        "times faster",
        "first record, whole",
        "first record, selected",
        "the file's bytes alone",
        "the answer's bytes alone",
        if channel.is_plain() { "sent, whole" } else { "encrypted, whole" },
        if channel.is_plain() { "sent, selected" } else { "encrypted, selected" },
        "CPU of both ends, whole",
        "CPU of both ends, selected",
        "server memory",
    ];
    section.table.push(header.map(String::from).into());
    section.table.extend(cells.iter().filter_map(|cell| comparison(cell)));
    let chart = || headline::pairs(cells.iter().copied());
    section.chart = Some(selectivity_chart(cells).unwrap_or_else(chart));
    Some(section)
}

fn comparison(cell: &Cell) -> Option<Vec<String>> {
    let (whole, selected) = (arm(cell, WHOLE_FILE)?, arm(cell, SELECTED)?);
    let (before, after) = (Spread::seconds(&whole.runs)?, Spread::seconds(&selected.runs)?);
    let floor = |name| {
        let time = arm(cell, name).and_then(|series| Spread::seconds(&series.runs));
        time.map_or_else(String::new, |time| text::seconds(time.median))
    };
    Some(vec![
        cell.title.clone(),
        spread(before),
        spread(after),
        text::ratio(before.median, after.median),
        first(whole),
        first(selected),
        floor(WHOLE_FILE_FLOOR),
        floor(SELECTED_FLOOR),
        most(whole, |run| run.bytes_sent),
        most(selected, |run| run.bytes_sent),
        cpu(whole),
        cpu(selected),
        most(selected, |run| run.server_bytes_max),
    ])
}

/// Makes the section about rivals, if there are some.
fn beside_rivals(cells: &[&Cell]) -> Option<Section> {
    let ours = [WHOLE_FILE, SELECTED, WHOLE_FILE_FLOOR, SELECTED_FLOOR];
    let of_ours = |series: &&Series| ours.contains(&series.arm.as_str());
    let mut names: Vec<&str> = vec![SELECTED];
    for series in cells.iter().flat_map(|cell| &cell.series).filter(|series| !of_ours(series)) {
        if !names.contains(&series.arm.as_str()) {
            names.push(&series.arm);
        }
    }
    if names.len() == 1 {
        return None;
    }
    let mut section = Section { title: "Compared with rivals".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "The rivals answer the same questions in the same rounds, each over its own TLS 1.3 channel \
         and from the format in its name. The number in brackets is the ratio to the time of Sift's \
         selected records."
            .to_owned(),
    );
    let header = ["question"].into_iter().chain(names.iter().copied());
    section.table.push(header.map(String::from).collect());
    for cell in cells {
        let Some(ours) = arm(cell, SELECTED).and_then(|ours| Spread::seconds(&ours.runs)) else {
            continue;
        };
        let mut row = vec![format!("{}, {}", cell.title, about(cell))];
        row.extend(names.iter().map(|name| {
            let time = arm(cell, name).and_then(|series| Spread::seconds(&series.runs));
            time.map_or_else(String::new, |time| match *name {
                SELECTED => text::seconds(time.median),
                _ => {
                    let times = text::ratio(time.median, ours.median);
                    format!("{} ({times})", text::seconds(time.median))
                }
            })
        }));
        section.table.push(row);
    }
    Some(section)
}

fn selectivity_chart(cells: &[&Cell]) -> Option<Chart> {
    let line = |name: &str| {
        let mut points: Vec<(f64, f64)> = cells
            .iter()
            .filter_map(|cell| {
                Some((cell.selectivity? * 100.0, Spread::seconds(&arm(cell, name)?.runs)?.median))
            })
            .filter(|(x, y)| *x > 0.0 && *y > 0.0)
            .collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        let is_dashed = name == WHOLE_FILE_FLOOR || name == SELECTED_FLOOR;
        Line { name: name.to_owned(), points, is_dashed }
    };
    let lines = [WHOLE_FILE, SELECTED, WHOLE_FILE_FLOOR, SELECTED_FLOOR].map(line);
    let (lines, rest): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.points.len() >= 2);
    let enough = rest.iter().all(|line| line.name != WHOLE_FILE && line.name != SELECTED);
    enough.then(|| {
        let mark = match BreakEven::of(cells.iter().copied()) {
            Some(BreakEven::At(share)) => {
                Some((share * 100.0, format!("break-even at {}", words::percent(share))))
            }
            _ => None,
        };
        Chart::Lines(Lines {
            x_label: "records selected, %".to_owned(),
            y_label: "seconds".to_owned(),
            unit: Unit::Seconds,
            lines,
            mark,
        })
    })
}

fn beside_floors(cells: &[&Cell]) -> Section {
    let mut section = Section { title: "Compared with the floor".to_owned(), ..Section::default() };
    section.paragraphs.push(
        "Each floor handles the same bytes without our work, in the same rounds as the arm next to it."
            .to_owned(),
    );
    let header = ["what", "floor", "Sift", "floor's rate", "Sift's rate", "share of the floor"];
    section.table.push(header.map(String::from).into());
    for cell in cells {
        let [floor, ours] = &cell.series[..] else { continue };
        let Some((before, after)) = Spread::seconds(&floor.runs).zip(Spread::seconds(&ours.runs))
        else {
            continue;
        };
        section.table.push(vec![
            format!("{}: {}", cell.format, cell.title),
            spread(before),
            spread(after),
            text::cell_rate(cell, before.median),
            text::cell_rate(cell, after.median),
            format!("{:.0} %", before.median / after.median * 100.0),
        ]);
    }
    section
}

fn setting(setting: &Setting) -> Section {
    Section {
        title: format!("Measured {}", setting.started),
        paragraphs: vec![format!(
            "{}, {} threads, {} of memory, Linux {}; Sift {} at {}.",
            setting.processor,
            setting.threads,
            text::bytes(setting.memory_bytes),
            setting.kernel,
            setting.version,
            if setting.commit.is_empty() { "no commit" } else { &setting.commit }
        )],
        command: shell::quote(&setting.command),
        ..Section::default()
    }
}

fn arm<'a>(cell: &'a Cell, name: &str) -> Option<&'a Series> {
    cell.series.iter().find(|series| series.arm == name)
}

/// Returns the time until the first record.
fn first(series: &Series) -> String {
    let spread = Spread::of(series.runs.iter().filter_map(|run| run.first_seconds));
    spread.map_or_else(String::new, |spread| text::seconds(spread.median))
}

fn spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{} ({} to {})", text::seconds(median), text::seconds(min), text::seconds(max))
}

fn most(series: &Series, quantity: impl Fn(&Run) -> Option<u64>) -> String {
    series.runs.iter().filter_map(quantity).max().map_or_else(String::new, text::bytes)
}

fn cpu(series: &Series) -> String {
    let both = |run: &Run| Some(run.server_cpu_seconds? + run.client_cpu_seconds?);
    let mean = Spread::mean(series.runs.iter().filter_map(both));
    mean.map_or_else(String::new, text::seconds)
}

#[cfg(test)]
mod tests;
