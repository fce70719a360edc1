//! The floor of a channel: a bare rustls loop sends the bytes of a file, or only makes handshakes.
//! One thread sends and one receives.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedCipherSuite,
};

use sift_proto::cipher;

use crate::Result;
use crate::authority::Authority;

/// The two ends of a bare channel.
#[derive(Clone, Debug)]
pub struct Bare(Option<(Arc<ServerConfig>, Arc<ClientConfig>)>);

trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

impl Bare {
    /// Makes ends that encrypt nothing.
    pub fn plain() -> Self {
        Self(None)
    }

    /// Makes ends with one suite and one group for the key exchange, both by their IANA numbers,
    /// and the certificate of `authority`.
    ///
    /// # Errors
    /// A suite or group that rustls does not have, or a fault in the files.
    pub fn new(authority: &Authority, suite: u16, group: u16) -> Result<Self> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|known| u16::from(known.suite()) == suite);
        provider.kx_groups.retain(|known| u16::from(known.name()) == group);
        let (Some(known), false) = (provider.cipher_suites.first(), provider.kx_groups.is_empty())
        else {
            return Err(format!("rustls has no suite {suite:#06x} with group {group:#06x}").into());
        };
        let versions = [match known {
            SupportedCipherSuite::Tls13(_) => &rustls::version::TLS13,
            SupportedCipherSuite::Tls12(_) => &rustls::version::TLS12,
        }];
        let provider = Arc::new(provider);

        let chain = CertificateDer::pem_file_iter(&authority.server)?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&authority.server)?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // as Sift's server
        server.ticketer = aws_lc_rs::Ticketer::new()?;

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&authority.ca)?)?;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        Ok(Self(Some((Arc::new(server), Arc::new(client)))))
    }

    /// Makes ends whose channels resume the session of an earlier channel.
    #[must_use]
    pub fn resuming(&self) -> Self {
        Self(self.0.as_ref().map(|(server, client)| {
            let mut client = ClientConfig::clone(client);
            client.resumption = Resumption::in_memory_sessions(1);
            (Arc::clone(server), Arc::new(client))
        }))
    }

    /// Returns the two ends of a new channel, which are not connected. `None` if nothing is
    /// encrypted.
    ///
    /// # Errors
    /// The errors of rustls.
    pub fn ends(&self) -> Result<Option<(ServerConnection, ClientConnection)>> {
        let Some((server, client)) = &self.0 else { return Ok(None) };
        let client = ClientConnection::new(Arc::clone(client), ServerName::try_from("localhost")?)?;
        Ok(Some((ServerConnection::new(Arc::clone(server))?, client)))
    }

    /// Makes ends with the parameters of a channel, as `sift channel` names them.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn like(authority: &Authority, cipher: &str, key_exchange: &str) -> Result<Self> {
        let provider = aws_lc_rs::default_provider();
        let suites = provider.cipher_suites.iter().map(|known| u16::from(known.suite()));
        let groups = provider.kx_groups.iter().map(|known| u16::from(known.name()));
        let suite = suites.into_iter().find(|suite| cipher::describe(*suite) == Some(cipher));
        let group = groups.into_iter().find(|group| cipher::group_name(*group) == key_exchange);
        let (Some(suite), Some(group)) = (suite, group) else {
            return Err(format!("rustls has no {cipher} with {key_exchange}").into());
        };
        Self::new(authority, suite, group)
    }

    /// Sends `bytes` bytes of the file at `path` over loopback and discards them at the other end.
    /// If the file ends, it starts again. Returns the time from the request, one byte on an open
    /// channel, to the last byte.
    ///
    /// # Errors
    /// An error of the operating system or of TLS, or missing bytes.
    pub fn transfer(&self, path: &Path, bytes: u64) -> Result<Duration> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let file = File::open(path)?;
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.send(&listener, &file, bytes));
            let received = self.receive(address, bytes);
            sender.join().map_err(|_panic| "the sender panicked")??;
            received
        })
    }

    /// Opens `count` channels over loopback one after the other and closes them. After each
    /// handshake the server sends one byte.
    ///
    /// # Errors
    /// An error of the operating system or of TLS.
    pub fn handshakes(&self, count: u64) -> Result<Duration> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::scope(|scope| {
            let server = scope.spawn(|| (0..count).try_for_each(|_| self.greet(&listener)));
            let start = Instant::now();
            let greeted = (0..count).try_for_each(|_| self.be_greeted(address));
            let time = start.elapsed();
            match greeted {
                Ok(()) => server.join().map_err(|_panic| "the server panicked")??,
                // the server waits for whom nobody is: let it see that they are gone
                Err(error) => {
                    (0..count).for_each(|_| drop(TcpStream::connect(address)));
                    return Err(error);
                }
            }
            Ok(time)
        })
    }

    fn greet(&self, listener: &TcpListener) -> Result<()> {
        let mut stream = self.accept(listener)?;
        stream.write_all(&[1])?;
        Ok(stream.flush()?)
    }

    fn be_greeted(&self, address: SocketAddr) -> Result<()> {
        Ok(self.connect(address)?.read_exact(&mut [0])?)
    }

    fn send(&self, listener: &TcpListener, file: &File, bytes: u64) -> Result<()> {
        let mut stream = self.accept(listener)?;
        stream.read_exact(&mut [0])?;
        let file_bytes = file.metadata()?.len();
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut sent = 0;
        while sent < bytes {
            let offset = sent.checked_rem(file_bytes).ok_or("an empty file")?;
            let left = usize::try_from((bytes - sent).min(file_bytes - offset))?;
            let block = &mut buffer[..left.min(BLOCK_BYTES)];
            file.read_exact_at(block, offset)?;
            stream.write_all(block)?;
            sent += block.len() as u64;
        }
        Ok(stream.flush()?)
    }

    fn receive(&self, address: SocketAddr, wanted: u64) -> Result<Duration> {
        let mut stream = self.connect(address)?;
        stream.flush()?;
        let start = Instant::now();
        stream.write_all(&[1])?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut bytes = 0;
        while bytes < wanted {
            match stream.read(&mut buffer)? {
                0 => return Err(format!("{bytes} of {wanted} bytes came").into()),
                more => bytes += more as u64,
            }
        }
        Ok(start.elapsed())
    }

    fn accept(&self, listener: &TcpListener) -> Result<Box<dyn Duplex>> {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let Some((config, _)) = &self.0 else { return Ok(Box::new(socket)) };
        Ok(Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(config))?, socket)))
    }

    fn connect(&self, address: SocketAddr) -> Result<Box<dyn Duplex>> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let Some((_, config)) = &self.0 else { return Ok(Box::new(socket)) };
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    }
}

