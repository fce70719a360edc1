//! Encrypted Parquet files: with keys, without, and on which channels.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::WriterProperties;
use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FetchStart, FileList, ListRequest,
    Status,
};
use sift_select::ParquetKey;
use sift_server::{Grant, KeyRule, Keyring};

use crate::fixture::{Fixture, binary};
use crate::peer::{self, sql};

const FOOTER: &[u8] = b"0123456789abcdef";
const PAY: &[u8] = b"an other key of thirty-two bytes";

/// The digits of a key, as a configuration has them.
fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `id` and `pay` from 0 to 2, `pay` by a key of its own; the footer and `id`, or the footer's
/// signature alone, by another.
fn file(is_plain: bool) -> Vec<u8> {
    let encryption = FileEncryptionProperties::builder(FOOTER.to_vec())
        .with_footer_key_metadata("footer".into())
        .with_column_key_and_metadata("pay", PAY.to_vec(), "pay".into())
        .with_plaintext_footer(is_plain);
    let properties = WriterProperties::builder()
        .with_file_encryption_properties(encryption.build().unwrap())
        .build();
    let column = || -> ArrayRef { Arc::new(Int64Array::from_iter_values(0..3)) };
    let batch = RecordBatch::try_from_iter([("id", column()), ("pay", column())]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// With `all.parquet`, in which the names of the columns are encrypted, and `pay.parquet`.
fn fixture(keys: &[(&str, &[u8])]) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.write("all.parquet", file(false));
    fixture.write("pay.parquet", file(true));
    let keys =
        keys.iter().map(|(name, key)| ((*name).to_owned(), Ok(ParquetKey::new(key).unwrap())));
    fixture.keyring = Keyring::new(keys.collect::<BTreeMap<_, _>>(), Vec::new());
    fixture
}

const KEYS: &[(&str, &[u8])] = &[("footer", FOOTER), ("pay", PAY)];

#[tokio::test]
async fn what_is_encrypted_leaves_on_encrypted_channels_only() {
    let served = fixture(KEYS).serve().await;
    let mut plain = peer::plain(&served).await;
    let mut tls = peer::tls(&served).await;
    let all = "all.parquet: file requires network encryption";
    let pay = "pay.parquet: column `pay` requires network encryption";
    // twice, since the second time the file is open already
    for _ in 0..2 {
        for (text, refusal) in [
            ("SELECT * FROM 'all.parquet'", Some(all)),
            ("SELECT count(*) FROM 'all.parquet'", Some(all)),
            ("SELECT nothing FROM 'all.parquet'", Some(all)),
            ("SELECT id FROM '*.parquet' WHERE id >= 0", Some(all)),
            ("SELECT * FROM 'pay.parquet'", Some(pay)),
            ("SELECT id FROM 'pay.parquet' WHERE Pay < 0", Some(pay)),
            ("SELECT id FROM 'pay.parquet' ORDER BY pay", Some(pay)),
            ("SELECT id FROM 'pay.parquet'", None),
            ("SELECT count(*) FROM 'p*.parquet' WHERE id < 9", None),
        ] {
            let select = sql(text);
            match refusal {
                None => assert!(plain.select(&select).await.batch.num_rows() > 0, "{text}"),
                Some(why) => {
                    let expected = (Status::NetworkEncryptRequired, why.to_owned());
                    assert_eq!(plain.select_refused(&select).await, expected, "{text}");
                    let explain =
                        ExplainRequest { sql: text.into(), parameters: Vec::new(), analyze: false };
                    assert_eq!(plain.refused(Kind::Explain, &explain).await, expected, "{text}");
                }
            }
        }
        for name in ["all", "pay"] {
            let select = sql(format!("SELECT pay FROM '{name}.parquet' WHERE pay > 0"));
            assert_eq!(tls.select(&select).await.column::<Int64Array>(0).values()[..], [1, 2]);
        }
    }
    // as it lies it may leave
    for name in ["all.parquet", "pay.parquet"] {
        plain.send(Kind::Fetch, &FetchRequest { file: name.into(), ..Default::default() }).await;
        let _: FetchStart = plain.message(Kind::FetchStart).await;
        plain = peer::plain(&served).await;
    }
}

#[tokio::test]
async fn what_is_encrypted_is_described_as_protected() {
    let served = fixture(KEYS).serve().await;
    let mut plain = peer::plain(&served).await;
    let mut tls = peer::tls(&served).await;
    let fields = |description: &Description| {
        let fields = description.fields.iter();
        fields.map(|field| (field.name.clone(), field.network_encrypt)).collect::<Vec<_>>()
    };
    let described = |name: &str| DescribeRequest { file: name.into() };
    plain.send(Kind::Describe, &described("all.parquet")).await;
    let all = plain.message::<Description>(Kind::Description).await;
    assert!(all.network_encrypt && all.fields.is_empty() && all.records.is_none());
    tls.send(Kind::Describe, &described("all.parquet")).await;
    let all = tls.message::<Description>(Kind::Description).await;
    assert!(all.network_encrypt && all.fields.len() == 2);
    plain.send(Kind::Describe, &described("pay.parquet")).await;
    let pay = plain.message::<Description>(Kind::Description).await;
    assert!(!pay.network_encrypt);
    assert_eq!(fields(&pay), [("id".to_owned(), false), ("pay".to_owned(), true)]);
    // a list shows the same
    plain.send(Kind::List, &ListRequest { pattern: String::new() }).await;
    let list = plain.message::<FileList>(Kind::FileList).await.files;
    let listed: Vec<_> = list.iter().map(|file| (&file.path[..], file.network_encrypt)).collect();
    assert_eq!(listed, [("all.parquet", true), ("pay.parquet", false)]);
}

#[tokio::test]
async fn a_key_that_is_missing_or_another_is_told() {
    let served = fixture(&[]).serve().await;
    let mut tls = peer::tls(&served).await;
    for (text, why) in [
        (
            "SELECT id FROM 'all.parquet'",
            "all.parquet: the file is encrypted by the key 'footer', which is not given",
        ),
        (
            "SELECT pay FROM 'pay.parquet'",
            "pay.parquet: column `pay` is encrypted by the key 'pay', which is not given",
        ),
    ] {
        let expected = (Status::FileUnreadable, why.to_owned());
        assert_eq!(tls.select_refused(&sql(text)).await, expected);
    }
    let ids = sql("SELECT id FROM 'pay.parquet'");
    assert_eq!(tls.select(&ids).await.batch.num_rows(), 3);
    // on a plain channel, the missing encryption is reported before the missing key
    let mut plain = peer::plain(&served).await;
    let (status, _) = plain.select_refused(&sql("SELECT pay FROM 'pay.parquet'")).await;
    assert_eq!(status, Status::NetworkEncryptRequired);

    let served = fixture(&[("footer", FOOTER), ("pay", FOOTER)]).serve().await;
    let refused = peer::tls(&served).await.select_refused(&ids).await;
    let why = "pay.parquet: the metadata of column 'pay' does not decrypt: 'pay' is not the key, \
               or the file is damaged";
    assert_eq!(refused, (Status::RecordInvalid, why.to_owned()));
}

/// Errors do not show to a reader which columns the row filter reads.
#[tokio::test]
async fn a_key_that_a_row_filter_lacks_is_told_to_nobody() {
    let fixture = fixture(&[("footer", FOOTER)]);
    let users = fixture.users(&[("ann", &[])]);
    let grant = Grant::new(
        vec!["ann".to_owned()],
        vec![],
        &["pay.parquet".to_owned()],
        Some(vec!["id".to_owned()]),
        Some("pay < 2"),
    );
    let served = fixture.serve_users(users, vec![grant.unwrap()]).await;
    let mut ann = peer::user(&served, "ann").await;
    for text in ["SELECT id FROM 'pay.parquet'", "SELECT count(*) FROM '*.parquet'"] {
        let (status, why) = ann.select_refused(&sql(text)).await;
        assert_eq!(status, Status::FileUnreadable);
        let expected = "pay.parquet: the file cannot be opened with your grant; the server's \
                        log says why";
        assert_eq!(why, expected);
    }
}

#[tokio::test]
async fn rules_tell_the_key_of_files_that_do_not() {
    let bytes = include_bytes!("../../../select/tests/data/encrypted-prefix.parquet");
    let mut fixture = Fixture::new();
    fixture.write("vault/a.parquet", bytes);
    fixture.write("b.parquet", bytes);
    let rule =
        KeyRule::new(&["vault/*".to_owned()], Some("k".into()), Some("ours".into())).unwrap();
    let keys = [("k".to_owned(), Ok(ParquetKey::new(FOOTER).unwrap()))];
    fixture.keyring = Keyring::new(keys.into(), vec![rule]);
    let served = fixture.serve().await;
    let mut tls = peer::tls(&served).await;
    let select = sql("SELECT count(*) FROM 'vault/a.parquet'");
    assert_eq!(tls.select(&select).await.column::<Int64Array>(0).values()[..], [40]);
    let (status, _) = tls.select_refused(&sql("SELECT count(*) FROM 'b.parquet'")).await;
    assert_eq!(status, Status::FileUnreadable);
}

/// `siftd` with a configuration that has the keys: the code, and all that it said.
fn siftd(fixture: &Fixture, configuration: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = fixture.outside("config/sift");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("footer.key"), hex(FOOTER) + "\n").unwrap();
    let text = format!("data = '../../data'\nsecure = false\n{configuration}");
    std::fs::write(folder.join("siftd.toml"), text).unwrap();
    let output = Command::new(binary())
        .args(arguments)
        .current_dir(fixture.data())
        .env("XDG_CONFIG_HOME", fixture.outside("config"))
        .env("PAY_KEY", hex(PAY))
        .output();
    let Output { status, stdout, stderr } = output.unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!said.contains(&hex(FOOTER)) && !said.contains(&hex(PAY)), "{said}");
    (status.code(), said)
}

