//! Tests of the encoders against the specification of TPC-H.

use arrow::util::display::array_value_to_string;

use super::*;
use crate::local;

/// The first line of the output of the TPC's generator at scale factor 1.
const FIRST: &str = "1,155190,7706,1,17.00,21168.23,0.04,0.02,N,O,1996-03-13,1996-02-12,\
1996-03-22,DELIVER IN PERSON,TRUCK,egular courts above the";

fn generate(format: Format, scale: f64) -> (tempfile::TempDir, Lineitem) {
    let folder = tempfile::tempdir().unwrap();
    let made = Lineitem::generate(folder.path(), format, scale, &ProgressBar::hidden()).unwrap();
    (folder, made)
}

#[test]
fn csv_is_what_the_tpc_generator_prints() {
    let item = LineItemGenerator::new(1.0, 1, 1).iter().next().unwrap();
    let mut line = Vec::new();
    csv::encode(&item, &mut line);
    assert_eq!(String::from_utf8(line).unwrap(), format!("{FIRST}\n"));
}

#[test]
fn fixed_holds_the_same_record() {
    let item = LineItemGenerator::new(1.0, 1, 1).iter().next().unwrap();
    let mut record = Vec::new();
    fixed::encode(&item, &mut record);
    let mut expected = Vec::from(1_u64.to_le_bytes());
    expected.extend(b"001551900007706\x01\x000001700");
    expected.extend(b"00002116823\x00\x00\x4C\x00\x00\x2CNO199603131996021219960322");
    expected.extend(format!("{:25}{:10}", "DELIVER IN PERSON", "TRUCK").bytes());
    expected.extend(format!("{:44}{:6}", "egular courts above the", "").bytes());
    assert_eq!(record, expected);
}

#[test]
fn json_holds_the_same_record() {
    let item = LineItemGenerator::new(1.0, 1, 1).iter().next().unwrap();
    let mut line = Vec::new();
    json_lines::encode(&item, &mut line);
    let object: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let names = csv::HEADER.trim_ascii_end().split(|byte| *byte == b',');
    let values: Vec<String> = names
        .map(|name| &object[std::str::from_utf8(name).unwrap()])
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    // the digits after the decimal point are lost here
    assert_eq!(values.join(","), FIRST.replace("17.00", "17.0"));
    assert!(line.starts_with(b"{\"l_orderkey\":1,\"l_partkey\":155190,"));
}

#[test]
fn every_file_holds_every_record() {
    let records = 6005;
    for format in Format::ALL {
        let (_kept, made) = generate(format, 0.001);
        assert_eq!(descriptor_path(&made.path).exists(), format == Format::Fixed);
        if format == Format::Fixed {
            assert_eq!(made.bytes, records * RECORD_BYTES as u64);
        }
        let sql = format!(
            "SELECT count(*), sum(l_quantity), min(l_shipdate), max(l_comment) FROM '{}'",
            format.file_name()
        );
        let (_, batches) = local::select_from_path(&sql, &made.path).unwrap();
        let answer: Vec<String> = batches[0]
            .columns()
            .iter()
            .map(|column| array_value_to_string(column, 0).unwrap())
            .collect();
        let expected = ["6005", "152398.00", "1992-01-08", "zle carefully sauternes. quickly"];
        assert_eq!(answer, expected, "{format:?}");
    }
}

#[test]
fn a_scale_that_the_keys_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for scale in [0.0, -1.0, f64::NAN, 1000.0] {
        let bar = ProgressBar::hidden();
        let refused = Lineitem::generate(folder.path(), Format::Csv, scale, &bar).unwrap_err();
        assert!(refused.to_string().starts_with("scale factor"), "{refused}");
    }
}