/// Passes data between two ends that are not connected, until both have nothing more to send.
///
/// # Errors
/// The errors of rustls.
pub fn pump(server: &mut ServerConnection, client: &mut ClientConnection) -> Result<()> {
    let mut bytes = Vec::new();
    while client.wants_write() || server.wants_write() {
        while client.wants_write() {
            client.write_tls(&mut bytes)?;
        }
        hear(&mut bytes, |heard| server.read_tls(heard))?;
        server.process_new_packets()?;
        while server.wants_write() {
            server.write_tls(&mut bytes)?;
        }
        hear(&mut bytes, |heard| client.read_tls(heard))?;
        client.process_new_packets()?;
    }
    Ok(())
}

fn hear(
    bytes: &mut Vec<u8>,
    mut take: impl FnMut(&mut dyn Read) -> std::io::Result<usize>,
) -> std::io::Result<()> {
    let mut left = &bytes[..];
    while !left.is_empty() {
        take(&mut left)?;
    }
    bytes.clear();
    Ok(())
}

/// The length of the data that an end writes at once; rustls takes 64 KiB at a time.
const BLOCK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use rustls::HandshakeKind;

    use super::*;

    #[test]
    fn every_byte_and_every_greeting_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path()).unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![7; 3 << 20]).unwrap();
        let empty = folder.path().join("empty");
        File::create(&empty).unwrap();
        let tls = |suite, group| Bare::new(&authority, suite, group).unwrap();
        for bare in [Bare::plain(), tls(0x1302, 0x11ec), tls(0xc02b, 0x001d)] {
            for bytes in [0, 1, 3 << 20, 7 << 20] {
                bare.transfer(&path, bytes).unwrap();
            }
            assert!(bare.transfer(&empty, 1).is_err());
            bare.handshakes(2).unwrap();
        }
        assert!(Bare::new(&authority, 0x0005, 0x001d).is_err());
    }

    #[test]
    fn a_session_is_resumed_only_where_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path()).unwrap();
        for (suite, group) in [(0x1302, 0x11ec), (0xc02b, 0x001d)] {
            let bare = Bare::new(&authority, suite, group).unwrap();
            for (bare, kind) in
                [(bare.resuming(), HandshakeKind::Resumed), (bare, HandshakeKind::Full)]
            {
                shake_hands(&bare);
                assert_eq!(shake_hands(&bare), kind);
            }
        }
        assert!(Bare::plain().ends().unwrap().is_none());
    }

    fn shake_hands(bare: &Bare) -> HandshakeKind {
        let (mut server, mut client) = bare.ends().unwrap().unwrap();
        pump(&mut server, &mut client).unwrap();
        client.handshake_kind().unwrap()
    }
}
