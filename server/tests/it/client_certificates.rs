//! Clients with and without a certificate, and the names by which the server knows them.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelReport, ChannelRequest};
use sift_server::{ClientCertificates, Limits, TlsOptions};

use crate::fixture::{Fixture, Served};
use crate::peer::{client_with, hello, tls_channel};

async fn serve(fixture: Fixture, asked: ClientCertificates) -> Served {
    let options = TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), asked);
    fixture.serve_tls(options, Limits::default()).await
}

/// A client that shows the certificate in a file.
pub(crate) fn showing(
    fixture: &Fixture,
    identity: &Path,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(fixture.authority.clone()).unwrap();
    let chain = CertificateDer::pem_file_iter(identity).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(identity).unwrap();
    let mut config = ClientConfig::builder_with_provider(default_provider().into())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![sift_proto::ALPN.to_vec()];
    config
}

/// Returns the client's names as the server sees them; `None` without a channel.
async fn names(served: &Served, config: ClientConfig) -> Option<Vec<String>> {
    let mut peer = tls_channel(served, config).await.ok()?;
    peer.send(Kind::Hello, &hello(3)).await;
    peer.next().await?;
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    let report: ChannelReport = peer.message(Kind::ChannelReport).await;
    Some(report.peer_names)
}

#[tokio::test]
async fn a_client_has_the_names_of_its_certificate() {
    let fixture = Fixture::new();
    let anna = fixture.issue("anna", |params| {
        params.subject_alt_names = vec![
            SanType::Rfc822Name("anna@example.com".try_into().unwrap()),
            SanType::DnsName("desk.example.com".try_into().unwrap()),
        ];
    });
    let served = serve(fixture, ClientCertificates::Required).await;
    for version in [&TLS12, &TLS13] {
        let config = showing(&served.fixture, &anna, version);
        // the second time the session is resumed, and the names with it
        for _ in 0..2 {
            let names = names(&served, config.clone()).await.unwrap();
            assert_eq!(names, ["mail:anna@example.com", "dns:desk.example.com"]);
        }
    }
}

#[tokio::test]
async fn without_a_certificate_a_client_is_nobody_or_not_let_in() {
    for (asked, expected) in
        [(ClientCertificates::Required, None), (ClientCertificates::Optional, Some(Vec::new()))]
    {
        let served = serve(Fixture::new(), asked).await;
        for version in [&TLS12, &TLS13] {
            let config = client_with(&served.fixture, default_provider(), &[version]);
            assert_eq!(names(&served, config).await, expected);
        }
    }
}

/// rustls trusts such an authority. Without its dates, it would never expire.
#[test]
fn an_authority_that_does_not_parse_is_an_error_at_the_start() {
    let fixture = Fixture::new();
    let authority = |names: Option<CustomExtension>| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.custom_extensions.extend(names);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    };
    let good = authority(None);
    // the list of its alternative names has a name that is longer than the list
    let names = vec![0x30, 2, 0x82, 5];
    let damaged = authority(Some(CustomExtension::from_oid_content(&[2, 5, 29, 17], names)));
    RootCertStore::empty().add(damaged.der().clone()).expect("rustls takes it");
    let path = fixture.outside("authorities.pem");
    let check = |text: String| {
        std::fs::write(&path, text).unwrap();
        let options = TlsOptions::new(fixture.certificate(), Level::Three);
        options.clients(path.clone(), ClientCertificates::Required).check()
    };
    check(good.pem()).expect("an authority");
    let error = check(good.pem() + &damaged.pem()).unwrap_err().to_string();
    assert!(error.starts_with("authorities of client certificates "), "{error}");
    assert!(error.contains("authorities.pem: certificate 2 does not parse: byte "), "{error}");
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_refused_even_where_none_is_needed() {
    type Change = fn(&mut CertificateParams);
    let changes: [(&str, Change); 3] = [
        ("expired", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)),
        ("early", |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1)),
        ("server", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
    ];
    let fixture = Fixture::new();
    let mut identities: Vec<_> = changes.map(|(name, change)| fixture.issue(name, change)).into();
    // of an authority that the server does not know
    let stranger = Fixture::new();
    identities.push(stranger.issue("stranger", |_| {}));
    let served = serve(fixture, ClientCertificates::Optional).await;
    for identity in identities {
        for version in [&TLS12, &TLS13] {
            let config = showing(&served.fixture, &identity, version);
            assert_eq!(names(&served, config).await, None, "{}", identity.display());
        }
    }
}
