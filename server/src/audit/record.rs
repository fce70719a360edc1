//! The lines of the audit log.

use std::time::SystemTime;

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sift_proto::message::{self, value::Kind};
use sift_select::Plan;

use super::{AuditParameters, AuditText};
use crate::channel::{Facts, sha256};
use crate::sessions::rfc3339;

/// The maximal length of a text.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// The maximal length of one parameter.
const PARAMETER_CHARS_MAX: usize = 1000;

/// The maximal number of parameters, of files, of columns and of changes in a line.
const ITEMS_MAX: usize = 1000;

/// A thing that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    /// The server begins to serve.
    Start {
        /// Its name and version.
        server: &'a str,
    },
    /// The server has ended all answers.
    Stop {
        /// Its name and version.
        server: &'a str,
    },
    /// A Hello with or without success.
    Login {
        #[serde(flatten)]
        who: Who<'a>,
        /// The proof of the user: `password`, `certificate`, or `none` on a port without log-in.
        #[serde(skip_serializing_if = "Option::is_none")]
        method: Option<&'static str>,
        status: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
    },
    /// A request that has ended, or whose end marker is about to be sent.
    Request(Box<Request<'a>>),
    /// An attempt to load the configuration again.
    Reload {
        status: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        reason: &'a str,
        changes: &'a [KeyChange],
    },
    /// An administrator ends a request or a session.
    Kill {
        /// The user of the operating system.
        uid: u32,
        id: u64,
        /// The session or request that is ended, in words.
        what: &'a str,
    },
    /// Lines before this one are missing.
    Gap {
        /// Their number.
        lost: u64,
    },
}

/// A client, as far as the server knows it.
#[derive(Debug, Serialize)]
pub(crate) struct Who<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate<'a>>,
    peer: String,
    channel: Channel,
}

/// The client's own certificate.
#[derive(Debug, Serialize)]
struct Certificate<'a> {
    names: Vec<String>,
    serial: &'a str,
    sha256: &'a str,
}

#[derive(Debug, Serialize)]
struct Channel {
    level: u8,
    protocol: String,
    cipher: &'static str,
    key_exchange: &'static str,
}

/// A request.
#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    #[serde(flatten)]
    pub(crate) who: Who<'a>,
    pub(crate) session: u64,
    pub(crate) request: u64,
    pub(crate) kind: String,
    /// The file or the pattern that the request names.
    pub(crate) file: &'a str,
    #[serde(flatten)]
    pub(crate) asked: AskedFields<'a>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// The text, the parameters and the plan of a request. It stays empty if nobody wants to know them.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    text: String,
    is_cut: bool,
    text_sha256: Option<String>,
    parameters: Vec<Value>,
    parameters_count: Option<usize>,
    has_text: bool,
    hides_parameters: bool,
    plan: Option<Plan>,
}

/// The fields of a line about what was asked.
#[derive(Debug, Serialize)]
pub(crate) struct AskedFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a [Value]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_count: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<&'a str>,
    /// True if a list or a text is longer than the line shows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

