//! Connecting: the negotiated channel, wrong peers, wrong certificates, silence.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, SanType};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use sift_client::{ConnectOptions, Connection, ErrorKind, Level, Reason, Roots, Status};
use sift_proto::message::Welcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::fake::{Authority, Fake, Peer, run, self_signed, welcome};

async fn greeting(mut peer: Peer) {
    peer.greet().await;
    peer.gone().await;
}

fn secure(fake: &Fake, authority: &Authority) -> ConnectOptions {
    fake.options().encrypt(true).roots(authority.roots())
}

/// Returns the text of the error that connecting ends with.
async fn refusal(options: &ConnectOptions) -> String {
    let error = Connection::connect(options).await.expect_err("connects").to_string();
    let host = format!("client server error, host {}: ", options_host(options));
    error.strip_prefix(&host).unwrap_or_else(|| panic!("{error}")).to_owned()
}

fn options_host(options: &ConnectOptions) -> String {
    // the address is what the options show first
    let shown = format!("{options:?}");
    shown.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn a_plain_channel_is_blank() {
    run(async {
        let fake = Fake::plain(greeting).await;
        let connection = Connection::connect(&fake.options()).await.unwrap();
        let channel = connection.channel();
        assert!(!channel.encrypted());
        assert_eq!((channel.cipher(), channel.protocol(), channel.key_exchange()), ("", "", ""));
        assert_eq!((channel.level(), channel.level_met()), (None, None));
        assert_eq!(channel.server(), "fake/1");
        assert_eq!(channel.peer_address(), fake.address);
    });
}

#[test]
fn an_encrypted_channel_proves_itself() {
    run(async {
        let authority = Authority::new();
        let fake = Fake::tls(authority.ordinary(), greeting).await;
        for level in [Level::Three, Level::Four, Level::Five] {
            let options = secure(&fake, &authority).level(level);
            let connection = Connection::connect(&options).await.unwrap();
            let channel = connection.channel();
            assert!(channel.encrypted());
            assert_eq!(channel.protocol(), "TLSv1.3");
            assert_eq!(
                channel.cipher(),
                "TLS_AES_256_GCM_SHA384 TLSv1.3 Kx=any Au=any Enc=AESGCM(256) Mac=AEAD"
            );
            assert_eq!(channel.key_exchange(), "X25519MLKEM768");
            assert_eq!(channel.peer_names(), ["dns:localhost", "ip:127.0.0.1"]);
            assert_eq!(channel.level(), Some(level));
            // independent of the level that was asked for
            assert_eq!(channel.level_met(), Some(Level::Five));
        }
    });
}

#[test]
fn a_connection_that_is_dropped_says_goodbye() {
    run(async {
        let authority = Authority::new();
        let (sender, mut ended) = mpsc::channel(1);
        let fake = Fake::tls(authority.ordinary(), move |mut peer: Peer| {
            let sender = sender.clone();
            async move {
                peer.greet().await;
                // the read fails without close_notify
                let read = peer.stream.read(&mut [0; 1]).await.map_err(|error| error.kind());
                sender.send(read).await.unwrap();
            }
        })
        .await;
        let options = secure(&fake, &authority);
        drop(Connection::connect(&options).await.unwrap());
        assert_eq!(ended.recv().await.unwrap(), Ok(0));
    });
}

#[test]
fn a_suite_that_the_level_does_not_have_is_refused() {
    run(async {
        let authority = Authority::new();
        let options = ConnectOptions::new("localhost").roots(authority.roots()).level(Level::Five);
        for name in ["TLS_AES_128_GCM_SHA256", "aes", ""] {
            let options = options.clone().suites(["TLS_AES_256_GCM_SHA384", name]);
            let error = Connection::connect(&options).await.err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
            assert_eq!(
                error.to_string(),
                format!(
                    "level 5 has no cipher suite `{name}`; it has TLS_AES_256_GCM_SHA384, \
                     TLS_CHACHA20_POLY1305_SHA256"
                )
            );
        }
    });
}

#[test]
fn tls_1_2_meets_level_3_only() {
    run(async {
        let authority = Authority::new();
        let provider = aws_lc_rs::default_provider();
        let config = authority.server(provider, &[&rustls::version::TLS12], |_| {});
        let fake = Fake::tls(config, greeting).await;
        let connection = Connection::connect(&secure(&fake, &authority)).await.unwrap();
        assert_eq!(connection.channel().protocol(), "TLSv1.2");
        assert_eq!(
            connection.channel().cipher(),
            "ECDHE-ECDSA-AES256-GCM-SHA384 TLSv1.2 Kx=ECDH Au=ECDSA Enc=AESGCM(256) Mac=AEAD"
        );
        drop(connection);
        for level in [Level::Four, Level::Five] {
            let refusal = refusal(&secure(&fake, &authority).level(level)).await;
            let start = format!(
                "no protocol, cipher or key exchange in common: this end asks for level {level} (TLSv1.3)"
            );
            assert!(refusal.starts_with(&start), "{refusal}");
            assert!(
                refusal
                    .ends_with("ask for a lower level (--scl), or have the server serve this one")
            );
        }
    });
}

#[test]
fn level_5_wants_more_than_tls_1_3() {
    run(async {
        let authority = Authority::new();
        for suite_or_group in ["suite", "group"] {
            let mut provider = aws_lc_rs::default_provider();
            if suite_or_group == "suite" {
                provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
            } else {
                provider.kx_groups = vec![kx_group::X25519];
            }
            let config = authority.server(provider, &[&rustls::version::TLS13], |_| {});
            let fake = Fake::tls(config, greeting).await;
            let options = secure(&fake, &authority);
            assert!(Connection::connect(&options.clone().level(Level::Four)).await.is_ok());
            let refusal = refusal(&options.level(Level::Five)).await;
            assert!(refusal.contains("in common: this end asks for level 5"), "{refusal}");
        }
    });
}

#[test]
fn a_plain_port_is_told_from_a_broken_one() {
    run(async {
        let authority = Authority::new();
        let fake = Fake::plain(|mut peer| async move {
            let mut first = [0];
            peer.stream.read_exact(&mut first).await.unwrap();
            assert_eq!(first, [22], "spoke in the clear");
            peer.fail(Status::EncryptionNotEnabled, "encryption is not enabled on the server")
                .await;
            peer.stream.shutdown().await.unwrap();
            let _rest = peer.stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let error = Connection::connect(&secure(&fake, &authority)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "client server error, host {}: encryption is not enabled on the server",
                fake.address
            )
        );
        assert!(matches!(
            error.kind(),
            ErrorKind::ClientServer { reason: Reason::EncryptionNotEnabled, .. }
        ));
    });
}

#[test]
fn an_encrypted_port_is_told_from_a_broken_one() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.frame().await.unwrap();
            peer.fail(Status::EncryptionRequired, "this server requires encryption").await;
        })
        .await;
        assert_eq!(refusal(&fake.options()).await, "this server requires encryption");
        // TLS servers that are not Sift's: an alert, or nothing but the end
        let fake = Fake::plain(|mut peer| async move {
            peer.frame().await.unwrap();
            peer.bytes(&[21, 3, 3, 0, 2, 2, 10]).await;
            peer.gone().await;
        })
        .await;
        assert_eq!(refusal(&fake.options()).await, "this server requires encryption");
        let fake = Fake::plain(|mut peer| async move {
            peer.frame().await.unwrap();
        })
        .await;
        assert_eq!(
            refusal(&fake.options()).await,
            "the server closed the connection without a word; it may require encryption"
        );
    });
}

