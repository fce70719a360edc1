//! Client certificates with a clock that the test sets: their ends, and the ends of their
//! authorities and revocation lists, for new and for resumed sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use sift_client::{ConnectOptions, Connection, Roots};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_server::{ClientCertificates, Clock, LEVELS, Limits, TlsOptions};
use tokio::io::AsyncReadExt;

use crate::client_certificates::showing;
use crate::fixture::{Fixture, Served};
use crate::peer::{client_with, hello, tls_channel};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The server's clock, which starts at the time of this machine.
#[derive(Clone)]
struct Time {
    start: SystemTime,
    passed: Arc<AtomicU64>,
}

impl Time {
    fn new() -> Self {
        // the times in certificates are whole seconds
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let start = UNIX_EPOCH + Duration::from_secs(seconds);
        Self { start, passed: Arc::default() }
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || time.at(time.passed.load(Ordering::Relaxed)))
    }

    fn at(&self, seconds: u64) -> SystemTime {
        self.start + Duration::from_secs(seconds)
    }

    fn set(&self, seconds: u64) {
        self.passed.store(seconds, Ordering::Relaxed);
    }

    /// Returns a change of the parameters that sets the end to `seconds` after the start.
    fn ends(&self, seconds: u64) -> impl FnOnce(&mut CertificateParams) {
        let end = self.at(seconds).into();
        move |params| params.not_after = end
    }
}

fn options(fixture: &Fixture, time: &Time) -> TlsOptions {
    TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Required)
        .clock(time.clock())
}

/// Connects and sends Hello. Returns the kind of the handshake, or the error that the client sees.
async fn connect(served: &Served, config: &ClientConfig) -> Result<HandshakeKind, String> {
    let mut peer = match tls_channel(served, config.clone()).await {
        Ok(peer) => peer,
        Err(error) => return Err(error.to_string()),
    };
    peer.send(Kind::Hello, &hello(3)).await;
    // with TLS 1.3, the server verifies the certificate after the client has ended its handshake
    match peer.stream.read(&mut [0]).await {
        Ok(0) => Err("closed".to_owned()),
        Ok(_) => Ok(peer.stream.get_ref().1.handshake_kind().unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

async fn full(served: &Served, config: &ClientConfig) {
    assert_eq!(connect(served, config).await, Ok(HandshakeKind::Full));
}

async fn resumed(served: &Served, config: &ClientConfig) {
    assert_eq!(connect(served, config).await, Ok(HandshakeKind::Resumed));
}

/// Files with an authority of its own: the authority's certificate, and a client's certificate with
/// its chain.
struct Chain {
    authority: PathBuf,
    client: PathBuf,
}

impl Chain {
    /// Makes the files. `ends` are the ends of the authority, the intermediate authority and the
    /// client.
    fn new(fixture: &Fixture, time: &Time, ends: [u64; 3]) -> Self {
        let authority = |name: &str, end: u64| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.not_after = time.at(end).into();
            params
        };
        let top = authority("top", ends[0]);
        let top = CertifiedIssuer::self_signed(top, KeyPair::generate().unwrap()).unwrap();
        let (middle, middle_key) = (authority("middle", ends[1]), KeyPair::generate().unwrap());
        let middle_pem = middle.signed_by(&middle_key, &top).unwrap().pem();
        let middle = Issuer::new(middle, middle_key);
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, "anna");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        leaf.not_after = time.at(ends[2]).into();
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &middle).unwrap().pem();
        let (authority, client) = (fixture.outside("top.pem"), fixture.outside("anna.pem"));
        fs::write(&authority, top.pem()).unwrap();
        fs::write(&client, leaf + &middle_pem + &key.serialize_pem()).unwrap();
        Self { authority, client }
    }
}

#[tokio::test]
async fn an_expired_certificate_goes_on_by_no_ticket() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let anna = fixture.issue("anna", time.ends(HOUR));
    let options = options(&fixture, &time);
    let served = fixture.serve_tls(options, Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let config = showing(&served.fixture, &anna, version);
        time.set(0);
        full(&served, &config).await;
        time.set(HOUR);
        resumed(&served, &config).await;
        time.set(HOUR + 1);
        // at the second time, there may be no ticket left
        for _ in 0..2 {
            let refusal = connect(&served, &config).await.unwrap_err();
            assert!(refusal.contains("CertificateExpired"), "{refusal}");
        }
    }
}