const CONFIGURATION: &str = "
[[parquet_key]]
name = 'footer'
file = 'footer.key'
[[parquet_key]]
name = 'pay'
env = 'PAY_KEY'
[[listener]]
encrypt = false
";

#[test]
fn every_command_has_the_keys_of_the_configuration() {
    let fixture = fixture(&[]);
    let query = ["query", "SELECT sum(pay) FROM '*.parquet'"];
    assert_eq!(siftd(&fixture, CONFIGURATION, &query), (Some(0), "sum(pay)\n6\n".to_owned()));
    let protect = ["file", "protect", "all.parquet", "--column", "id"];
    let (code, said) = siftd(&fixture, CONFIGURATION, &protect);
    assert_eq!(code, Some(0), "{said}");
    std::fs::remove_file(fixture.data().join("all.parquet.toml")).unwrap();
    let (code, said) = siftd(&fixture, CONFIGURATION, &["index", "show", "all.parquet"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = siftd(&fixture, CONFIGURATION, &["check"]);
    assert!(code == Some(0) && said.contains("2 files"), "{said}");

    let without = "[[listener]]\nencrypt = false\n";
    let (code, said) = siftd(&fixture, without, &["check"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("error: all.parquet: the file is encrypted by the key 'footer'"),
        "{said}"
    );
    let (code, said) = siftd(&fixture, without, &query);
    assert!(code == Some(2) && said.contains("which is not given"), "{said}");
}

#[test]
fn mistakes_about_keys_are_named() {
    let fixture = fixture(&[]);
    std::fs::write(fixture.outside("bad.key"), "0x0123").unwrap();
    for (configuration, expected) in [
        ("[[parquet_key]]\nname = 'a'", "parquet_key 1: a key is in a `file` or in a variable"),
        (
            "[[parquet_key]]\nname = 'a'\nenv = 'NO_SUCH_KEY'",
            "parquet_key 1: `a`: the environment has no NO_SUCH_KEY",
        ),
        (
            "[[parquet_key]]\nname = 'a'\nfile = '../../bad.key'",
            "bad.key: not a key of 32, 48 or 64 hexadecimal digits",
        ),
        (
            "[[parquet_key]]\nname = 'a'\nenv = 'PAY_KEY'\n[[parquet_key]]\nname = 'a'\nenv = 'PAY_KEY'",
            "parquet_key 2: there is another key `a`",
        ),
        ("[[parquet_key]]\nname = 'a'\nkey = '00'", "unknown field `key`"),
        ("[[parquet]]\nfiles = ['a']", "parquet 1: it has no effect"),
        ("[[parquet]]\nfiles = ['a']\nkey = 'b'", "parquet 1: there is no [[parquet_key]] `b`"),
        ("[[parquet]]\nfiles = ['***']\naad_prefix = 'b'", "parquet 1: Pattern syntax"),
    ] {
        let (code, said) = siftd(&fixture, configuration, &["serve"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{configuration}: {said}");
    }
    // of one that is missing here, who selects from another file need not hear
    let missing = "[[parquet_key]]\nname = 'footer'\nfile = 'nowhere.key'\n";
    fixture.write("a.csv", "a\n1\n");
    assert_eq!(siftd(&fixture, missing, &["query", "a.csv"]), (Some(0), "a\n1\n".to_owned()));
    let (_, said) = siftd(&fixture, missing, &["query", "all.parquet"]);
    assert!(said.contains("the key 'footer', which cannot be had: "), "{said}");
    assert!(said.contains("nowhere.key: No such file"), "{said}");
}