#[test]
fn strangers_are_told_apart() {
    run(async {
        let authority = Authority::new();
        let http = Fake::plain(|mut peer| async move {
            peer.bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer.stream.shutdown().await.unwrap();
            let _rest = peer.stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let expected = "this is not a Sift server: it answers with text, as HTTP does";
        assert_eq!(refusal(&http.options()).await, expected);
        assert_eq!(refusal(&secure(&http, &authority)).await, expected);

        let mut config = authority.ordinary();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let other = Fake::tls(config, greeting).await;
        let expected = "this is not a Sift server: it does not know the protocol sift/1";
        assert_eq!(refusal(&secure(&other, &authority)).await, expected);

        let mut config = authority.ordinary();
        config.alpn_protocols = Vec::new();
        let silent = Fake::tls(config, greeting).await;
        let expected = "this is not a Sift server: it did not agree to the protocol sift/1";
        assert_eq!(refusal(&secure(&silent, &authority)).await, expected);
    });
}

#[test]
fn a_password_is_not_told_before_the_channel_is_judged() {
    run(async {
        let authority = Authority::new();
        let mut config = authority.ordinary();
        // it does not say that it speaks Sift
        config.alpn_protocols = Vec::new();
        let (tell, mut told) = mpsc::channel(1);
        let stranger = Fake::tls(config, move |mut peer| {
            let tell = tell.clone();
            async move {
                let mut heard = Vec::new();
                let _end = peer.stream.read_to_end(&mut heard).await;
                tell.send(heard).await.unwrap();
            }
        })
        .await;
        let options = secure(&stranger, &authority).user("ann");
        refusal(&options).await;
        let early = told.recv().await.unwrap();
        assert!(early.windows(3).any(|bytes| bytes == b"ann"), "the greeting comes early");
        refusal(&options.password("correct horse")).await;
        assert_eq!(told.recv().await.unwrap(), b"");
    });
}

/// Starts a server with a certificate of `authority`.
async fn certified(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Fake {
    let provider = aws_lc_rs::default_provider();
    Fake::tls(authority.server(provider, rustls::ALL_VERSIONS, change), greeting).await
}

#[test]
fn an_authority_that_did_not_sign_is_told_with_the_one_that_did() {
    run(async {
        let (authority, stranger) = (Authority::new(), Authority::new());
        let fake = certified(&authority, |_| {}).await;
        let begin = "the server's certificate is signed by an unknown authority, CN=an authority; ";
        let file = stranger.file().display().to_string();
        assert_eq!(
            refusal(&secure(&fake, &stranger)).await,
            format!(
                "{begin}{file} has another authority of the same name, which did not sign it; get the \
                 one that did from the server's administrator and give that (--ca FILE)"
            )
        );
        let folder = tempfile::tempdir().unwrap();
        let (_, other) = self_signed(folder.path(), IsCa::NoCa);
        let options = secure(&fake, &authority).roots(Roots::File(other.clone()));
        assert_eq!(
            refusal(&options).await,
            format!(
                "{begin}what {} holds did not sign it: CN=rcgen self signed cert; give the \
                 certificate of the authority that did (--ca FILE)",
                other.display()
            )
        );
    });
}

#[test]
fn a_self_signed_certificate_can_be_trusted_unless_it_is_an_authority() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let begin = "the server's certificate is self-signed, so no authority vouches for it; ";
        for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
            let (config, path) = self_signed(folder.path(), is_ca);
            let fake = Fake::tls(config, greeting).await;
            let file = authority.file().display().to_string();
            assert_eq!(
                refusal(&secure(&fake, &authority)).await,
                format!(
                    "{begin}it is not the one in {file}; to trust exactly this one, get it from the \
                     server's administrator as a PEM file and give that (--ca FILE)"
                )
            );
            // following the hint works
            let options = secure(&fake, &authority).roots(Roots::File(path.clone()));
            assert!(Connection::connect(&options).await.is_ok());
            // an older certificate with the same name
            self_signed(folder.path(), IsCa::NoCa);
            let refusal = refusal(&options).await;
            let expected = format!("{begin}it is not the one of that name in {}; ", path.display());
            assert!(refusal.starts_with(&expected), "{refusal}");
        }
        let (config, path) = self_signed(folder.path(), IsCa::Ca(BasicConstraints::Unconstrained));
        let fake = Fake::tls(config, greeting).await;
        for roots in [authority.roots(), Roots::File(path)] {
            let refusal = refusal(&secure(&fake, &authority).roots(roots)).await;
            assert!(
                refusal.starts_with(&format!("{begin}it says of itself that it is an authority"))
            );
            assert!(
                refusal.ends_with("or self-signed with basicConstraints=CA:FALSE"),
                "{refusal}"
            );
        }
    });
}

