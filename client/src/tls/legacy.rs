//! Level 2 by OpenSSL: TLS 1.1 and 1.2 for old servers, with exactly the requested protocols,
//! suites and key exchanges. Sessions are not resumed, because the server does not resume them
//! either.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::ssl::{
    Error as SslError, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslVerifyMode, SslVersion,
};
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use sift_proto::ALPN;
use sift_proto::cipher;
use sift_proto::identity::Identity;
use sift_proto::level::{Level, Protocol};
use sift_proto::x509::Certificate;
use tokio_openssl::SslStream;

use super::refused::{self, Cause};
use super::{Agreed, Asked, names, trust};
use crate::channel::Negotiated;
use crate::error::{Error, Reason, Result, Usage, printable};
use crate::options::{ConnectOptions, Host, Roots};
use crate::transport::{FirstBytes, Transport};

/// Encrypts connections.
pub(crate) struct Connector {
    context: SslContext,
    roots: Roots,
    name: String,
    asked: Asked,
}

/// The server's certificate, and the certificate in its chain that was refused, both DER. OpenSSL
/// frees them when the handshake fails.
type Refused = Arc<OnceLock<(Vec<u8>, Vec<u8>)>>;

impl Connector {
    /// # Errors
    /// `Local` or `Usage` about suites, authorities, certificate or name.
    pub(super) fn new(options: &ConnectOptions, host: &Host) -> Result<Self> {
        let name = options.server_name.as_ref().unwrap_or(&host.name).clone();
        let setup = |error: ErrorStack| Error::from(Usage::Tls(reasons(&error)));
        let asked = Asked::of(options)?;
        let mut builder = context(&asked).map_err(setup)?;
        for authority in trust::authorities(&options.roots)? {
            let added = X509::from_der(&authority)
                .and_then(|authority| builder.cert_store_mut().add_cert(authority));
            // the platform's list has certificates that no library accepts
            if let (Err(error), Roots::File(path)) = (added, &options.roots) {
                let source = trust::invalid(reasons(&error));
                return Err(Error::local("use a certificate", path, source));
            }
        }
        if let Some(own) = &options.identity {
            let identity = trust::identity(own)?;
            show(&mut builder, &identity).map_err(|error| {
                let source = trust::invalid(reasons(&error));
                Error::local("use a client certificate", &own.path, source)
            })?;
        }
        let context = builder.build();
        let mut trial = Ssl::new(&context).map_err(setup)?;
        expect(&mut trial, &name).map_err(|_invalid| Usage::ServerName(name.clone()))?;
        Ok(Self { context, roots: options.roots.clone(), name, asked })
    }

    pub(super) async fn connect(
        &self,
        first: FirstBytes,
    ) -> Result<(Transport, Negotiated), Reason> {
        let failed = |error: ErrorStack| Reason::Handshake(reasons(&error));
        let mut ssl = Ssl::new(&self.context).map_err(failed)?;
        expect(&mut ssl, &self.name).map_err(failed)?;
        let refused = remember_refused(&mut ssl);
        let mut stream = SslStream::new(ssl, first).map_err(failed)?;
        if let Err(error) = Pin::new(&mut stream).connect().await {
            let refused = refused.get().cloned().unwrap_or_default();
            let reason = self.reason(error, stream.ssl(), refused);
            return Err(super::failed(stream.get_mut(), reason).await);
        }
        stream.get_mut().forget();
        let ssl = stream.ssl();
        let protocol = match ssl.version2() {
            Some(SslVersion::TLS1_1) => Protocol::Tls11,
            Some(SslVersion::TLS1_2) => Protocol::Tls12,
            _ => {
                let got = ssl.version_str().to_owned();
                return Err(Reason::LevelNotMet { level: self.asked.level, got });
            }
        };
        let suite = ssl.current_cipher().map_or([0; 2], |cipher| cipher.protocol_id());
        let group = ssl.peer_tmp_key().ok().and_then(|key| group(&key));
        let certificate = ssl.peer_certificate().and_then(|certificate| certificate.to_der().ok());
        let negotiated = self.asked.agreed(Agreed {
            protocol,
            suite: u16::from_be_bytes(suite),
            group,
            alpn: ssl.selected_alpn_protocol(),
            server_certificate: certificate.as_deref(),
            resumed: ssl.session_reused(),
        })?;
        Ok((Box::new(stream), negotiated))
    }

