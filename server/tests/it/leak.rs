//! A protected column is refused before the file is opened, for every request and on every channel,
//! and no byte of it is in anything that the server sends.
//!
//! On the plain port, a proxy records the bytes on the network; on the encrypted port, the frames
//! are checked after decryption.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::SupportedProtocolVersion;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::version::{TLS12, TLS13};
use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FileList, ListRequest, Status,
};
use sift_server::Grant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, sql};

/// The mark in every protected value; no other value contains it.
const MARK: &str = "WATERMARK";

/// A protected number, and the bytes that it has in an answer or in the file.
const NUMBER: i64 = 918_273_645_546_372;

/// The channels, the weakest first, and the level that each has.
const CHANNELS: [Channel; 4] =
    [Channel::Plain, Channel::Tls12, Channel::Tls13, Channel::PostQuantum];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Channel {
    Plain,
    Tls12,
    Tls13,
    PostQuantum,
}

impl Channel {
    fn level(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Tls12 => 3,
            Self::Tls13 => 4,
            Self::PostQuantum => 5,
        }
    }
}

/// Questions about the columns `card` and `pin` of a file with the columns `id`, `city`, `card` and
/// `pin`.
const REFUSED: &[&str] = &[
    "SELECT * FROM",
    "SELECT card FROM",
    "SELECT \"card\" FROM",
    "SELECT CARD AS city FROM",
    "SELECT id, pin FROM",
    "SELECT pin + 1 FROM",
    "SELECT -pin * 0 FROM",
    "SELECT card IS NULL FROM",
    "SELECT id FROM f WHERE card = 'x'",
    "SELECT id FROM f WHERE id = 1 AND (city = 'Oslo' OR NOT pin > 7)",
    "SELECT id FROM f WHERE card LIKE 'W%'",
    "SELECT id FROM f WHERE pin BETWEEN 1 AND 2",
    "SELECT id FROM f WHERE 7 BETWEEN id AND pin",
    "SELECT id FROM f WHERE id IN (1, pin)",
    "SELECT id FROM f WHERE id / (pin - pin) = 1",
    "SELECT count(card) FROM",
    "SELECT count(*) FROM f WHERE pin IS NOT NULL",
    "SELECT min(pin), max(card) FROM",
    "SELECT sum(id + pin) FROM",
    "SELECT avg(pin) - 1 FROM",
    "SELECT count(DISTINCT pin) FROM",
    "SELECT count(*) FILTER (WHERE pin > 0) FROM",
    "SELECT CASE id WHEN 1 THEN city ELSE card END FROM",
    "SELECT CASE WHEN pin > 0 THEN 1 END FROM",
    "SELECT CAST(pin AS text), pin::float FROM",
    "SELECT coalesce(city, card) FROM",
    "SELECT nullif(id, pin) FROM",
    "SELECT substring(card FROM 1 FOR 2) FROM",
    "SELECT upper(lower(card)) || '' FROM",
    "SELECT length(concat(city, card)) FROM",
    "SELECT id FROM f WHERE card ~ '^W'",
    "SELECT id FROM f WHERE card ILIKE 'w%' OR card SIMILAR TO 'W_*'",
    "SELECT id FROM f WHERE (pin > 0) IS TRUE",
    "SELECT id FROM f WHERE card IS DISTINCT FROM city",
    "SELECT id FROM f WHERE mod(pin, 2) = 0",
    "SELECT DISTINCT card FROM",
    "SELECT DISTINCT ON (pin) id FROM",
    "SELECT id FROM f ORDER BY card",
    "SELECT id FROM f ORDER BY id, -pin DESC NULLS LAST LIMIT 1",
    "SELECT city, count(*) FROM f GROUP BY city, card",
    "SELECT count(*) FROM f GROUP BY pin % 2",
    "SELECT city FROM f GROUP BY city HAVING max(pin) > 7",
    "SELECT city FROM f GROUP BY city ORDER BY min(card)",
    "SELECT card AS c FROM f ORDER BY c",
    "SELECT pin FROM f ORDER BY 1",
    "SELECT * FROM f LIMIT 0",
];