#[test]
fn a_wrong_name_is_told_with_the_right_ones() {
    run(async {
        let authority = Authority::new();
        let fake = certified(&authority, |_| {}).await;
        let named = secure(&fake, &authority).server_name("files.example.com");
        assert_eq!(
            refusal(&named).await,
            "the server's certificate is for localhost, 127.0.0.1, not for `files.example.com`; \
             connect by one of its names, or say that `localhost` is expected (--server-name \
             localhost)"
        );
        let named = secure(&fake, &authority).server_name("localhost");
        assert!(Connection::connect(&named).await.is_ok());

        let nameless = certified(&authority, |params| params.subject_alt_names.clear()).await;
        assert_eq!(
            refusal(&secure(&nameless, &authority)).await,
            "the server's certificate is for no name at all, not for `127.0.0.1`; clients do not look \
             at its subject; have the server show one with the names by which it is reached (siftd \
             cert issue NAME...)"
        );
        let many = certified(&authority, |params| {
            let name = |n| SanType::DnsName(format!("*.n{n}.example").try_into().unwrap());
            params.subject_alt_names = (0..12).map(name).collect();
        })
        .await;
        let refusal = refusal(&secure(&many, &authority)).await;
        assert!(
            refusal.contains("*.n9.example and 2 more, not for `127.0.0.1`; connect by a name")
        );
    });
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_both_times() {
    run(async {
        let authority = Authority::new();
        let expired =
            certified(&authority, |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))
                .await;
        let refused = refusal(&secure(&expired, &authority)).await;
        let expected = "the server's certificate expired on 2020-01-01 00:00:00 UTC, and this \
                        machine's clock says 20";
        assert!(refused.starts_with(expected), "{refused}");
        assert!(refused.ends_with(" UTC; have it renewed, or set the clock"), "{refused}");
        let early =
            certified(&authority, |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1))
                .await;
        let refused = refusal(&secure(&early, &authority)).await;
        let expected = "the server's certificate is not valid before 2999-01-01 00:00:00 UTC, and \
                        this machine's clock says 20";
        assert!(refused.starts_with(expected), "{refused}");
        assert!(refused.ends_with(" UTC; set the clock"), "{refused}");
    });
}

