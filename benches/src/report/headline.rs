//! The result in one sentence and one picture.

use super::chart::{Chart, Pairs};
use super::{Section, arm, words};
use crate::command::compare::{SELECTED, WHOLE_FILE};
use crate::document::Cell;
use crate::measure::{Run, Series, Spread};
use crate::question::ALL;
use crate::text;

/// The ratio below which two times that overlap count as equal, as docs/benchmarks.md says.
const NOT_ESTABLISHED: f64 = 1.5;

/// The share of the records that the case of the sentence is closest to.
const SHARE: f64 = 0.01;

/// Makes the first section. The choice of its case does not depend on who was faster.
pub(super) fn section(cells: &[&Cell]) -> Option<Section> {
    let cases: Vec<Case<'_>> = cells.iter().filter_map(|cell| Case::of(cell)).collect();
    let case =
        cases.iter().reduce(|best, case| if case.rank() < best.rank() { case } else { best })?;
    let mut section = Section { paragraphs: vec![case.sentence()], ..Section::default() };
    section.chart = Some(pairs([case.cell].into_iter()));
    section.picture = "result".to_owned();
    if cases.len() > 1 {
        section.notes = vec![
            "The case is the question whose share of the records is closest to 1 %, at the highest \
             level measured; the first if there are several."
                .to_owned(),
            balance(&cases),
        ];
        let loss = largest_loss(&cases).filter(|loss| !section.paragraphs.contains(loss));
        section.notes.extend(loss.map(|loss| format!("The largest loss: {loss}")));
    }
    Some(section)
}

/// Makes a chart of the time and of the bytes of both arms, for each cell.
pub(super) fn pairs<'a>(cells: impl Iterator<Item = &'a Cell> + Clone) -> Chart {
    let is_one = cells.clone().count() == 1;
    let mut chart = Pairs::default();
    for cell in cells {
        let title = if is_one { String::new() } else { format!("{}: ", cell.title) };
        let seconds = |series: &Series| Some(Spread::seconds(&series.runs)?.median);
        chart.add(format!("{title}time"), both(cell, seconds), text::seconds);
        #[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
        let length = |bytes: [u64; 2]| bytes.map(|bytes| bytes as f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "was an integer above"
        )]
        let shown = |bytes: f64| text::bytes(bytes as u64);
        chart.add(format!("{title}bytes {}", verb(cell)), both(cell, sent).map(length), shown);
    }
    Chart::Pairs(chart)
}

/// Returns a quantity of the whole file and of the selected records.
fn both<T>(cell: &Cell, quantity: impl Fn(&Series) -> Option<T>) -> Option<[T; 2]> {
    Some([quantity(arm(cell, WHOLE_FILE)?)?, quantity(arm(cell, SELECTED)?)?])
}

/// Returns the most bytes that a run sent.
pub(super) fn sent(series: &Series) -> Option<u64> {
    let of_run = |run: &Run| run.bytes_sent;
    series.runs.iter().filter_map(of_run).max()
}

fn verb(cell: &Cell) -> &'static str {
    if is_plain(cell) { "sent" } else { "encrypted" }
}

fn is_plain(cell: &Cell) -> bool {
    cell.channel.as_ref().is_none_or(|channel| channel.is_plain())
}

/// A cell with the times of both arms.
struct Case<'a> {
    cell: &'a Cell,
    whole: Spread,
    selected: Spread,
}

/// The faster arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Selected,
    Neither,
    Whole,
}

impl<'a> Case<'a> {
    fn of(cell: &'a Cell) -> Option<Self> {
        let [whole, selected] = both(cell, |series| Spread::seconds(&series.runs))?;
        (whole.median > 0.0 && selected.median > 0.0).then_some(Self { cell, whole, selected })
    }

    /// Returns the order of preference for the sentence; the least is best.
    fn rank(&self) -> (u32, f64) {
        let level = self.cell.channel.as_ref().and_then(|channel| channel.level.parse().ok());
        let share = self.cell.selectivity.filter(|share| *share > 0.0);
        let distance = share.map_or(f64::INFINITY, |share| (share / SHARE).ln().abs());
        (u32::MAX - level.unwrap_or(0), distance)
    }

    fn lead(&self) -> Lead {
        let Self { whole, selected, .. } = self;
        let ratio = (whole.median / selected.median).max(selected.median / whole.median);
        let overlap = whole.min <= selected.max && selected.min <= whole.max;
        if ratio < 1.05 || overlap && ratio < NOT_ESTABLISHED {
            return Lead::Neither;
        }
        if selected.median < whole.median { Lead::Selected } else { Lead::Whole }
    }

    fn sentence(&self) -> String {
        let Self { cell, whole, selected } = self;
        let channel = match &cell.channel {
            Some(channel) if !channel.is_plain() => format!("At level {}", channel.level),
            _ => "Without encryption".to_owned(),
        };
        let link = match &cell.link[..] {
            "" => String::new(),
            link => format!(" over {}", words::link(link)),
        };
        let speed = match self.lead() {
            Lead::Selected => {
                format!("{} times as fast as", words::times(whole.median / selected.median))
            }
            Lead::Neither => "about as fast as".to_owned(),
            Lead::Whole => {
                format!("{} times as slow as", words::times(selected.median / whole.median))
            }
        };
        let bytes = both(cell, sent).map_or_else(String::new, |[whole, selected]| {
            let (whole, selected) = (text::bytes(whole), text::bytes(selected));
            format!(", and {} {selected} instead of {whole}", verb(cell))
        });
        let question = question(cell);
        format!("{channel}{link}, Sift answered {question} {speed} fetching the whole file{bytes}.")
    }
}

/// Returns the question as the object of a sentence.
fn question(cell: &Cell) -> String {
    let file = words::file(cell);
    let share = cell.selectivity.map(words::percent);
    let is_known = ALL.iter().any(|ask| ask.name == cell.title);
    match share {
        Some(share) if is_known => format!("{share} of {file}"),
        Some(share) => {
            format!("{} ({share} of {})", words::code(&cell.title), cell.file_or_format())
        }
        None => format!("{} about {file}", words::code(&cell.title)),
    }
}

/// Says how often each arm was faster.
fn balance(cases: &[Case<'_>]) -> String {
    let count = |lead| cases.iter().filter(|case| case.lead() == lead).count();
    let all = cases.len();
    let parts: Vec<String> = [
        (Lead::Selected, "Sift was faster"),
        (Lead::Whole, "the whole file was faster"),
        (Lead::Neither, "both took about the same time"),
    ]
    .into_iter()
    .map(|(lead, words)| (count(lead), words))
    .filter(|(count, _)| *count > 0)
    .map(|(count, words)| match count == all {
        true => format!("all {all} cases {words}"),
        false => format!("{count} of {all} cases {words}"),
    })
    .collect();
    format!("In {}.", parts.join("; in "))
}

/// Returns the sentence about the case in which the whole file was faster by the largest ratio.
fn largest_loss(cases: &[Case<'_>]) -> Option<String> {
    let ratio = |case: &Case<'_>| case.selected.median / case.whole.median;
    let losses = cases.iter().filter(|case| case.lead() == Lead::Whole);
    losses.max_by(|left, right| ratio(left).total_cmp(&ratio(right))).map(Case::sentence)
}
