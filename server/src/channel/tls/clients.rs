//! The verification of a client's certificate with the authorities and the revocation lists of a
//! listener, and the time until which the verdict is valid.
//!
//! rustls verifies a chain up to an authority, but does not look at the authority's own dates. Here
//! an authority outside its dates does not count.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, OtherError, RootCertStore};
use sift_proto::crl::RevocationList;
use sift_proto::der::DerError;
use sift_proto::x509::Certificate;

use super::pem::{self, ClientFiles};
use super::{ClientCertificates, TlsOptions};
use crate::error::{CertificateFault, Error};

/// Verifies the certificates of a listener's clients.
#[derive(Debug)]
pub(super) struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    maker: Maker,
    /// The first and the last second of each authority's validity, since 1970.
    spans: Vec<(u64, u64)>,
    /// The earliest end of a revocation list.
    lists_end: u64,
    /// A verifier with only some of the authorities, and which authorities it has.
    partial: Mutex<Option<Partial>>,
}

type Partial = (Vec<bool>, Arc<dyn ClientCertVerifier>);

/// The parts of a verifier.
#[derive(Debug)]
struct Maker {
    authorities: Vec<CertificateDer<'static>>,
    lists: Vec<CertificateRevocationListDer<'static>>,
    asked: ClientCertificates,
    provider: Arc<CryptoProvider>,
}

/// A revocation list that does not decide about a certificate. The text is for an administrator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unknown(String);

impl Clients {
    /// # Errors
    /// `ClientAuthorities`, `RevocationList`.
    pub(super) fn load(
        options: &TlsOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>, Error> {
        let Some(files) = ClientFiles::read(options)? else { return Ok(None) };
        let ClientFiles { path, authorities, lists, asked } = files;
        let mut maker =
            Maker { authorities, lists: Vec::new(), asked, provider: Arc::clone(provider) };
        let theirs = |fault| Error::ClientAuthorities { path: path.clone(), fault };
        let mut verifier = maker.verifier(|_| true).map_err(theirs)?;
        let spans = maker.authorities.iter().zip(1..).map(|(der, number)| {
            // rustls takes an authority whose dates cannot be read, which would never expire
            span(der).map_err(|error| theirs(CertificateFault::Authority { number, error }))
        });
        let spans = spans.collect::<Result<_, _>>()?;
        for (path, lists) in lists {
            maker.lists.extend(lists);
            verifier =
                maker.verifier(|_| true).map_err(|fault| Error::RevocationList { path, fault })?;
        }
        let ends = maker.lists.iter().map(|der| list_end(der));
        let lists_end = ends.min().unwrap_or(u64::MAX);
        Ok(Some(Self { verifier, maker, spans, lists_end, partial: Mutex::new(None) }))
    }

    pub(super) fn verifier(&self) -> &dyn ClientCertVerifier {
        &*self.verifier
    }

    /// Verifies a chain at the time `now`. The verdict is valid until the returned second, unless
    /// other files are loaded.
    pub(super) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<u64, rustls::Error> {
        let verify = |verifier: &dyn ClientCertVerifier| {
            verifier.verify_client_cert(end_entity, intermediates, now).map_err(told)
        };
        verify(&*self.verifier)?;
        let seconds = now.as_secs();
        let valid: Vec<bool> =
            self.spans.iter().map(|(start, end)| (*start..=*end).contains(&seconds)).collect();
        if valid.contains(&false) {
            let with_valid = self.partial(valid.clone()).map_err(rustls::Error::from)?;
            verify(&*with_valid).map_err(|error| match error {
                rustls::Error::InvalidCertificate(
                    CertificateError::UnknownIssuer | CertificateError::BadSignature,
                ) => CertificateError::Expired.into(),
                other => other,
            })?;
        }
        let authorities = self.spans.iter().zip(valid);
        let authorities = authorities.filter_map(|((_, end), valid)| valid.then_some(*end));
        let chain = std::iter::once(end_entity).chain(intermediates);
        // a certificate without dates has a verdict for this handshake only
        let chain = chain.map(|der| span(der).map_or(0, |(_, end)| end));
        Ok(chain.chain(authorities).min().unwrap_or(seconds).min(self.lists_end))
    }

    /// Returns the verifier with the authorities that are `valid`. The verifier that was made last
    /// is cached.
    fn partial(&self, valid: Vec<bool>) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
        let mut cached = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((with, verifier)) = &*cached
            && *with == valid
        {
            return Ok(Arc::clone(verifier));
        }
        let made = self.maker.verifier(|number| valid.get(number) == Some(&true));
        // a verifier needs at least one authority
        let verifier = made.map_err(|_no_authority| CertificateError::Expired)?;
        *cached = Some((valid, Arc::clone(&verifier)));
        Ok(verifier)
    }
}

impl Maker {
    fn verifier(
        &self,
        with: impl Fn(usize) -> bool,
    ) -> Result<Arc<dyn ClientCertVerifier>, CertificateFault> {
        let mut roots = RootCertStore::empty();
        for (number, authority) in self.authorities.iter().enumerate() {
            if with(number) {
                roots.add(authority.clone())?;
            }
        }
        let provider = Arc::clone(&self.provider);
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(self.lists.iter().cloned())
            .enforce_revocation_expiration();
        let builder = match self.asked {
            ClientCertificates::Required => builder,
            ClientCertificates::Optional => builder.allow_unauthenticated(),
        };
        builder.build().map_err(|error| CertificateFault::ClientVerifier(error.to_string()))
    }
}

/// Turns a fault of a revocation list into an error whose alert does not mention the client's
/// authority. The client cannot repair such a fault.
fn told(error: rustls::Error) -> rustls::Error {
    let text = match &error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownRevocationStatus) => {
            "client_crl has no revocation list of an authority in its chain".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::ExpiredRevocationListContext {
            next_update,
            ..
        }) => {
            let end = sift_proto::x509::time_text(next_update.as_secs());
            format!("the revocation list of its authority in client_crl ended on {end}")
        }
        rustls::Error::InvalidCertRevocationList(fault) => {
            format!("the revocation list of its authority in client_crl is not good: {fault:?}")
        }
        _ => return error,
    };
    CertificateError::Other(OtherError(Arc::new(Unknown(text)))).into()
}

/// Returns the first and the last second of a certificate's validity.
///
/// # Errors
/// The certificate does not parse.
pub(super) fn span(der: &[u8]) -> Result<(u64, u64), DerError> {
    let certificate = Certificate::parse(der)?;
    Ok((pem::seconds(certificate.not_before), pem::seconds(certificate.not_after)))
}

fn list_end(der: &[u8]) -> u64 {
    let list = RevocationList::parse(der);
    list.ok().and_then(|list| list.next_update).map_or(0, pem::seconds)
}
