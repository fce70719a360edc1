//! A file sent through TLS by a bare rustls loop: one thread sends, one receives.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedCipherSuite,
};

use crate::Result;
use crate::authority::Authority;

/// Both ends of a bare TLS 1.3 channel with AES-256-GCM.
#[derive(Clone, Debug)]
pub struct Bare {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Bare {
    /// With the certificate of `authority`.
    ///
    /// # Errors
    /// What is wrong with its files.
    pub fn new(authority: &Authority) -> Result<Self> {
        let suite: SupportedCipherSuite = aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384;
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites = vec![suite];
        let provider = Arc::new(provider);
        let versions = [&rustls::version::TLS13];

        let chain = CertificateDer::pem_file_iter(&authority.server)?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&authority.server)?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&authority.ca)?)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }

    /// Sends the file at `path` over loopback and throws it away at the other end; gives the time
    /// from the request, one byte on an open channel, to the last byte.
    ///
    /// # Errors
    /// What the operating system or TLS says, or that bytes went missing.
    pub fn transfer(&self, path: &Path) -> Result<Duration> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.send(&listener, &file, file_bytes));
            let received = self.receive(TcpStream::connect(address)?);
            sender.join().map_err(|_panic| "the sender panicked")??;
            let (time, bytes) = received?;
            if bytes != file_bytes {
                return Err(format!("{bytes} of {file_bytes} bytes came").into());
            }
            Ok(time)
        })
    }

    fn send(&self, listener: &TcpListener, file: &File, file_bytes: u64) -> Result<()> {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let connection = ServerConnection::new(Arc::clone(&self.server))?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.read_exact(&mut [0])?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut offset = 0;
        while offset < file_bytes {
            let left = usize::try_from(file_bytes - offset).unwrap_or(usize::MAX);
            let block = &mut buffer[..left.min(BLOCK_BYTES)];
            file.read_exact_at(block, offset)?;
            stream.write_all(block)?;
            offset += block.len() as u64;
        }
        stream.conn.send_close_notify();
        Ok(stream.flush()?)
    }

    fn receive(&self, socket: TcpStream) -> Result<(Duration, u64)> {
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(Arc::clone(&self.client), name)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.flush()?;
        let start = Instant::now();
        stream.write_all(&[1])?;
        let mut buffer = vec![0; BLOCK_BYTES];
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok((start.elapsed(), bytes)),
                more => bytes += more as u64,
            }
        }
    }
}

/// What either end hands over at once; rustls takes 64 KiB of it at a time.
const BLOCK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let bare = Bare::new(&Authority::create(folder.path()).unwrap()).unwrap();
        let path = folder.path().join("file");
        for bytes in [0, 1, 3 << 20] {
            std::fs::write(&path, vec![7; bytes]).unwrap();
            bare.transfer(&path).unwrap();
        }
    }
}
