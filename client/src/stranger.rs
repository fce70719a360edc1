//! Who it is that answers a TLS client and does not speak TLS: a Sift server in the clear, a web
//! server, anybody.

use std::time::Duration;

use prost::Message;
use sift_proto::frame::{HEADER_BYTES, Header, Kind, Opening};
use sift_proto::message::Failure;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::Reason;

/// How long a failed handshake waits for the rest of what the peer has to say.
const WAIT: Duration = Duration::from_secs(2);

/// Most bytes of a Failure that tells why a handshake failed.
const FAILURE_BYTES_MAX: u32 = 4096;

/// What a peer is that began with the bytes `said`; `None` where it spoke TLS, or nothing.
pub(crate) async fn meet(stream: &mut (impl AsyncRead + Unpin), said: Vec<u8>) -> Option<Reason> {
    match Opening::from_first_byte(*said.first()?) {
        Opening::Tls => None,
        Opening::Frame => Some(in_the_clear(stream, said).await),
        Opening::Text => Some(Reason::NotSift("it answers with text, as HTTP does".to_owned())),
        Opening::Other => Some(Reason::NotSift("it speaks neither TLS nor Sift".to_owned())),
    }
}

/// Why a Sift server answers in the clear where TLS was spoken: reads the rest of its Failure.
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

/// The Failure at the start of `said`: `None` when it needs more bytes, `Some(None)` when it is none.
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
