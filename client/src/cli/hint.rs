//! Hints about what the user probably meant: a file that the user may see, or a configured server.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use sift_client::{Connection, ErrorKind, Reason, Status, nearest};
use tokio::time::timeout;

use super::config::Server;
use super::fault::{Fault, Result};

/// The longest time that a hint may take.
const NEAR_TIME_MAX: Duration = Duration::from_secs(2);

/// Adds a hint with the file that is nearest to an unknown file. It asks the server for the files
/// that the user may see, so a hint reveals only what `sift files` shows.
pub(super) async fn of_file<T>(done: Result<T>, connection: &mut Connection) -> Result<T> {
    let error = match done {
        Err(Fault::Client(error)) if error.status() == Some(Status::UnknownFile) => error,
        done => return done,
    };
    let name = unknown_name(&error.to_string()).map(str::to_owned);
    let near = match name {
        Some(name) => near_file(&name, connection).await,
        None => None,
    };
    Err(hinted(error, near.map(|near| format!("did you mean `{near}`?"))))
}

/// Adds the same hint as [`of_file`], or a hint about a fetch of several files.
pub(super) async fn of_fetch<T>(
    done: Result<T>,
    file: &str,
    connection: &mut Connection,
) -> Result<T> {
    match done {
        Err(Fault::Client(error))
            if error.status() == Some(Status::UnknownFile) && is_pattern(file) =>
        {
            let (argument, from) = (shell(file), shell(&select_from(file)));
            let hint = format!(
                "-o and --range are for one file, by its name: `sift fetch {argument}` fetches all that \
                 match, and `sift select {from}` selects from all of them"
            );
            Err(hinted(error, Some(hint)))
        }
        done => of_file(done, connection).await,
    }
}

/// Adds a hint with the configured server whose name is nearest to a name that was used as a host.
pub(super) fn of_server(
    error: sift_client::Error,
    given: &str,
    servers: &BTreeMap<String, Server>,
) -> Fault {
    let is_unreachable = matches!(
        error.kind(),
        ErrorKind::ClientServer { reason: Reason::Unreachable(_) | Reason::TimedOut { .. }, .. }
    );
    let is_misspelled = is_unreachable && !servers.contains_key(given);
    let near = nearest(given, servers.keys().map(String::as_str)).filter(|_| is_misspelled);
    hinted(
        error,
        near.map(|near| format!("did you mean the server `{near}` of the configuration?")),
    )
}

fn hinted(error: sift_client::Error, hint: Option<String>) -> Fault {
    match hint {
        Some(hint) => Fault::Hinted { error, hint },
        None => error.into(),
    }
}

/// Returns the file name in the server's message `` `name`: unknown file ``.
fn unknown_name(message: &str) -> Option<&str> {
    message.strip_prefix('`')?.strip_suffix("`: unknown file")
}

/// Looks for the nearest name in the file's folder, and then for a file with the same name in
/// another folder. An error here gives no hint.
async fn near_file(name: &str, connection: &mut Connection) -> Option<String> {
    timeout(NEAR_TIME_MAX, any_near_file(name, connection)).await.ok().flatten()
}

async fn any_near_file(name: &str, connection: &mut Connection) -> Option<String> {
    let (folder, base) = name.rsplit_once('/').unwrap_or(("", name));
    let inside = if folder.is_empty() { "*".to_owned() } else { escaped(folder) + "/*" };
    let files = connection.files(inside).await.unwrap_or_default();
    if let Some(near) = nearest(name, files.iter().map(|file| file.path.as_str())) {
        return Some(near.to_owned());
    }
    let elsewhere = connection.files(format!("**/{}", escaped(base))).await.unwrap_or_default();
    elsewhere.into_iter().map(|file| file.path).next()
}

/// Returns whether a text is a glob, as the server understands it.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Returns a pattern that matches only this text.
pub(super) fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        let _infallible = match c {
            '*' | '?' | '[' | ']' => write!(pattern, "[{c}]"),
            c => write!(pattern, "{c}"),
        };
    }
    pattern
}

fn select_from(file: &str) -> String {
    format!("SELECT * FROM {}", sift_client::quote_file(file))
}

/// Quotes a text as one word for a shell: in apostrophes, or in double quotes if it contains an
/// apostrophe and nothing that double quotes do not protect.
fn shell(text: &str) -> String {
    let is_plain = |quote: &[char]| !text.contains(quote);
    match (is_plain(&['\'']), is_plain(&['"', '$', '`', '\\', '!'])) {
        (false, true) => format!("\"{text}\""),
        _ => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(shell("a*.csv"), "'a*.csv'");
        assert_eq!(shell(&select_from("a*.csv")), "\"SELECT * FROM 'a*.csv'\"");
        assert_eq!(shell("it's $5"), r"'it'\''s $5'");
        assert_eq!(escaped("a[1]*"), "a[[]1[]][*]");
        assert_eq!(unknown_name("`a`b`: unknown file"), Some("a`b"));
        assert_eq!(unknown_name("line 1"), None);
    }
}
