//! The text of `siftd status`: a table of the sessions and a table of their requests.

use std::fmt::Write as _;

use sift_server::{SessionReport, StatusReport, Wait};

use super::error::counted;

/// The text for a report.
pub(super) fn text(report: &StatusReport) -> String {
    let StatusReport { server, sessions, more } = report;
    let requests = sessions.iter().filter(|session| session.request.is_some()).count();
    let mut text = format!(
        "{server}: {}, {}\n",
        counted(sessions.len() + more, "session"),
        counted(requests, "request")
    );
    if *more > 0 {
        let _infallible = writeln!(text, "{more} sessions are not shown");
    }
    if !sessions.is_empty() {
        let names = ["session", "user", "peer", "level", "protocol", "cipher", "client", "since"];
        text += "\n";
        text += &table(names, sessions.iter().map(session));
    }
    if requests > 0 {
        let names =
            ["request", "session", "kind", "seconds", "records", "sent", "scanned", "waits for"];
        text += "\n";
        text += &table(names, sessions.iter().filter_map(request));
        for request in sessions.iter().filter_map(|session| session.request.as_ref()) {
            let line = request.text.replace(char::is_whitespace, " ");
            let _infallible = writeln!(text, "\n{}: {line}", request.id);
        }
    }
    text
}

fn session(session: &SessionReport) -> [String; 8] {
    let or_plain = |text: &str| if text.is_empty() { "plain" } else { text }.to_owned();
    [
        session.id.to_string(),
        session.user.clone(),
        session.peer.clone(),
        session.level.to_string(),
        or_plain(&session.protocol),
        session.cipher.clone(),
        session.client.clone(),
        session.since.clone(),
    ]
}

fn request(session: &SessionReport) -> Option<[String; 8]> {
    let request = session.request.as_ref()?;
    let waits_for = match request.waits_for {
        Wait::File => "file",
        Wait::Pool => "pool",
        Wait::Peer => "peer",
        Wait::Queue => "queue",
    };
    Some([
        request.id.to_string(),
        session.id.to_string(),
        request.kind.clone(),
        format!("{:.1}", request.seconds),
        request.records.to_string(),
        request.bytes.to_string(),
        request.bytes_scanned.to_string(),
        waits_for.to_owned(),
    ])
}

/// Aligns rows below their names.
fn table<const N: usize>(names: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let names = names.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(names).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = value.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (width, value) in widths.iter().zip(row) {
            let _infallible = write!(line, "{value:<width$}  ");
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use sift_server::RequestReport;

    use super::*;

    #[test]
    fn sessions_and_requests_are_aligned() {
        let request = RequestReport {
            id: 12,
            kind: "Select".to_owned(),
            text: "SELECT a\nFROM 'b.csv'".to_owned(),
            seconds: 3.25,
            records: 7,
            bytes: 100,
            bytes_scanned: 2000,
            waits_for: Wait::Peer,
        };
        let session = SessionReport {
            id: 7,
            user: "ann".to_owned(),
            client: "sift".to_owned(),
            peer: "127.0.0.1:50000".to_owned(),
            level: 0,
            protocol: String::new(),
            cipher: String::new(),
            key_exchange: String::new(),
            since: "2026-01-01T00:00:00.000000Z".to_owned(),
            request: Some(request),
        };
        let report =
            StatusReport { server: "siftd 1".to_owned(), sessions: vec![session], more: 2 };
        let expected = "\
siftd 1: 3 sessions, 1 request
2 sessions are not shown

session  user  peer             level  protocol  cipher  client  since
7        ann   127.0.0.1:50000  0      plain             sift    2026-01-01T00:00:00.000000Z

request  session  kind    seconds  records  sent  scanned  waits for
12       7        Select  3.2      7        100   2000     peer

12: SELECT a FROM 'b.csv'
";
        assert_eq!(text(&report), expected);
    }
}
