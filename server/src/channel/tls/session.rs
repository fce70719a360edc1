//! The resumption of one connection's session. A ticket contains the time in which the verdict of
//! the full handshake is valid, and no ticket is accepted outside that time.
//!
//! A resumed session has the certificates of its first handshake, and rustls does not verify them
//! again. So each ticket begins with the time of that first handshake and with the end of its
//! verdict. The end is the earliest end of both chains, of the client's authorities and of their
//! revocation lists, and at most one day after the handshake. A resumed connection writes the same
//! bounds into its own tickets. A ticket outside its bounds is not decrypted: the handshake becomes
//! a full one, which verifies the certificate again. A ticket is decrypted only with the
//! configuration that encrypted it, so a reload of the files ends all tickets.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use super::clients::Clients;
use super::clock::Clock;

/// The longest time from a full handshake to the last handshake that resumes its session.
const RESUMPTION_SECONDS_MAX: u64 = 24 * 3600;

/// The tickets and the verifier of one connection.
#[derive(Debug)]
pub(super) struct Session {
    clients: Option<Arc<Clients>>,
    tickets: Arc<dyn ProducesTickets>,
    clock: Clock,
    /// The end of the server's own chain, in seconds since 1970.
    own_end: u64,
    /// The bounds of the full handshake, after they are known.
    bounds: Mutex<Option<Bounds>>,
}

/// The first and the last second for which a verdict is valid, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    start: u64,
    end: u64,
}

impl Session {
    pub(super) fn new(
        clients: Option<Arc<Clients>>,
        tickets: Arc<dyn ProducesTickets>,
        clock: Clock,
        own_end: u64,
    ) -> Self {
        Self { clients, tickets, clock, own_end, bounds: Mutex::new(None) }
    }

    fn verifier(&self) -> Option<&dyn ClientCertVerifier> {
        self.clients.as_deref().map(Clients::verifier)
    }

    fn set(&self, bounds: Bounds) {
        *self.bounds.lock().unwrap_or_else(PoisonError::into_inner) = Some(bounds);
    }

    /// Returns the known bounds, or the bounds for a client without a certificate.
    fn bounds(&self, now: u64) -> Bounds {
        let known = *self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        known.unwrap_or_else(|| Bounds::after(now, self.own_end))
    }

    fn now(&self) -> Option<u64> {
        self.clock.current_time().map(|now| now.as_secs())
    }
}

impl Bounds {
    /// Returns the bounds after a full handshake at `start` whose verdict is valid until `end`.
    fn after(start: u64, end: u64) -> Self {
        Self { start, end: end.min(start.saturating_add(RESUMPTION_SECONDS_MAX)) }
    }

    fn contain(self, now: u64) -> bool {
        (self.start..=self.end).contains(&now)
    }
}

impl ProducesTickets for Session {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    /// Ends with the bounds: a client has no use for a ticket that would be refused.
    fn lifetime(&self) -> u32 {
        let left = self.now().map_or(0, |now| self.bounds(now).end.saturating_sub(now));
        self.tickets.lifetime().min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let now = self.now()?;
        let bounds = self.bounds(now);
        if !bounds.contain(now) {
            return None;
        }
        let Bounds { start, end } = bounds;
        self.tickets.encrypt(&[&start.to_be_bytes()[..], &end.to_be_bytes(), plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.tickets.decrypt(cipher)?;
        let (start, rest) = plain.split_first_chunk()?;
        let (end, rest) = rest.split_first_chunk()?;
        let bounds = Bounds { start: u64::from_be_bytes(*start), end: u64::from_be_bytes(*end) };
        if !bounds.contain(self.now()?) {
            return None;
        }
        self.set(bounds);
        Some(rest.to_vec())
    }
}

/// The verifier of the listener's clients. It stores the bounds of its verdict.
impl ClientCertVerifier for Session {
    fn offer_client_auth(&self) -> bool {
        self.verifier().is_some_and(ClientCertVerifier::offer_client_auth)
    }

    fn client_auth_mandatory(&self) -> bool {
        self.verifier().is_some_and(ClientCertVerifier::client_auth_mandatory)
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier().map_or(&[], ClientCertVerifier::root_hint_subjects)
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let clients = self.clients.as_deref().ok_or(rustls::Error::NoCertificatesPresented)?;
        let end = clients.verify(end_entity, intermediates, now)?;
        self.set(Bounds::after(now.as_secs(), end.min(self.own_end)));
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.verifier().ok_or(rustls::Error::NoCertificatesPresented)?;
        verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = self.verifier().ok_or(rustls::Error::NoCertificatesPresented)?;
        verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().map(ClientCertVerifier::supported_verify_schemes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, UNIX_EPOCH};

    use rustls::crypto::aws_lc_rs;

    use super::*;

    #[test]
    fn a_chain_of_tickets_ends_a_day_after_its_first() {
        let time = Arc::new(AtomicU64::new(1_000_000));
        let shown = Arc::clone(&time);
        let clock =
            Clock::new(move || UNIX_EPOCH + Duration::from_secs(shown.load(Ordering::Relaxed)));
        let tickets = aws_lc_rs::Ticketer::new().unwrap();
        let connection = || Session::new(None, Arc::clone(&tickets), clock.clone(), u64::MAX);
        let mut ticket = connection().encrypt(b"a session").unwrap();
        for hours in 1..=24 {
            time.store(1_000_000 + hours * 3600, Ordering::Relaxed);
            let resumed = connection();
            assert_eq!(resumed.decrypt(&ticket).unwrap(), b"a session");
            assert!(u64::from(resumed.lifetime()) <= (24 - hours) * 3600);
            ticket = resumed.encrypt(b"a session").unwrap();
        }
        time.fetch_add(1, Ordering::Relaxed);
        let late = connection();
        assert!(late.decrypt(&ticket).is_none());
        // the next handshake is a full one with its own bounds
        let ticket = late.encrypt(b"a session").unwrap();
        time.fetch_add(RESUMPTION_SECONDS_MAX, Ordering::Relaxed);
        assert!(connection().decrypt(&ticket).is_some());
        // after the clock is set back, that handshake is in the future
        time.store(999_999, Ordering::Relaxed);
        assert!(connection().decrypt(&ticket).is_none());
        assert!(connection().decrypt(b"").is_none());
    }

    #[test]
    fn a_ticket_ends_with_what_was_verified() {
        assert_eq!(Bounds::after(10, 20), Bounds { start: 10, end: 20 });
        assert_eq!(Bounds::after(10, u64::MAX).end, 10 + RESUMPTION_SECONDS_MAX);
        assert!(Bounds::after(10, 20).contain(20) && !Bounds::after(10, 20).contain(21));
        assert!(!Bounds::after(10, 5).contain(10));
    }
}
