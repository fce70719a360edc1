//! The parts of a ClientHello that the TLS libraries do not report: the protocols, for the log line
//! of a failed handshake, and the groups, from which the library chose one.
//!
//! A sans-I/O parser of the first bytes of a connection. They come from anybody: everything except
//! a complete and valid ClientHello gives `None`. RFC 8446, 4.1.2, 4.2.1 and 4.2.7.

use sift_proto::cursor::ByteCursor;

/// The offers of a client.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    /// The protocols, for example `TLSv1.1, TLSv1.2`.
    pub(crate) protocols: Option<String>,
    /// The key exchange groups, by IANA's numbers; empty if the client does not name any.
    #[cfg_attr(
        not(feature = "legacy-tls"),
        allow(dead_code, reason = "rustls itself tells which one was taken")
    )]
    pub(crate) groups: Vec<u16>,
}

/// Returns the offers, if `bytes` begin with a complete ClientHello.
pub(crate) fn offered(bytes: &[u8]) -> Option<Offered> {
    let mut record = ByteCursor::new(bytes);
    if record.u8()? != HANDSHAKE_RECORD {
        return None;
    }
    record.take(2)?;
    let length = record.u16()?;
    let mut handshake = ByteCursor::new(record.take(length.into())?);
    if handshake.u8()? != CLIENT_HELLO {
        return None;
    }
    handshake.take(3)?;
    let legacy = handshake.u16()?;
    handshake.take(32)?;
    let session = handshake.u8()?;
    handshake.take(session.into())?;
    let suites = handshake.u16()?;
    handshake.take(suites.into())?;
    let compressions = handshake.u8()?;
    handshake.take(compressions.into())?;

    let (mut versions, mut groups) = (vec![legacy], Vec::new());
    let length = handshake.u16().unwrap_or(0);
    let mut extensions = ByteCursor::new(handshake.take(length.into())?);
    while let Some((kind, body)) = extension(&mut extensions) {
        match kind {
            SUPPORTED_VERSIONS => versions = numbers(body.split_first()?.1, VERSIONS_MAX),
            SUPPORTED_GROUPS => groups = numbers(body.get(2..)?, GROUPS_MAX),
            _ => {}
        }
    }
    let names: Vec<String> =
        versions.iter().filter(|v| !is_grease(**v)).map(|v| name(*v)).collect();
    Some(Offered { protocols: Some(names.join(", ")), groups })
}

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SUPPORTED_GROUPS: u16 = 10;
const SUPPORTED_VERSIONS: u16 = 43;

/// The maximal number of versions and groups to read. More do not exist.
const VERSIONS_MAX: usize = 8;
const GROUPS_MAX: usize = 64;

fn extension<'a>(extensions: &mut ByteCursor<'a>) -> Option<(u16, &'a [u8])> {
    let kind = extensions.u16()?;
    let length = extensions.u16()?;
    Some((kind, extensions.take(length.into())?))
}

fn numbers(list: &[u8], numbers_max: usize) -> Vec<u16> {
    let mut list = ByteCursor::new(list);
    std::iter::from_fn(|| list.u16()).take(numbers_max).collect()
}

/// Returns whether the value is one that clients send to keep servers tolerant. RFC 8701.
fn is_grease(version: u16) -> bool {
    version & 0x0f0f == 0x0a0a
}

fn name(version: u16) -> String {
    match version {
        0x0300 => "SSLv3".to_owned(),
        0x0301 => "TLSv1.0".to_owned(),
        0x0302 => "TLSv1.1".to_owned(),
        0x0303 => "TLSv1.2".to_owned(),
        0x0304 => "TLSv1.3".to_owned(),
        other => format!("{other:#06x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with one suite and the given extensions.
    fn hello(legacy: u16, extensions: &[u8]) -> Vec<u8> {
        let mut body = legacy.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        if !extensions.is_empty() {
            body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
            body.extend(extensions);
        }
        let mut message = vec![1, 0];
        message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend(body);
        let mut record = vec![22, 3, 1];
        record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        record.extend(message);
        record
    }

    #[test]
    fn old_clients_have_one_version() {
        let offered = offered(&hello(0x0302, &[])).unwrap();
        assert_eq!(offered.protocols.unwrap(), "TLSv1.1");
        assert_eq!(offered.groups, [0; 0]);
    }

    #[test]
    fn new_clients_list_them() {
        let versions = [0, 43, 0, 7, 6, 0x1a, 0x1a, 3, 4, 3, 3];
        let groups = [0, 10, 0, 6, 0, 4, 0, 0x17, 0, 0x1d];
        let offered = offered(&hello(0x0303, &[&groups[..], &versions].concat())).unwrap();
        assert_eq!(offered.protocols.unwrap(), "TLSv1.3, TLSv1.2");
        assert_eq!(offered.groups, [0x17, 0x1d]);
    }

    #[test]
    fn no_prefix_and_no_change_of_a_byte_panics() {
        let whole = hello(0x0303, &[0, 43, 0, 3, 2, 3, 4]);
        for end in 0..whole.len() {
            offered(&whole[..end]);
        }
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[at] = byte;
                offered(&changed);
            }
        }
        assert!(offered(&whole[..whole.len() - 1]).is_none());
    }
}