/// A key of the configuration with its values before and after; without one, it is not set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// The key, as `limits.idle_seconds` or `grant[2].files`.
    pub key: String,
    /// The value before.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Event<'_> {
    /// Returns the line, with the time of this moment.
    pub(super) fn line(&self) -> Vec<u8> {
        let line = Line { time: rfc3339(SystemTime::now()), event: self };
        // only maps with other keys than texts fail
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

impl<'a> Who<'a> {
    pub(crate) fn new(facts: &'a Facts, user: &'a str) -> Self {
        let certificate = (!facts.peer_fingerprint.is_empty()).then(|| Certificate {
            names: facts.peer_names.iter().take(ITEMS_MAX).map(ToString::to_string).collect(),
            serial: &facts.peer_serial,
            sha256: &facts.peer_fingerprint,
        });
        let channel = Channel {
            level: facts.level_met(),
            protocol: facts.protocol(),
            // the first word is the name of the suite
            cipher: facts.cipher().split(' ').next().unwrap_or_default(),
            key_exchange: facts.key_exchange(),
        };
        Self { user, certificate, peer: facts.peer.to_string(), channel }
    }
}

impl Asked {
    /// Notes a text and its parameters in the forms that the audit log has, and the text if
    /// `for_slow` says that the log of slow Selects may need it.
    pub(crate) fn note(
        &mut self,
        sql: &str,
        parameters: &[message::Value],
        forms: Option<(AuditText, AuditParameters)>,
        for_slow: bool,
    ) {
        let text = forms.map(|(text, _)| text);
        self.has_text = text == Some(AuditText::Full);
        if self.has_text || for_slow {
            self.is_cut = sql.len() > TEXT_BYTES_MAX;
            let end = sql.floor_char_boundary(TEXT_BYTES_MAX.min(sql.len()));
            self.text = sql.get(..end).unwrap_or_default().to_owned();
        }
        self.text_sha256 = (text == Some(AuditText::Hash)).then(|| sha256(sql.as_bytes()));
        match forms.map(|(_, parameters)| parameters) {
            None => {}
            Some(AuditParameters::Count) => {
                self.hides_parameters = !parameters.is_empty();
                self.parameters_count = Some(parameters.len());
            }
            Some(AuditParameters::Full) => {
                self.is_cut |= parameters.len() > ITEMS_MAX;
                self.parameters_count = Some(parameters.len());
                self.parameters = parameters.iter().take(ITEMS_MAX).map(parameter).collect();
            }
        }
    }

    /// Returns whether a line may have the text and the parameters.
    pub(crate) fn may_be_quoted(&self) -> bool {
        self.has_text && !self.hides_parameters
    }

    pub(crate) fn planned(&mut self, plan: &Plan) {
        self.plan = Some(plan.clone());
    }

    /// Returns the text and the plan, for the log of slow Selects.
    pub(crate) fn text_and_plan(&self) -> (&str, Option<&Plan>) {
        (&self.text, self.plan.as_ref())
    }

    /// Returns the fields of a line about a request that names `named`, which is the file that is
    /// read if `is_file` says so. A plan of no name reads none.
    pub(crate) fn fields<'a>(&'a self, named: &'a str, is_file: bool) -> AskedFields<'a> {
        let mut files = if is_file { vec![named] } else { Vec::new() };
        let mut columns = Vec::new();
        if let Some(plan) = self.plan.as_ref().filter(|_| !named.is_empty()) {
            let source = plan.source();
            files = source.file_names().collect();
            let fields = source.schema().fields();
            let used = plan.columns();
            columns = used
                .iter()
                .filter_map(|column| Some(fields.get(*column)?.name().as_str()))
                .collect();
        }
        let cut = self.is_cut || files.len() > ITEMS_MAX || columns.len() > ITEMS_MAX;
        files.truncate(ITEMS_MAX);
        columns.truncate(ITEMS_MAX);
        AskedFields {
            text: self.has_text.then_some(&self.text),
            text_sha256: self.text_sha256.as_deref(),
            parameters: (!self.parameters.is_empty()).then_some(&self.parameters),
            parameters_count: self.parameters_count,
            files,
            columns,
            cut,
        }
    }
}

/// Returns a parameter as JSON has it. Exact decimals, dates, times and bytes are texts.
fn parameter(value: &message::Value) -> Value {
    match &value.kind {
        None | Some(Kind::Null(_)) => Value::Null,
        Some(Kind::Boolean(boolean)) => json!(boolean),
        Some(Kind::Integer(integer)) => json!(integer),
        // infinities are texts
        Some(Kind::Float(float)) if float.is_finite() => json!(float),
        Some(Kind::Float(float)) => json!(float.to_string()),
        Some(Kind::Decimal(text) | Kind::Text(text)) => json!(cut(text.chars())),
        Some(Kind::Binary(bytes)) => {
            let digits = bytes.iter().take(PARAMETER_CHARS_MAX).map(|byte| format!("{byte:02x}"));
            json!(cut(digits.collect::<String>().chars()))
        }
        Some(Kind::Date(days)) => {
            let epoch = NaiveDate::default();
            let date = epoch.checked_add_signed(TimeDelta::days((*days).into()));
            json!(date.map_or_else(|| days.to_string(), |date| date.to_string()))
        }
        Some(Kind::Timestamp(micros)) => {
            let time = DateTime::from_timestamp_micros(*micros).map(|time| time.naive_utc());
            json!(time.map_or_else(|| micros.to_string(), |time| time.to_string()))
        }
    }
}

fn cut(mut chars: impl Iterator<Item = char>) -> String {
    let mut text: String = chars.by_ref().take(PARAMETER_CHARS_MAX).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: Kind) -> message::Value {
        message::Value { kind: Some(kind) }
    }

    #[test]
    fn parameters_are_json() {
        for (kind, expected) in [
            (Kind::Null(true), json!(null)),
            (Kind::Integer(-7), json!(-7)),
            (Kind::Float(0.5), json!(0.5)),
            (Kind::Float(f64::NAN), json!("NaN")),
            (Kind::Decimal("1.50".to_owned()), json!("1.50")),
            (Kind::Binary(vec![0, 0xff]), json!("00ff")),
            (Kind::Date(1), json!("1970-01-02")),
            (Kind::Date(i32::MAX), json!("2147483647")),
            (Kind::Timestamp(1_500_000), json!("1970-01-01 00:00:01.500")),
            (Kind::Timestamp(i64::MAX), json!(i64::MAX.to_string())),
        ] {
            assert_eq!(parameter(&value(kind)), expected);
        }
        let long = parameter(&value(Kind::Text("é".repeat(2000))));
        assert_eq!(long.as_str().unwrap().chars().count(), PARAMETER_CHARS_MAX + 1);
        let long = parameter(&value(Kind::Binary(vec![0; 1 << 20])));
        assert_eq!(long.as_str().unwrap().chars().count(), PARAMETER_CHARS_MAX + 1);
    }

    #[test]
    fn a_text_has_the_form_that_is_wanted() {
        let parameters = vec![value(Kind::Integer(1)); ITEMS_MAX + 1];
        let fields = |text, form| {
            let mut asked = Asked::default();
            asked.note("SELECT 'é'", &parameters, Some((text, form)), true);
            serde_json::to_value(asked.fields("a.csv", true)).unwrap()
        };
        let full = fields(AuditText::Full, AuditParameters::Full);
        assert_eq!(full["text"], "SELECT 'é'");
        assert_eq!(full["files"], json!(["a.csv"]));
        assert_eq!(full["parameters"].as_array().unwrap().len(), ITEMS_MAX);
        assert_eq!((&full["parameters_count"], &full["cut"]), (&json!(1001), &json!(true)));
        let hash = fields(AuditText::Hash, AuditParameters::Count);
        assert_eq!(hash["text_sha256"].as_str().unwrap().len(), 64);
        assert!(hash.get("text").is_none() && hash.get("parameters").is_none());
        let none = fields(AuditText::None, AuditParameters::Count);
        assert!(none.get("text").is_none() && none.get("text_sha256").is_none());
        assert_eq!(none["parameters_count"], 1001);

        let mut asked = Asked::default();
        let long = "é".repeat(TEXT_BYTES_MAX);
        asked.note(&long, &[], Some((AuditText::Full, AuditParameters::Full)), false);
        let fields = asked.fields("", false);
        assert!(fields.cut && fields.text.unwrap().len() <= TEXT_BYTES_MAX);
    }
}
