//! From names and flags to the options of a connection.

use sift_client::{ConnectOptions, Level, Roots};

use super::args::Target;
use super::config::Config;
use super::{Fault, Result};

/// The server that is asked when none is named anywhere.
const LOCAL: &str = "localhost";

/// The options of the connection. Flags go before the configuration.
pub(super) fn options(target: &Target) -> Result<ConnectOptions> {
    let config = Config::load(target.config.as_deref())?;
    // an empty environment variable is none
    let given = target.server.as_deref().filter(|name| !name.is_empty());
    let name = given.or(config.default.as_deref()).unwrap_or(LOCAL);
    let server = config.server.get(name);
    if server.is_none() && given.is_none() && config.default.is_some() {
        return Err(Fault::NoSuchDefault { path: config.path, name: name.to_owned() });
    }
    let mut options = ConnectOptions::new(server.map_or(name, |server| &server.address));
    if let Some(server) = server {
        options = options.encrypt(server.encrypt);
        if let Some(number) = server.scl {
            let level = Level::from_number(number).map_err(|error| {
                let (path, name) = (config.path.clone(), name.to_owned());
                Fault::ConfiguredLevel { path, name, error }
            })?;
            options = options.level(level);
        }
        if let Some(ca) = &server.ca {
            let folder = config.path.parent();
            let ca = folder.map_or_else(|| ca.clone(), |folder| folder.join(ca));
            options = options.roots(Roots::File(ca));
        }
        if let Some(server_name) = &server.server_name {
            options = options.server_name(server_name);
        }
    }
    if target.plain {
        options = options.encrypt(false);
    }
    // who says how to encrypt wants it encrypted
    if target.ca.is_some() || target.scl.is_some() || target.server_name.is_some() {
        options = options.encrypt(true);
    }
    if let Some(ca) = &target.ca {
        options = options.roots(Roots::File(ca.clone()));
    }
    if let Some(level) = target.scl {
        options = options.level(level);
    }
    if let Some(server_name) = &target.server_name {
        options = options.server_name(server_name);
    }
    if let Some(limit) = target.timeout {
        options = options
            .idle_timeout(limit)
            .connect_timeout(limit.min(ConnectOptions::CONNECT_TIMEOUT))
            .handshake_timeout(limit.min(ConnectOptions::HANDSHAKE_TIMEOUT));
    }
    Ok(options)
}