/// Questions about the same file that are allowed on every channel.
const ALLOWED: &[&str] = &[
    "SELECT id, city FROM",
    "SELECT count(*) FROM",
    "SELECT max(id), 'card' FROM f WHERE city LIKE '%o'",
    "SELECT DISTINCT city AS card FROM f ORDER BY 1",
    "SELECT city, count(*) FROM f GROUP BY city HAVING count(*) > 0 ORDER BY max(id)",
];

/// The statement about a file.
fn about(text: &str, file: &str) -> String {
    match text.strip_suffix(" FROM") {
        Some(start) => format!("{start} FROM '{file}'"),
        None => text.replace("FROM f", &format!("FROM '{file}'")),
    }
}

/// Makes a file of each format for each requirement of its columns or of the file.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for (name, demand) in DEMANDS {
        let columns =
            format!("[[field]]\nname = \"card\"\n{demand}\n[[field]]\nname = \"pin\"\n{demand}\n");
        fixture.write(&format!("{name}.csv"), csv());
        fixture.write(&format!("{name}.csv.toml"), columns);
        fixture.write(&format!("{name}.dat"), fixed());
        fixture.write(&format!("{name}.dat.toml"), layout(demand));
        fixture.write(&format!("{name}-whole.csv"), csv());
        fixture.write(&format!("{name}-whole.csv.toml"), format!("{demand}\n"));
    }
    fixture
}

/// The requirements of columns, and the lowest level of a channel that meets them.
const DEMANDS: [(&str, &str); 4] = [
    ("encrypted", "network_encrypt = true"),
    ("three", "scl_min = 3"),
    ("four", "scl_min = 4"),
    ("five", "scl_min = 5"),
];

/// The lowest level of [`CHANNELS`] that meets it.
fn needs(name: &str) -> u8 {
    match name {
        "encrypted" | "three" => 3,
        "four" => 4,
        _ => 5,
    }
}

fn csv() -> String {
    format!("id,city,card,pin\n1,Oslo,{MARK} 1,{NUMBER}\n2,Rome,{MARK} 2,{NUMBER}\n")
}

fn fixed() -> Vec<u8> {
    let record = |id: i64, city: &str| {
        [&id.to_le_bytes()[..], city.as_bytes(), MARK.as_bytes(), &NUMBER.to_le_bytes()].concat()
    };
    [record(1, "Oslo"), record(2, "Rome")].concat()
}

/// `card` is not protected itself: it has its bytes in common with `raw`, which is.
fn layout(demand: &str) -> String {
    let field = |name: &str, kind: &str, offset: usize, length: usize, demand: &str| {
        format!(
            "[[field]]\nname = \"{name}\"\ntype = \"{kind}\"\noffset = {offset}\nlength = {length}\n{demand}\n"
        )
    };
    let fields = [
        field("id", "integer", 0, 8, ""),
        field("city", "text", 8, 4, ""),
        field("raw", "text", 12, MARK.len(), demand),
        field("card", "text", 12, MARK.len(), ""),
        field("pin", "integer", 12 + MARK.len(), 8, demand),
    ];
    let length = 20 + MARK.len();
    let head = "format = \"fixed\"\nbyte_order = \"little\"\n";
    format!("{head}record_length = {length}\n{}", fields.concat())
}

/// Returns whether a protected value is in `bytes`, as text or as a number.
fn leaks(bytes: &[u8]) -> bool {
    let text = NUMBER.to_string();
    [MARK.as_bytes(), text.as_bytes(), &NUMBER.to_le_bytes()]
        .iter()
        .any(|value| bytes.windows(value.len()).any(|window| window == *value))
}

