//! Every level that a server can have, and a plain port, times every level that a client can ask
//! for, and a plain client: connected with the protocol of the table, or refused in its words.

use sift_client::{ConnectOptions, Connection, LEVELS as CLIENT_LEVELS, Roots};
use sift_proto::cipher::DESCRIPTION_BYTES_MAX;
use sift_proto::level::{Level, LevelError};
use sift_server::{LEVELS, Limits};

use crate::fixture::{Fixture, Served};

/// The answer to a client without encryption at an encrypted port.
const ON: &str = "this server requires encryption";
/// The answer to a client with encryption at a plain port.
const OFF: &str = "encryption is not enabled on the server";
/// No protocol is in common.
const NO: &str = "no protocol in common";

const CLIENTS: [Option<u8>; 6] = [None, Some(0), Some(2), Some(3), Some(4), Some(5)];

/// By the server's level, for each of `CLIENTS`.
const TABLE: [(Option<u8>, [&str; 6]); 5] = [
    (None, ["", OFF, OFF, OFF, OFF, OFF]),
    (Some(2), [ON, "TLSv1.2", "TLSv1.2", "TLSv1.2", NO, NO]),
    (Some(3), [ON, "TLSv1.3", "TLSv1.2", "TLSv1.3", "TLSv1.3", "TLSv1.3"]),
    (Some(4), [ON, "TLSv1.3", NO, "TLSv1.3", "TLSv1.3", "TLSv1.3"]),
    (Some(5), [ON, "TLSv1.3", NO, "TLSv1.3", "TLSv1.3", "TLSv1.3"]),
];

fn built(number: u8, levels: &[Level]) -> Result<Level, LevelError> {
    Level::from_number(number).unwrap().among(levels)
}

/// The error of a client without a protocol in common with the server. The alert has the name that
/// its TLS library gives it.
fn nothing_in_common(asked: Level) -> String {
    let (protocols, alert, advice) = match asked {
        Level::Two => (
            "TLSv1.2 or TLSv1.1",
            "tlsv1 alert protocol version",
            "the server needs a newer one; ask for the default level or a higher one (--scl)",
        ),
        _ => (
            "TLSv1.3",
            "received fatal alert: ProtocolVersion",
            "ask for a lower level (--scl), or have the server serve this one",
        ),
    };
    format!(
        "no protocol, cipher or key exchange in common: this end asks for level {asked} ({protocols}) \
         and the server's level does not meet it ({alert}); {advice}"
    )
}

#[tokio::test]
async fn each_level_meets_each() {
    for (server, cells) in TABLE {
        let level = match server.map(|number| built(number, LEVELS)) {
            None => Level::DEFAULT,
            Some(Ok(level)) => level,
            Some(Err(error)) => {
                assert_eq!(error, LevelError::NotBuilt(2));
                continue;
            }
        };
        let served = Fixture::new().serve_with(level, Limits::default()).await;
        for (client, expected) in CLIENTS.into_iter().zip(cells) {
            let cell = format!("server {server:?}, client {client:?}");
            check(&served, server, client, expected, &cell).await;
        }
    }
}

async fn check(
    served: &Served,
    server: Option<u8>,
    client: Option<u8>,
    expected: &str,
    cell: &str,
) {
    let address = if server.is_some() { served.tls } else { served.plain };
    let options = ConnectOptions::new(address.to_string());
    let options = match client {
        None => options.encrypt(false),
        Some(number) => options
            .level(Level::from_number(number).unwrap())
            .roots(Roots::File(served.fixture.outside("authority.pem"))),
    };
    let connected = Connection::connect(&options).await;
    if let Some(Err(error)) = client.map(|number| built(number, CLIENT_LEVELS)) {
        assert_eq!(connected.unwrap_err().to_string(), error.to_string(), "{cell}");
        return;
    }
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => {
            let text = match (expected, client) {
                (NO, Some(number)) => nothing_in_common(Level::from_number(number).unwrap()),
                (text, _) => text.to_owned(),
            };
            let text = format!("client server error, host {address}: {text}");
            assert_eq!(error.to_string(), text, "{cell}");
            return;
        }
    };
    // `report` checks that both ends report the same
    let report = connection.report().await.unwrap();
    let channel = connection.channel();
    assert_eq!(channel.protocol(), expected, "{cell}");
    assert_eq!(channel.encrypted(), client.is_some(), "{cell}");
    assert_eq!(report.level, u32::from(server.unwrap_or(0)), "{cell}");
    let asked = client.map(|number| Level::from_number(number).unwrap());
    assert_eq!(channel.level(), asked, "{cell}");
    assert!(channel.cipher().len() <= DESCRIPTION_BYTES_MAX, "{cell}");
    assert_eq!(channel.cipher().is_empty(), client.is_none(), "{cell}");
    if server == Some(5) || client == Some(5) {
        assert_eq!(channel.key_exchange(), "X25519MLKEM768", "{cell}");
        assert!(!channel.cipher().contains("128"), "{cell}: {}", channel.cipher());
    }
}