#[tokio::test]
async fn every_certificate_of_the_chain_has_to_be_valid() {
    for ends in [[HOUR, DAY, DAY], [DAY, HOUR, DAY], [DAY, DAY, HOUR]] {
        let (fixture, time) = (Fixture::new(), Time::new());
        let chain = Chain::new(&fixture, &time, ends);
        let options =
            options(&fixture, &time).clients(&chain.authority, ClientCertificates::Optional);
        let served = fixture.serve_tls(options, Limits::default()).await;
        for version in [&TLS12, &TLS13] {
            let config = showing(&served.fixture, &chain.client, version);
            time.set(0);
            full(&served, &config).await;
            time.set(HOUR);
            resumed(&served, &config).await;
            time.set(HOUR + 1);
            for config in [config, showing(&served.fixture, &chain.client, version)] {
                let refusal = connect(&served, &config).await.unwrap_err();
                assert!(refusal.contains("CertificateExpired"), "{ends:?}: {refusal}");
            }
        }
    }
}

#[tokio::test]
async fn an_authority_that_ended_leaves_the_others_their_clients() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let chain = Chain::new(&fixture, &time, [HOUR, DAY, DAY]);
    let bob = fixture.issue("bob", |_| {});
    let both = fixture.outside("both.pem");
    let text =
        [&chain.authority, &fixture.outside("authority.pem")].map(fs::read).map(Result::unwrap);
    fs::write(&both, text.concat()).unwrap();
    let options = options(&fixture, &time).clients(&both, ClientCertificates::Required);
    let served = fixture.serve_tls(options, Limits::default()).await;
    time.set(HOUR + 1);
    for version in [&TLS12, &TLS13] {
        let config = showing(&served.fixture, &chain.client, version);
        let refusal = connect(&served, &config).await.unwrap_err();
        assert!(refusal.contains("CertificateExpired"), "{refusal}");
        let config = showing(&served.fixture, &bob, version);
        full(&served, &config).await;
        resumed(&served, &config).await;
    }
}

#[tokio::test]
async fn a_chain_of_resumed_sessions_ends_a_day_after_its_first() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let anna = fixture.issue("anna", time.ends(900 * DAY));
    let options = options(&fixture, &time)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Optional);
    let served = fixture.serve_tls(options, Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let nobody = client_with(&served.fixture, provider, &[version]);
        for config in [showing(&served.fixture, &anna, version), nobody] {
            time.set(0);
            full(&served, &config).await;
            for hours in 1..=24 {
                time.set(hours * HOUR);
                resumed(&served, &config).await;
            }
            time.set(DAY + 1);
            full(&served, &config).await;
            time.set(2 * DAY);
            resumed(&served, &config).await;
            // the clock is set back to a time before the first handshake
            time.set(0);
            full(&served, &config).await;
        }
    }
}

#[tokio::test]
async fn no_session_outlives_the_certificate_of_the_server() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let end = time.at(HOUR).into();
    let own = fixture.issue("server", |params| {
        params.extended_key_usages = Vec::new();
        params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        params.not_after = end;
    });
    let anna = fixture.issue("anna", |_| {});
    let options = TlsOptions::new(own, Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Optional)
        .clock(time.clock());
    let served = fixture.serve_tls(options, Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let nobody = client_with(&served.fixture, provider, &[version]);
        for config in [showing(&served.fixture, &anna, version), nobody] {
            time.set(0);
            full(&served, &config).await;
            time.set(HOUR);
            resumed(&served, &config).await;
            // the client's own clock does not change, so the client sees valid certificates
            time.set(HOUR + 1);
            full(&served, &config).await;
        }
    }
}

#[tokio::test]
async fn other_files_end_all_sessions() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let anna = fixture.issue("anna", |_| {});
    let stranger = Fixture::new();
    let options = options(&fixture, &time);
    let authority = fixture.outside("authority.pem");
    let served = fixture.serve_tls(options, Limits::default()).await;
    let own = fs::read(&authority).unwrap();
    for version in [&TLS12, &TLS13] {
        let config = showing(&served.fixture, &anna, version);
        full(&served, &config).await;
        resumed(&served, &config).await;
        fs::copy(stranger.outside("authority.pem"), &authority).unwrap();
        served.reloader.reload().unwrap();
        // the other authority has the same name
        let refusal = connect(&served, &config).await.unwrap_err();
        assert!(refusal.contains("DecryptError"), "{refusal}");
        fs::write(&authority, &own).unwrap();
        served.reloader.reload().unwrap();
        full(&served, &config).await;
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_from_the_next_reload_on() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let (anna, bob) = (fixture.issue("anna", |_| {}), fixture.issue("bob", |_| {}));
    let list = fixture.revoke("clients.crl", &[], time.at(DAY));
    let options = options(&fixture, &time).revocation_lists(vec![list]);
    let served = fixture.serve_tls(options, Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        served.fixture.revoke("clients.crl", &[], time.at(DAY));
        served.reloader.reload().unwrap();
        let (anna_config, bob_config) =
            (showing(&served.fixture, &anna, version), showing(&served.fixture, &bob, version));
        for config in [&anna_config, &bob_config] {
            full(&served, config).await;
            resumed(&served, config).await;
        }
        served.fixture.revoke("clients.crl", &[&anna], time.at(DAY));
        resumed(&served, &anna_config).await;
        served.reloader.reload().unwrap();
        let refusal = connect(&served, &anna_config).await.unwrap_err();
        assert!(refusal.contains("CertificateRevoked"), "{refusal}");
        full(&served, &bob_config).await;

        // a file that cannot be used changes nothing
        fs::write(served.fixture.outside("clients.crl"), "nothing").unwrap();
        let error = served.reloader.reload().unwrap_err().to_string();
        assert!(error.contains("clients.crl: no revocation list in it"), "{error}");
        assert!(connect(&served, &anna_config).await.is_err());
        resumed(&served, &bob_config).await;
    }
}

