//! `sift server`: adds servers to the configuration file, lists them and removes them. The comments
//! and the order of the file stay.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use clap::ValueEnum as _;
use sift_client::{Connector, ErrorKind, IdentityError, OutputFile, Usage, nearest};
use toml_edit::{DocumentMut, Item, RawString, Table, value};

use super::args::{OutputArgs, Target};
use super::config::{self, Config, Server};
use super::fault::{Fault, Outcome, Result};
use super::output::{self, Output};
use super::target;

/// The mode of the folder of the configuration file, as in the XDG Base Directory Specification.
const FOLDER_MODE: u32 = 0o700;

/// Adds a server with the options of the command line.
///
/// # Errors
/// A name that is taken, an option that no connection could use, a file that cannot be written.
pub(super) fn add(
    name: &str,
    address: &str,
    becomes_default: bool,
    given: &Target,
) -> Result<Outcome> {
    let path = config::path(given.config.as_deref())?;
    let text = config::read(&path)?.unwrap_or_default();
    let config = Config::parse(&text, path)?;
    if config.server.contains_key(name) {
        return Err(Fault::ServerExists { path: config.path, name: name.to_owned() });
    }
    let mut document = parsed(&text, &config.path)?;
    if becomes_default {
        document.insert("default", value(name));
    }
    insert(&mut document, name, described(address, given)?);
    let text = document.to_string();
    let config = Config::parse(&text, config.path)?;
    if let Some(server) = config.server.get(name) {
        check(&config, name, server)?;
    }
    if let Some(folder) = config.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        let path = folder.to_owned();
        made.map_err(|source| Fault::File { action: "create", path, source })?;
    }
    write(&config.path, &text)?;
    let as_default = if becomes_default { ", the default" } else { "" };
    output::stderr(&format!("{}: added the server `{name}`{as_default}", config.path.display()));
    Ok(Outcome::Found)
}

/// Removes a server. If it was the default, there is none any more.
///
/// # Errors
/// An unknown name, a file that cannot be read or written.
pub(super) fn remove(name: &str, given: &Target) -> Result<Outcome> {
    let path = config::path(given.config.as_deref())?;
    let text = config::read(&path)?.unwrap_or_default();
    let config = Config::parse(&text, path)?;
    let mut document = parsed(&text, &config.path)?;
    let servers = document.get_mut("server").and_then(Item::as_table_like_mut);
    if servers.and_then(|servers| servers.remove(name)).is_none() {
        let near = nearest(name, config.server.keys().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(Fault::NoSuchServer { path: config.path, name: name.to_owned(), hint });
    }
    let was_default = config.default.as_deref() == Some(name);
    if was_default {
        document.remove("default");
    }
    // the blank line before what came after the first table
    write(&config.path, document.to_string().trim_start_matches('\n'))?;
    let as_default = if was_default { ", which was the default" } else { "" };
    output::stderr(&format!("{}: removed the server `{name}`{as_default}", config.path.display()));
    Ok(Outcome::Found)
}

/// Lists the configured servers.
pub(super) fn list(args: &OutputArgs, given: &Target) -> Result<Outcome> {
    let output = Output::check(args)?;
    let Config { server: servers, default, .. } = Config::load(given.config.as_deref())?;
    let texts = |of: fn(&Server) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(servers.values().map(of)))
    };
    let is_default = servers.keys().map(|name| Some(default.as_ref() == Some(name)));
    let columns: [(&str, ArrayRef); 6] = [
        ("name", Arc::new(StringArray::from_iter_values(servers.keys()))),
        ("address", texts(|server| Some(server.address.clone()))),
        ("default", Arc::new(BooleanArray::from_iter(is_default))),
        ("encrypt", Arc::new(BooleanArray::from_iter(servers.values().map(|s| Some(s.encrypt))))),
        ("user", texts(|server| server.user.clone())),
        ("ca", texts(|server| server.ca.as_ref().map(|path| path.display().to_string()))),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut records = output.open()?.begin(&batch.schema())?;
    records.batch(&batch)?;
    records.finish()?;
    Ok(Outcome::of(servers.len() as u64))
}

/// Returns the table of a server, with absolute paths.
fn described(address: &str, given: &Target) -> Result<Table> {
    let mut table = Table::new();
    table.insert("address", value(address));
    let paths = [
        ("ca", &given.ca),
        ("client_cert", &given.client_cert),
        ("password_file", &given.password_file),
    ];
    for (key, path) in paths {
        let Some(path) = path else { continue };
        let failed = |source| Fault::File { action: "read", path: path.clone(), source };
        let absolute = fs::canonicalize(path).map_err(failed)?;
        let text =
            absolute.to_str().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
        table.insert(key, value(text));
    }
    if let Some(level) = given.scl {
        table.insert("scl", value(i64::from(level.number())));
    }
    if given.plain {
        table.insert("encrypt", value(false));
    }
    for (key, text) in [("user", &given.user), ("server_name", &given.server_name)] {
        if let Some(text) = text {
            table.insert(key, value(text));
        }
    }
    if let Some(name) = given.compression.and_then(|how| how.to_possible_value()) {
        table.insert("compression", value(name.get_name()));
    }
    Ok(table)
}

/// Puts a server after the others, and after the comments at the end of the file.
fn insert(document: &mut DocumentMut, name: &str, mut server: Table) {
    let comments = document.trailing().as_str().unwrap_or_default().trim_end().to_owned();
    document.set_trailing(RawString::default());
    let is_first = document.is_empty();
    let before = match (is_first, comments.is_empty()) {
        (true, true) => String::new(),
        (false, true) => "\n".to_owned(),
        (true, false) => format!("{comments}\n\n"),
        (false, false) => format!("\n{}\n\n", comments.trim_start_matches('\n')),
    };
    server.decor_mut().set_prefix(before);
    let servers = document.entry("server").or_insert_with(|| {
        let mut servers = Table::new();
        servers.set_implicit(true);
        Item::Table(servers)
    });
    if let Some(servers) = servers.as_table_like_mut() {
        servers.insert(name, Item::Table(server));
    }
}

/// Reads the files that the new server names, and looks at its address.
///
/// # Errors
/// The errors that a connection would have before it is made, but for a missing passphrase.
fn check(config: &Config, name: &str, server: &Server) -> Result<()> {
    match Connector::new(target::configured(config, name, server)?) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::Usage(Usage::Passphrase { error: IdentityError::NoPassphrase, .. }) => {
                Ok(())
            }
            _ => Err(error.into()),
        },
    }
}

fn parsed(text: &str, path: &Path) -> Result<DocumentMut> {
    text.parse().map_err(|error| Fault::Document { path: path.to_owned(), error })
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    file.write(text.as_bytes())?;
    Ok(file.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str) {
        let mut document = before.parse().unwrap();
        let mut server = Table::new();
        server.insert("address", value("h"));
        insert(&mut document, "new one", server);
        assert_eq!(document.to_string(), after);
    }

    #[test]
    fn a_server_comes_after_all_that_is_there() {
        let new = "[server.\"new one\"]\naddress = \"h\"\n";
        check("", new);
        check("# mine\n", &format!("# mine\n\n{new}"));
        check("default = \"a\" # why\n", &format!("default = \"a\" # why\n\n{new}"));
        let one = "# first\n[server.a] # a\naddress = \"b\"\n";
        check(one, &format!("{one}\n{new}"));
        check(&format!("{one}\n# last\n"), &format!("{one}\n# last\n\n{new}"));
        check(
            "server = { a = { address = \"b\" } }\n",
            "server = { a = { address = \"b\" } , \"new one\" = { address = \"h\" } }\n",
        );
    }
}
