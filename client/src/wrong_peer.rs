//! Recognises a peer that answers a TLS client without TLS: a Sift server without encryption, a web
//! server, or something else.

use std::time::Duration;

use prost::Message;
use sift_proto::frame::{HEADER_BYTES, Header, Kind, Opening};
use sift_proto::message::Failure;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::Reason;

/// The maximal time that a failed handshake waits for the rest of the peer's answer.
const WAIT: Duration = Duration::from_secs(2);

/// The maximal length of a Failure that contains the reason of a failed handshake.
const FAILURE_BYTES_MAX: u32 = 4096;

/// Returns the reason for a peer that began with the bytes `said`; `None` if it spoke TLS, or sent
/// nothing.
pub(crate) async fn identify(
    stream: &mut (impl AsyncRead + Unpin),
    said: Vec<u8>,
) -> Option<Reason> {
    match Opening::from_first_byte(*said.first()?) {
        Opening::Tls => None,
        Opening::Frame => Some(in_the_clear(stream, said).await),
        Opening::Text => Some(Reason::NotSift("it answers with text, as HTTP does".to_owned())),
        Opening::Other => Some(Reason::NotSift("it speaks neither TLS nor Sift".to_owned())),
    }
}

/// Reads the rest of a Failure, and returns why a Sift server answers TLS in the clear.
async fn in_the_clear(stream: &mut (impl AsyncRead + Unpin), mut said: Vec<u8>) -> Reason {
    let rest = async {
        loop {
            if let Some(failure) = failure(&said) {
                return failure;
            }
            if !matches!(stream.read_buf(&mut said).await, Ok(read) if read > 0) {
                return None;
            }
        }
    };
    match tokio::time::timeout(WAIT, rest).await {
        Ok(Some(failure)) => Reason::refused(&failure),
        _ => Reason::EncryptionNotEnabled,
    }
}

/// Decodes the Failure at the start of `said`. Returns `None` if it needs more bytes, and
/// `Some(None)` if the bytes are not a Failure.
fn failure(said: &[u8]) -> Option<Option<Failure>> {
    let header = said.first_chunk::<HEADER_BYTES>()?;
    match Header::decode(*header, FAILURE_BYTES_MAX) {
        Ok(Header { kind: Kind::Failure, body_bytes }) => {
            let body = said.get(HEADER_BYTES..HEADER_BYTES + body_bytes as usize)?;
            Some(Failure::decode(body).ok())
        }
        _ => Some(None),
    }
}