#[test]
fn authorities_are_checked_before_connecting() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing").unwrap();
        let options = ConnectOptions::new("127.0.0.1:1").roots(Roots::File(empty.clone()));
        let error = Connection::connect(&options).await.unwrap_err().to_string();
        let expected = "holds no certificate; expected PEM with BEGIN CERTIFICATE";
        assert_eq!(error, format!("{}: {expected}", empty.display()));
        let missing = folder.path().join("missing.pem");
        let options = ConnectOptions::new("127.0.0.1:1").roots(Roots::File(missing.clone()));
        let error = Connection::connect(&options).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot read", missing.display())), "{error}");
    });
}

#[test]
fn silence_ends() {
    run(async {
        let silent = |mut peer: Peer| async move { peer.gone().await };
        let fake = Fake::plain(silent).await;
        let options = fake.options().handshake_timeout(Duration::from_millis(50));
        let expected = "nothing came from the server for 50ms while shaking hands";
        assert_eq!(refusal(&options).await, expected);
        let deaf = Fake::plain(|mut peer| async move {
            let _end = peer.stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let authority = Authority::new();
        let options = secure(&deaf, &authority).handshake_timeout(Duration::from_millis(50));
        assert_eq!(refusal(&options).await, expected);
    });
}

#[test]
fn nobody_is_there() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let options = ConnectOptions::new(address.to_string()).encrypt(false);
        let refusal = refusal(&options).await;
        assert!(refusal.starts_with("cannot connect: "), "{refusal}");
    });
}

#[test]
fn a_welcome_is_checked() {
    let cases: [(Welcome, &str); 3] = [
        (Welcome { version: 2, ..welcome() }, "version is 2, at most 1 is accepted"),
        (
            Welcome { frame_bytes_max: u32::MAX, ..welcome() },
            "frame_bytes_max is 4294967295, at most 8388608 is accepted",
        ),
        (
            Welcome { frame_bytes_max: 0, ..welcome() },
            "frame_bytes_max is 0, at most 8388608 is accepted",
        ),
    ];
    run(async {
        for (welcome, expected) in cases {
            let fake = Fake::plain(move |mut peer| {
                let welcome = welcome.clone();
                async move {
                    peer.frame().await;
                    peer.send(sift_client::Kind::Welcome, &welcome).await;
                    peer.gone().await;
                }
            })
            .await;
            let expected = format!("the server breaks the protocol: {expected}");
            assert_eq!(refusal(&fake.options()).await, expected);
        }
    });
}

#[test]
fn a_refused_hello_keeps_status_and_text() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.frame().await;
            peer.fail(Status::ServerBusy, "too many \x1b[31mconnections").await;
        })
        .await;
        let error = Connection::connect(&fake.options()).await.unwrap_err();
        assert_eq!(error.status(), Some(Status::ServerBusy));
        assert!(error.to_string().ends_with(": too many \u{fffd}[31mconnections"), "{error}");
    });
}
