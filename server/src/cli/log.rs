//! Where the log goes: to standard error, as text or JSON.

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// Sets the log up for the whole process.
pub(super) fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var("SIFT_LOG")
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .with_target(false);
    // it fails where a log is set up already, and that one is as good
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