    /// Translates the error of a failed handshake into a reason. `refused` contains the server's
    /// certificate and the certificate that caused the failure.
    fn reason(&self, error: SslError, ssl: &SslRef, refused: (Vec<u8>, Vec<u8>)) -> Reason {
        let Some(stack) = error.ssl_error() else {
            return match error.into_io_error() {
                Ok(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                    Reason::Io(error)
                }
                _ => Reason::Closed,
            };
        };
        let first = stack.errors().first();
        let code = first.map_or(0, openssl::error::Error::reason_code);
        let text = first.and_then(openssl::error::Error::reason).unwrap_or_default();
        if let Ok(alert) = u8::try_from(code - ALERT_REASONS) {
            return self.asked.alert(alert, text);
        }
        // an error about a signature may precede it in the list
        if stack.errors().iter().any(|error| error.reason() == Some("certificate verify failed")) {
            let (own, failed) = refused;
            let cause = cause(ssl.verify_result(), &self.name, &failed);
            return refused::reason(cause, &own, &self.roots);
        }
        match text {
            "unsupported protocol"
            | "version too low"
            | "no protocols available"
            | "wrong cipher returned"
            | "unknown cipher returned" => self.asked.nothing_in_common(text),
            "unexpected eof while reading" => Reason::Closed,
            _ => Reason::Handshake(printable(&reasons(stack))),
        }
    }
}

/// Translates the verdict on the server's certificate. The numbers are OpenSSL's `X509_V_ERR_...`.
fn cause(result: X509VerifyResult, name: &str, failed: &[u8]) -> Cause {
    let failed = Certificate::parse(failed).ok();
    let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
    match result.as_raw() {
        // no issuer, self-signed, or a signature that is not from the issuer
        2 | 7 | 18 | 19 | 20 | 21 => Cause::UnknownAuthority,
        9 => Cause::NotValidYet(failed.map(|failed| seconds(failed.not_before.timestamp()))),
        10 => Cause::Expired(failed.map(|failed| seconds(failed.not_after.timestamp()))),
        62 | 64 => Cause::WrongName(name.to_owned()),
        _ => Cause::Other(result.error_string().to_owned()),
    }
}

fn context(asked: &Asked) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_1))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    // TLS 1.1 signs with SHA-1 and MD5, which OpenSSL does at its own security level 0 only
    let suites = names(&asked.suites).replace(", ", ":");
    builder.set_cipher_list(&format!("{suites}:@SECLEVEL=0"))?;
    builder.set_groups_list(&cipher::openssl_groups(Level::Two))?;
    builder.set_options(
        SslOptions::NO_TICKET
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            // an answer has an end marker of its own
            | SslOptions::IGNORE_UNEXPECTED_EOF,
    );
    builder.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::AUTO_RETRY,
    );
    let length = u8::try_from(ALPN.len()).unwrap_or_default();
    builder.set_alpn_protos(&[&[length], ALPN].concat())?;
    // an old protocol does not need weak certificates
    builder.verify_param_mut().set_auth_level(CERTIFICATE_SECURITY);
    builder.set_verify(SslVerifyMode::PEER);
    Ok(builder)
}

/// The security level for certificates. It is OpenSSL's default: RSA of 2048 bits and SHA-2.
const CERTIFICATE_SECURITY: i32 = 2;

fn show(builder: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    for (number, certificate) in identity.chain.iter().enumerate() {
        let certificate = X509::from_der(certificate)?;
        match number {
            0 => builder.set_certificate(&certificate)?,
            _ => builder.add_extra_chain_cert(certificate)?,
        }
    }
    let key = PKey::private_key_from_der(identity.key.secret_der())?;
    builder.set_private_key(&key)?;
    builder.check_private_key()
}

/// Sets the name or the address that the server's certificate must have.
fn expect(ssl: &mut Ssl, name: &str) -> Result<(), ErrorStack> {
    match name.parse::<IpAddr>() {
        Ok(address) => ssl.param_mut().set_ip(address),
        Err(_a_name) => {
            ssl.set_hostname(name)?;
            let param = ssl.param_mut();
            param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            param.set_host(name)
        }
    }
}

fn remember_refused(ssl: &mut Ssl) -> Refused {
    let refused = Refused::default();
    let remembered = Arc::clone(&refused);
    ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
        if !good {
            let der = |found: Option<&X509Ref>| found.and_then(|found| found.to_der().ok());
            let own = context.chain().and_then(|chain| chain.get(0));
            let refused = (der(own), der(context.current_cert()));
            // the handshake fails because of the first one
            let _ = remembered.set((refused.0.unwrap_or_default(), refused.1.unwrap_or_default()));
        }
        good
    });
    refused
}

/// Returns IANA's number of the group of a key exchange's key.
fn group(key: &PKey<Public>) -> Option<u16> {
    match key.id() {
        Id::X25519 => Some(0x001d),
        Id::EC => match key.ec_key().ok()?.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => Some(0x0017),
            Nid::SECP384R1 => Some(0x0018),
            _ => None,
        },
        _ => None,
    }
}

/// The base of OpenSSL's reason codes for received alerts: the number of the alert is added to it.
const ALERT_REASONS: i32 = 1000;

fn reasons(stack: &ErrorStack) -> String {
    let reasons: Vec<&str> = stack.errors().iter().filter_map(|error| error.reason()).collect();
    if reasons.is_empty() { "OpenSSL does not say why".to_owned() } else { reasons.join(", ") }
}