#[tokio::test]
async fn nothing_protected_leaves_on_a_channel_that_is_not_good_enough() {
    let served = fixture().serve().await;
    for channel in CHANNELS {
        match channel {
            Channel::Plain => {
                let proxy = Proxy::to(served.plain).await;
                let mut peer = peer::tcp(proxy.address).await;
                peer.welcome(peer::hello(0)).await;
                ask_everything(&served, channel, &mut peer).await;
                assert_eq!(*proxy.seen.lock().unwrap(), peer.received, "the proxy sees all of it");
            }
            Channel::Tls12 => ask_over_tls(&served, channel, &TLS12, None).await,
            Channel::Tls13 => {
                ask_over_tls(&served, channel, &TLS13, Some(kx_group::X25519)).await;
            }
            Channel::PostQuantum => {
                ask_over_tls(&served, channel, &TLS13, Some(kx_group::X25519MLKEM768)).await;
            }
        }
    }
}

async fn ask_over_tls(
    served: &Served,
    channel: Channel,
    version: &'static SupportedProtocolVersion,
    group: Option<&'static dyn rustls::crypto::SupportedKxGroup>,
) {
    let mut provider = default_provider();
    if let Some(group) = group {
        provider.kx_groups = vec![group];
    }
    // AES-128 is not of level 5
    provider
        .cipher_suites
        .retain(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    let config = peer::client_with(&served.fixture, provider, &[version]);
    let mut peer = peer::tls_channel(served, config).await.unwrap();
    peer.welcome(peer::hello(3)).await;
    ask_everything(served, channel, &mut peer).await;
}

async fn ask_everything<S: AsyncRead + AsyncWrite + Unpin>(
    served: &Served,
    channel: Channel,
    peer: &mut Peer<S>,
) {
    for (name, _) in DEMANDS {
        if channel.level() >= needs(name) {
            // the check itself works: here the values are found
            let from = peer.received.len();
            peer.select(&sql(about("SELECT * FROM", &format!("{name}.csv")))).await;
            assert!(leaks(&peer.received[from..]), "{name} on {channel:?}");
            peer.received.truncate(from);
            continue;
        }
        for file in [format!("{name}.csv"), format!("{name}.dat")] {
            refuses_columns(served, channel, peer, &file).await;
            answers_the_rest(channel, peer, &file).await;
        }
        refuses_all(served, channel, peer, &format!("{name}-whole.csv")).await;
    }
    peer.send(Kind::List, &ListRequest { pattern: String::new() }).await;
    assert_eq!(peer.message::<FileList>(Kind::FileList).await.files.len(), 3 * DEMANDS.len());
    assert!(!leaks(&peer.received), "on {channel:?}");
}

/// Every way to touch a protected column of `file`, before the file is opened.
async fn refuses_columns<S: AsyncRead + AsyncWrite + Unpin>(
    served: &Served,
    channel: Channel,
    peer: &mut Peer<S>,
    file: &str,
) {
    let opened = served.activity.files_opened();
    for text in REFUSED {
        let text = about(text, file);
        let (status, message) = peer.select_refused(&sql(&text)).await;
        assert_eq!(status, expected(file), "{text} on {channel:?}: {message}");
        assert!(message.starts_with(&format!("{file}: column `")), "{text}: {message}");
        let explain = ExplainRequest { sql: text, parameters: Vec::new(), analyze: false };
        assert_eq!(peer.refused(Kind::Explain, &explain).await, (status, message));
    }
    for (offset, length) in [(0, None), (0, Some(1)), (0, Some(0))] {
        let fetch = FetchRequest { file: file.into(), offset, length, identity: String::new() };
        assert_eq!(peer.refused(Kind::Fetch, &fetch).await.0, expected(file));
    }
    assert_eq!(served.activity.files_opened(), opened, "{file} on {channel:?}");
    assert!(!leaks(&peer.received), "{file} on {channel:?}");
}

/// Checks that requests without protected columns are answered.
async fn answers_the_rest<S: AsyncRead + AsyncWrite + Unpin>(
    channel: Channel,
    peer: &mut Peer<S>,
    file: &str,
) {
    for text in ALLOWED {
        peer.select(&sql(about(text, file))).await;
    }
    peer.send(Kind::Describe, &DescribeRequest { file: file.into() }).await;
    let description: Description = peer.message(Kind::Description).await;
    let demand = |name: &str| description.fields.iter().find(|field| field.name == name).unwrap();
    assert!(demand("card").network_encrypt && !demand("city").network_encrypt);
    assert!(!leaks(&peer.received), "{file} on {channel:?}");
}

/// Returns all requests for a file that is protected as a whole.
async fn refuses_all<S: AsyncRead + AsyncWrite + Unpin>(
    served: &Served,
    channel: Channel,
    peer: &mut Peer<S>,
    file: &str,
) {
    let opened = served.activity.files_opened();
    for text in REFUSED.iter().chain(ALLOWED) {
        let text = about(text, file);
        let (status, message) = peer.select_refused(&sql(&text)).await;
        assert_eq!(status, expected(file), "{text} on {channel:?}: {message}");
        assert!(message.starts_with(&format!("{file}: file requires")), "{text}: {message}");
        let explain = ExplainRequest { sql: text, parameters: Vec::new(), analyze: false };
        assert_eq!(peer.refused(Kind::Explain, &explain).await, (status, message));
    }
    let fetch = FetchRequest { file: file.into(), ..FetchRequest::default() };
    assert_eq!(peer.refused(Kind::Fetch, &fetch).await.0, expected(file));
    peer.send(Kind::Describe, &DescribeRequest { file: file.into() }).await;
    assert!(peer.message::<Description>(Kind::Description).await.network_encrypt);
    assert_eq!(served.activity.files_opened(), opened, "{file} on {channel:?}");
    assert!(!leaks(&peer.received), "{file} on {channel:?}");
}

fn expected(file: &str) -> Status {
    match file.starts_with("encrypted") {
        true => Status::NetworkEncryptRequired,
        false => Status::LevelRequired,
    }
}

/// A row filter uses its columns in every request. A column that is not granted is never named,
/// whether it is protected or not.
#[tokio::test]
async fn row_filters_and_hidden_columns_do_not_leak_either() {
    let fixture = Fixture::new();
    let (filtered, by_card, hidden) =
        ("encrypted-filtered.csv", "encrypted-by-card.csv", "encrypted-hidden.csv");
    let demand = "network_encrypt = true";
    for file in [filtered, by_card, hidden] {
        fixture.write(file, csv());
        let fields =
            format!("[[field]]\nname = \"card\"\n{demand}\n[[field]]\nname = \"pin\"\n{demand}\n");
        fixture.write(&format!("{file}.toml"), fields);
    }
    let some = Some(vec!["id".to_owned(), "city".to_owned()]);
    let grant = |file: &str, columns, filter| {
        let who = ["ann", "guest"].map(str::to_owned).to_vec();
        Grant::new(who, Vec::new(), &[file.to_owned()], columns, filter).unwrap()
    };
    let grants = vec![
        grant(filtered, None, Some("city = 'Oslo'")),
        grant(by_card, some.clone(), Some("card LIKE 'W%' AND pin > 0")),
        grant(hidden, some, None),
    ];
    let users = fixture.users(&[("ann", &[])]);
    let served = fixture.serve_users(users, grants).await;
    let proxy = Proxy::to(served.plain).await;
    let mut plain = peer::tcp(proxy.address).await;
    plain.welcome(peer::hello(0)).await;

    for text in REFUSED {
        let (status, message) = plain.select_refused(&sql(about(text, filtered))).await;
        assert_eq!(status, Status::NetworkEncryptRequired, "{text}: {message}");
    }
    for text in REFUSED.iter().chain(ALLOWED) {
        let explain =
            ExplainRequest { sql: about(text, by_card), parameters: Vec::new(), analyze: false };
        for refusal in [
            plain.select_refused(&sql(&explain.sql)).await,
            plain.refused(Kind::Explain, &explain).await,
        ] {
            let expected = format!("{by_card}: file requires network encryption");
            assert_eq!(refusal, (Status::NetworkEncryptRequired, expected), "{text}");
        }
    }
    for file in [filtered, by_card, hidden] {
        let fetch = FetchRequest { file: file.into(), ..FetchRequest::default() };
        plain.refused(Kind::Fetch, &fetch).await;
    }
    assert_eq!(served.activity.files_opened(), 0);
    for text in REFUSED.iter().filter(|text| !text.starts_with("SELECT *")) {
        let (status, message) = plain.select_refused(&sql(about(text, hidden))).await;
        assert_eq!(status, Status::UnknownColumn, "{text}: {message}");
    }
    for text in ALLOWED {
        plain.select(&sql(about(text, filtered))).await;
        plain.select(&sql(about(text, hidden))).await;
    }
    assert_eq!(plain.select(&sql(about("SELECT * FROM", hidden))).await.batch.num_columns(), 2);
    assert!(!leaks(&proxy.seen.lock().unwrap()));
    assert_eq!(*proxy.seen.lock().unwrap(), plain.received);

    // on a channel that meets the requirement, the filter is applied
    let mut ann = peer::user(&served, "ann").await;
    assert_eq!(ann.select(&sql(about("SELECT id FROM", by_card))).await.batch.num_rows(), 2);
    assert_eq!(ann.select(&sql(about("SELECT card FROM", filtered))).await.batch.num_rows(), 1);
}

/// The error of a record quotes bytes of the record.
#[tokio::test]
async fn errors_do_not_quote_what_is_protected() {
    let fixture = Fixture::new();
    let protect = "[[field]]\nname = \"card\"\nnetwork_encrypt = true\n";
    let broken = [
        ("quote.csv", format!("id,card\n1,x\n\"2\"{MARK},y\n")),
        ("header.csv", format!("{MARK},{MARK}\n1,2\n")),
        ("fields.csv", format!("id,card\n1,x\n2,{MARK},{MARK}\n")),
        ("type.csv", format!("id,card\n1,x\n{MARK},{MARK}\n")),
    ];
    for (name, text) in &broken {
        fixture.write(name, text);
        fixture.write(
            &format!("{name}.toml"),
            format!("[[field]]\nname = \"id\"\ntype = \"int64\"\n{protect}"),
        );
    }
    let served = fixture.serve().await;
    let mut plain = peer::plain(&served).await;
    for (name, _) in &broken {
        let (status, message) =
            plain.select_refused(&sql(format!("SELECT id FROM '{name}'"))).await;
        assert!(matches!(status, Status::RecordInvalid | Status::DescriptorInvalid), "{message}");
        assert!(
            message.starts_with(&format!("{name}: the file does not match its description")),
            "{message}"
        );
    }
    assert!(!leaks(&plain.received));
    // a user who may see the column may see its error
    let (_, message) =
        peer::tls(&served).await.select_refused(&sql("SELECT id FROM 'type.csv'")).await;
    assert!(message.contains(MARK), "{message}");
}

/// Between a client and the server, writing down what the server says.
struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// Serves one connection.
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writing = Arc::clone(&seen);
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (mut client_reads, mut client_writes) = client.into_split();
            let server = TcpStream::connect(server).await.unwrap();
            let (mut server_reads, mut server_writes) = server.into_split();
            let forth = tokio::io::copy(&mut client_reads, &mut server_writes);
            let back = async {
                let mut buffer = vec![0; 64 << 10];
                loop {
                    let read = server_reads.read(&mut buffer).await?;
                    if read == 0 {
                        return std::io::Result::Ok(());
                    }
                    // written down before it is passed on
                    writing.lock().unwrap().extend_from_slice(&buffer[..read]);
                    client_writes.write_all(&buffer[..read]).await?;
                }
            };
            // it ends with the connection
            let _ = tokio::join!(forth, back);
        });
        Self { address, seen }
    }
}
