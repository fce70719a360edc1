//! Level 2: TLS 1.1 and 1.2 for old peers, by OpenSSL. This file makes a context with exactly the
//! protocols, suites and key exchanges of the level, and reports the result of a handshake.
//!
//! Sessions are not resumed: an old peer that connects rarely does not justify a cache or a ticket
//! key. So the certificate of a client is verified on each of its connections.

use std::path::Path;
use std::pin::Pin;
use std::time::SystemTime;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    AlpnError, Error as SslError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod,
    SslMode, SslOptions, SslRef, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::X509VerifyFlags;
use rustls::pki_types::CertificateDer;
use sift_proto::ALPN;
use sift_proto::cipher;
use sift_proto::identity::Identity;
use sift_proto::level::{Level, Protocol};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use super::pem::{self, ClientFiles};
use super::{Accepted, Negotiated, Offered, TlsOptions};
use crate::error::{CertificateFault, Error};

/// # Errors
/// `Certificate`, `ClientAuthorities`, `RevocationList`, `Random`.
pub(super) fn configure(options: &TlsOptions) -> Result<SslContext, Error> {
    openssl::rand::rand_bytes(&mut [0; 32]).map_err(|_unseeded| Error::Random)?;
    let own = |fault| Error::Certificate { path: options.certificate.clone(), fault };
    let identity = pem::identity(&options.certificate, &options.passphrase).map_err(own)?;
    let mut builder = context(&identity).map_err(|error| own(error.into()))?;
    if let Some(ClientFiles { path, authorities, lists, .. }) = ClientFiles::read(options)? {
        let asking = ask_clients(&mut builder, &authorities);
        asking.map_err(|error| Error::ClientAuthorities { path, fault: error.into() })?;
        for (path, _) in lists {
            let added = revoke(&mut builder, &path);
            added.map_err(|fault| Error::RevocationList { path, fault })?;
        }
    }
    Ok(builder.build())
}

fn context(identity: &Identity) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_1))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    // TLS 1.1 signs with SHA-1 and MD5, which OpenSSL does at its own security level 0 only
    builder.set_cipher_list(&format!("{}:@SECLEVEL=0", cipher::openssl_suites(Level::Two)))?;
    builder.set_groups_list(&cipher::openssl_groups(Level::Two))?;
    builder.set_options(
        SslOptions::NO_TICKET
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::CIPHER_SERVER_PREFERENCE
            // an answer has its own end marker
            | SslOptions::IGNORE_UNEXPECTED_EOF,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::AUTO_RETRY,
    );
    builder.set_alpn_select_callback(|_, offered| choose_alpn(offered));
    for (number, certificate) in identity.chain.iter().enumerate() {
        let certificate = X509::from_der(certificate)?;
        match number {
            0 => builder.set_certificate(&certificate)?,
            _ => builder.add_extra_chain_cert(certificate)?,
        }
    }
    let key = PKey::private_key_from_der(identity.key.secret_der())?;
    builder.set_private_key(&key)?;
    builder.check_private_key()?;
    Ok(builder)
}

