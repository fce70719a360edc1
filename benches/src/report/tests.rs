//! A document with one of everything, through every renderer.

use std::collections::BTreeMap;

use super::*;
use crate::document::{Channel, SIFT};
use crate::load::{Connections, Handshakes, Outcome};

fn cell(title: &str, selectivity: f64, seconds: [f64; 2]) -> Cell {
    let series = |arm: &str, seconds, bytes| Series {
        arm: arm.to_owned(),
        runs: vec![Run { seconds, bytes_sent: Some(bytes), ..Run::default() }],
    };
    Cell {
        title: title.to_owned(),
        format: "fixed".to_owned(),
        file_bytes: 1_000_000_000,
        link: "loopback".to_owned(),
        channel: Some(Channel { level: "5".to_owned(), ..Channel::default() }),
        selectivity: Some(selectivity),
        series: vec![
            series(WHOLE_FILE, seconds[0], 1_000_000_000),
            series(SELECTED, seconds[1], 10_000_000),
        ],
        ..Cell::default()
    }
}

fn document() -> Document {
    let mut document = Document::start();
    document.cells = vec![cell("1% <&>", 0.01, [1.0, 0.1]), cell("100%", 1.0, [1.0, 1.2])];
    document.loads = vec![Load {
        arm: SIFT.to_owned(),
        outcome: Outcome {
            sessions: 16,
            rate_intended: None,
            seconds: 2.0,
            answers: 1000,
            failures: BTreeMap::new(),
            missed: 0,
            latency_micros: BTreeMap::from([("99".to_owned(), 2_000)]),
        },
        idle: 0,
        connections: Connections::Kept,
        handshakes: Handshakes::default(),
        samples: Vec::new(),
    }];
    document
}

#[test]
fn markdown_has_the_ratio_the_break_even_and_the_command() {
    let text = markdown::render(&sections(&[document()]));
    assert!(text.contains("| 1% <&> | 1.00 s (1.00 s to 1.00 s) | 100 ms"), "{text}");
    assert!(text.contains("| 10.0 × |  |  |  |  | 1.00 GB | 10.0 MB |"), "{text}");
    assert!(
        text.contains("Break-even: the whole file is faster from 82 % of the records on."),
        "{text}"
    );
    assert!(text.contains("| 16 | Sift | 500 |"), "{text}");
}

#[test]
fn rivals_stand_beside_the_selected_records() {
    let mut document = document();
    let runs = vec![Run { seconds: 0.25, ..Run::default() }];
    document.cells[0].series.push(Series { arm: "Rival".to_owned(), runs: runs.clone() });
    document.cells[0].series.push(Series { arm: SELECTED_FLOOR.to_owned(), runs });
    let text = markdown::render(&sections(&[document]));
    assert!(text.contains("| question | selected records | Rival |"), "{text}");
    assert!(text.contains("loopback | 100 ms | 250 ms (2.50 ×) |"), "{text}");
    assert!(text.contains("| 1.20 s |  |"), "{text}");
}

#[test]
fn html_escapes_stands_alone_and_has_the_chart() {
    let page = html::render(&sections(&[document()]));
    assert!(page.contains("<td>1% &lt;&amp;&gt;</td>"), "{page}");
    assert!(!page.contains("src=") && !page.contains("<script"), "{page}");
    assert!(page.contains("<p><code>"), "{page}");
    assert_eq!(page.matches("<polyline").count(), 2);
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
}

#[test]
fn encrypting_is_what_is_above_the_same_in_the_clear() {
    let mut document = document();
    let mut clear = document.cells[0].clone();
    clear.channel = Some(Channel { level: "plain".to_owned(), ..Channel::default() });
    document.cells.push(clear);
    let channel = document.cells[0].channel.as_mut().unwrap();
    channel.cipher = "TLS_AES_256_GCM_SHA384 TLSv1.3 Kx=any".to_owned();
    for (cell, server_cpu) in [(0, 1.5), (2, 0.5)] {
        for series in &mut document.cells[cell].series {
            series.runs[0].server_cpu_seconds = Some(server_cpu);
            series.runs[0].client_cpu_seconds = Some(0.25);
        }
    }
    let found = sections(&[document]);
    let text = markdown::render(&found);
    assert!(
        text.contains("## CPU time: fixed, level 5, TLS_AES_256_GCM_SHA384, loopback"),
        "{text}"
    );
    let row = "| 1% <&>, whole | 500 ms | 1.00 s | 250 ms | 0 s |";
    assert!(text.contains(row), "{text}");
    let picture = found.iter().find_map(|section| match &section.chart {
        Some(chart @ Chart::Bars(_)) => Some(chart.to_picture()),
        _ => None,
    });
    let picture = picture.unwrap();
    // a bar of 1.75 s is as long as there is room, its second part begins at 0.5 of that
    assert!(picture.contains("x=\"295.7\" y=\"52.0\" width=\"211.4\""), "{picture}");
    assert!(picture.contains("prefers-color-scheme: dark"), "{picture}");
}

#[test]
fn latencies_stand_over_the_number_of_sessions() {
    let mut document = document();
    let mut more = document.loads[0].clone();
    more.outcome.sessions = 64;
    more.outcome.latency_micros = BTreeMap::from([("99".to_owned(), 8_000)]);
    document.loads.push(more);
    let page = html::render(&sections(&[document]));
    assert!(page.contains("latency against sessions"), "{page}");
    assert!(page.contains("Sift, p99") && !page.contains("Sift, p50"), "{page}");
}

#[test]
fn points_are_where_their_logarithms_are() {
    let line = Line { name: "a".to_owned(), points: vec![(0.01, 0.1), (1.0, 1.0), (100.0, 10.0)] };
    let svg = Chart::Lines(Lines { lines: vec![line], ..Lines::default() }).to_svg();
    // the middle point of a straight line over whole decades is in the middle of the plot
    assert!(svg.contains("points=\"64.0,312.0 344.0,176.0 624.0,40.0\""), "{svg}");
}