#[tokio::test]
async fn a_list_that_ended_or_is_missing_lets_nobody_in() {
    let (fixture, time) = (Fixture::new(), Time::new());
    let anna = fixture.issue("anna", |_| {});
    let stranger = Fixture::new();
    let list = fixture.revoke("clients.crl", &[], time.at(HOUR));
    let theirs = stranger.revoke("clients.crl", &[], time.at(DAY));
    let options = options(&fixture, &time).revocation_lists(vec![list.clone()]);
    let served = fixture.serve_tls(options, Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let config = showing(&served.fixture, &anna, version);
        time.set(0);
        full(&served, &config).await;
        time.set(HOUR);
        resumed(&served, &config).await;
        time.set(HOUR + 1);
        let refusal = connect(&served, &config).await.unwrap_err();
        assert!(refusal.contains("CertificateUnknown"), "{refusal}");

        // a list of another authority with the same name but another key
        time.set(0);
        let own = fs::read(&list).unwrap();
        fs::copy(&theirs, &list).unwrap();
        served.reloader.reload().unwrap();
        let refusal = connect(&served, &config).await.unwrap_err();
        assert!(refusal.contains("CertificateUnknown"), "{refusal}");
        fs::write(&list, own).unwrap();
        served.reloader.reload().unwrap();
        full(&served, &config).await;
    }
    let told = |seconds| {
        time.set(seconds);
        let notices = served.reloader.notices();
        notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(
        told(HOUR)
            .contains("clients.crl: the revocation list of CN=an authority expires in 0 days")
    );
    assert!(told(HOUR + 1).contains("its clients' certificates are refused"));
}

#[tokio::test]
async fn each_level_refuses_in_the_same_words() {
    for level in LEVELS {
        let (fixture, time) = (Fixture::new(), Time::new());
        let anna = fixture.issue("anna", time.ends(DAY));
        let list = fixture.revoke("clients.crl", &[], time.at(2 * DAY));
        let options = TlsOptions::new(fixture.certificate(), *level)
            .clients(fixture.outside("authority.pem"), ClientCertificates::Required)
            .revocation_lists(vec![list])
            .clock(time.clock());
        let served = fixture.serve_tls(options, Limits::default()).await;
        let connector = connector(&served, &anna, *level);
        for resumed in [false, *level > Level::Two] {
            let connection = connector.connect().await.unwrap();
            assert_eq!(connection.channel().resumed(), resumed);
        }
        time.set(DAY + 1);
        let error = connector.connect().await.unwrap_err().to_string();
        assert!(error.ends_with("client certificate: it is out of its time"), "{level}: {error}");
        time.set(0);
        served.fixture.revoke("clients.crl", &[&anna], time.at(2 * DAY));
        served.reloader.reload().unwrap();
        let error = connector.connect().await.unwrap_err().to_string();
        assert!(error.ends_with("client certificate: it is revoked"), "{level}: {error}");
    }
}

fn connector(served: &Served, identity: &Path, level: Level) -> sift_client::Connector {
    let options = ConnectOptions::new(served.tls.to_string())
        .roots(Roots::File(served.fixture.outside("authority.pem")))
        .client_certificate(identity)
        .level(level);
    sift_client::Connector::new(options).unwrap()
}

#[tokio::test]
async fn an_open_connection_stays_open() {
    let (fixture, time) = (Fixture::with_files(), Time::new());
    let anna = fixture.issue("anna", |_| {});
    let list = fixture.revoke("clients.crl", &[], time.at(DAY));
    let options = options(&fixture, &time).revocation_lists(vec![list]);
    let served = fixture.serve_tls(options, Limits::default()).await;
    let mut open: Connection = connector(&served, &anna, Level::Three).connect().await.unwrap();
    served.fixture.revoke("clients.crl", &[&anna], time.at(DAY));
    served.reloader.reload().unwrap();
    assert!(connector(&served, &anna, Level::Three).connect().await.is_err());
    assert_eq!(open.report().await.unwrap().peer_names, ["cn:anna"]);
}