fn ask_clients(
    builder: &mut SslContextBuilder,
    authorities: &[CertificateDer<'static>],
) -> Result<(), ErrorStack> {
    for authority in authorities {
        let authority = X509::from_der(authority)?;
        builder.add_client_ca(&authority)?;
        builder.cert_store_mut().add_cert(authority)?;
    }
    // weak signatures are allowed in the handshake, but not in certificates
    builder.verify_param_mut().set_auth_level(CERTIFICATE_SECURITY);
    // a missing certificate is reported on the channel, because there is no alert for it before TLS
    // 1.3
    builder.set_verify(SslVerifyMode::PEER);
    Ok(())
}

/// Refuses the certificates that the revocation lists in a PEM file name. Each authority in a chain
/// needs a list.
fn revoke(builder: &mut SslContextBuilder, path: &Path) -> Result<(), CertificateFault> {
    if path.to_str().is_none() {
        // the OpenSSL binding would panic when it opens the file
        return Err(CertificateFault::OpenSsl("its path is not UTF-8".to_owned()));
    }
    let store = builder.cert_store_mut();
    store.add_lookup(X509Lookup::file())?.load_crl_file(path, SslFiletype::PEM)?;
    store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    Ok(())
}

/// OpenSSL's default security level: RSA of 2048 bits and SHA-2.
const CERTIFICATE_SECURITY: i32 = 2;

fn choose_alpn(mut offered: &[u8]) -> Result<&[u8], AlpnError> {
    while let Some((length, rest)) = offered.split_first() {
        let Some((name, rest)) = rest.split_at_checked(usize::from(*length)) else { break };
        if name == ALPN {
            return Ok(name);
        }
        offered = rest;
    }
    Err(AlpnError::ALERT_FATAL)
}

pub(super) async fn accept(
    context: SslContext,
    tcp: TcpStream,
    now: SystemTime,
    offered: Offered,
) -> Result<Accepted, String> {
    let stream = Ssl::new(&context).and_then(|mut ssl| {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        ssl.param_mut().set_time(now.try_into().unwrap_or_default());
        SslStream::new(ssl, tcp)
    });
    let mut stream = stream.map_err(|error| error.to_string())?;
    if let Err(error) = Pin::new(&mut stream).accept().await {
        let fault = fault(&error, stream.ssl(), Level::Two, offered.protocols.as_deref());
        // the alert has been written
        super::close(stream.get_mut()).await;
        return Err(fault);
    }
    let ssl = stream.ssl();
    let negotiated = negotiated(ssl, &offered.groups)
        .ok_or_else(|| "it ended without a cipher of the level".to_owned())?;
    let client_certificate = match ssl.peer_certificate() {
        None => None,
        Some(certificate) => Some(certificate.to_der().map_err(|error| error.to_string())?),
    };
    Ok(Accepted { stream: Box::new(stream), negotiated, client_certificate })
}

fn negotiated(ssl: &SslRef, groups_offered: &[u16]) -> Option<Negotiated> {
    let protocol = match ssl.version2()? {
        SslVersion::TLS1_1 => Protocol::Tls11,
        SslVersion::TLS1_2 => Protocol::Tls12,
        _ => return None,
    };
    let suite = u16::from_be_bytes(ssl.current_cipher()?.protocol_id());
    // OpenSSL does not report the group: it takes the first of its own groups that the client has
    let mut own = Level::Two.groups(protocol).iter();
    let group = own.find(|group| groups_offered.contains(group)).copied();
    Level::Two.permits(protocol, suite, group).then_some(Negotiated { protocol, suite, group })
}

/// The base of OpenSSL's reason codes for received alerts; the alert's number is added to it.
const ALERT_REASONS: i32 = 1000;

/// `X509_V_ERR_CERT_REVOKED`
const CERTIFICATE_REVOKED: i32 = 23;

/// Returns an explanation of a handshake's error for an administrator.
fn fault(error: &SslError, ssl: &SslRef, level: Level, offered: Option<&str>) -> String {
    let errors = error.ssl_error().map(ErrorStack::errors).unwrap_or_default();
    let Some(first) = errors.first() else {
        return match error.io_error() {
            Some(error) => error.to_string(),
            None => "the client closed the connection".to_owned(),
        };
    };
    if let Ok(alert) = u8::try_from(first.reason_code() - ALERT_REASONS) {
        return super::alert_fault(alert);
    }
    // the error of a signature comes before it in the list
    if errors.iter().any(|error| error.reason() == Some("certificate verify failed")) {
        let reason = match ssl.verify_result() {
            // no issuer, self-signed, or a wrong signature
            result if matches!(result.as_raw(), 2 | 7 | 18..=21) => super::UNKNOWN_AUTHORITY,
            result if result.as_raw() == CERTIFICATE_REVOKED => super::REVOKED,
            result => result.error_string(),
        };
        return format!("the client's certificate is refused: {reason}");
    }
    match first.reason().unwrap_or_default() {
        "unsupported protocol" | "version too low" | "inappropriate fallback" => {
            super::no_protocol_in_common(level, offered)
        }
        "no shared cipher" => format!("no cipher or key exchange in common at level {level}"),
        "no application protocol" => super::NO_ALPN.to_owned(),
        "unexpected eof while reading" => "the client closed the connection".to_owned(),
        "" => error.to_string(),
        reason => reason.to_owned(),
    }
}

impl From<ErrorStack> for CertificateFault {
    fn from(error: ErrorStack) -> Self {
        let reasons: Vec<&str> = error.errors().iter().filter_map(|error| error.reason()).collect();
        Self::OpenSsl(reasons.join(", "))
    }
}
