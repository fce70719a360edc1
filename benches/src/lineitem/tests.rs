//! The encoders against what TPC-H prescribes.

use super::*;

/// The first line that the TPC's own generator prints at scale factor 1.
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
fn both_files_hold_every_record() {
    let (_kept, fixed) = generate(Format::Fixed, 0.001);
    let (_kept_too, csv) = generate(Format::Csv, 0.001);
    let records = 6005;
    assert_eq!(fixed.bytes, records * RECORD_BYTES as u64);
    let text = fs::read_to_string(&csv.path).unwrap();
    assert_eq!(text.lines().count() as u64, records + 1);
    assert!(descriptor_path(&fixed.path).exists());
    assert!(!descriptor_path(&csv.path).exists());
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
