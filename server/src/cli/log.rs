//! The log on standard error, as text or as JSON, from a level on.
//!
//! The JSON form is written here. The JSON of tracing has no lists, and shows a text from a client
//! as JSON inside a text.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{self, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt as log, reload};

use super::error::Error;
use super::serve_args::LogFormat;

/// The environment variable with the level of the log.
const VARIABLE: &str = "SIFT_LOG";

/// The maximal number of characters of a wrong value that an error shows.
const SHOWN_CHARS_MAX: usize = 40;

/// Sets up the log for the whole process. `level` counts without `SIFT_LOG`.
///
/// # Errors
/// A level that is none.
pub(super) fn start(format: LogFormat, level: &str) -> Result<LogHandle, Error> {
    let (filter, level) = reload::Layer::new(check(level)?);
    let is_json = Arc::new(AtomicBool::new(format == LogFormat::Json));
    let form = Form { text: Format::default().with_target(false), is_json: Arc::clone(&is_json) };
    let layer = log::layer().with_writer(std::io::stderr).event_format(form).with_filter(filter);
    // it fails if a log is already set up, which then stays in use
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(LogHandle { level, is_json })
}

/// Changes the log of a process.
pub(super) struct LogHandle {
    level: reload::Handle<Targets, Registry>,
    is_json: Arc<AtomicBool>,
}

impl LogHandle {
    /// Changes the form and the level.
    ///
    /// # Errors
    /// A level that is none.
    pub(super) fn set(&self, format: LogFormat, level: &str) -> Result<(), Error> {
        let filter = check(level)?;
        self.is_json.store(format == LogFormat::Json, Ordering::Relaxed);
        // it fails only if the log of the process is another one
        let _ = self.level.reload(filter);
        Ok(())
    }
}

/// Returns the levels that are logged: those of SIFT_LOG, or else those of the configuration.
///
/// # Errors
/// A level that is none.
pub(super) fn check(level: &str) -> Result<Targets, Error> {
    match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        Some(value) => filter(&value.to_string_lossy()),
        None => filter(level),
    }
}

/// The form of a line, which may change.
struct Form {
    text: Format<format::Full, SystemTime>,
    is_json: Arc<AtomicBool>,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.is_json.load(Ordering::Relaxed) {
            true => Json.format_event(context, writer, event),
            false => self.text.format_event(context, writer, event),
        }
    }
}

/// A level, or levels of parts of the program: `debug`, `info,sift_server=debug`.
fn filter(text: &str) -> Result<Targets, Error> {
    let mut filter = Targets::new().with_default(LevelFilter::INFO);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let wrong = || Error::Log { got: part.chars().take(SHOWN_CHARS_MAX).collect() };
        let level = |name: &str| LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        filter = match part.split_once('=') {
            None => filter.with_default(level(part).ok_or_else(wrong)?.1),
            Some((target, name)) if is_target(target) => {
                filter.with_target(target, level(name).ok_or_else(wrong)?.1)
            }
            Some(_) => return Err(wrong()),
        };
    }
    Ok(filter)
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Returns whether the text is a module path of Rust.
fn is_target(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !text.is_empty() && text.chars().all(is_word)
}

/// The fields whose text is already JSON, because tracing has no lists.
const LISTS: [&str; 1] = ["names"];

/// Formats a line as one JSON object: `timestamp` (RFC 3339, UTC), `level`, `message`, then the
/// fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        let mut object = Object { text: "{".to_owned() };
        object.text_member("timestamp", &now);
        object.text_member("level", event.metadata().level().as_str());
        event.record(&mut object);
        writeln!(writer, "{}}}", object.text)
    }
}

/// A JSON object, without the closing brace.
struct Object {
    text: String,
}

impl Object {
    fn member(&mut self, name: &str, value: &dyn fmt::Display) {
        let separator = if self.text.len() > 1 { "," } else { "" };
        let name = serde_json::Value::from(name);
        let _infallible = write!(self.text, "{separator}{name}:{value}");
    }

    fn text_member(&mut self, name: &str, value: &str) {
        self.member(name, &serde_json::Value::from(value));
    }
}

impl Visit for Object {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
        match LISTS.contains(&field.name()) && is_json(&text) {
            true => self.member(field.name(), &text),
            false => self.text_member(field.name(), &text),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text_member(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), &value);
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_level_or_levels_of_targets() {
        let enabled = |text: &str, target: &str, level: Level| {
            filter(text).unwrap().would_enable(target, &level)
        };
        assert!(enabled("", "sift_server", Level::INFO));
        assert!(!enabled("", "sift_server", Level::DEBUG));
        assert!(enabled("DEBUG", "sift_server", Level::DEBUG));
        assert!(!enabled("off", "sift_server", Level::ERROR));
        assert!(enabled("warn, sift_server::report=debug", "sift_server::report", Level::DEBUG));
        assert!(!enabled("warn,sift_server::report=debug", "siftd", Level::INFO));
        for wrong in
            ["bogus", "info,bogus", "siftd=bogus", "=info", "a b=info", "debug=siftd", "5x"]
        {
            let error = filter(wrong).unwrap_err().to_string();
            assert!(error.contains("give error, warn, info, debug"), "{error}");
        }
    }
}
