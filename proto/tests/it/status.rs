//! Tests of numbers and names that must never change: a peer of another release depends on them.

use sift_proto::frame::Kind;
use sift_proto::message::Status;

const STATUSES: &[(i32, &str)] = &[
    (0, "STATUS_UNSPECIFIED"),
    (1, "ENCRYPTION_REQUIRED"),
    (2, "ENCRYPTION_NOT_ENABLED"),
    (3, "LEVEL_NOT_MET"),
    (4, "PROTOCOL_VIOLATION"),
    (5, "VERSION_UNSUPPORTED"),
    (6, "SERVER_BUSY"),
    (7, "IDLE_TIMEOUT"),
    (8, "SHUTTING_DOWN"),
    (9, "CLIENT_CERTIFICATE_REQUIRED"),
    (10, "ENDED"),
    (16, "SYNTAX"),
    (17, "UNSUPPORTED"),
    (18, "UNKNOWN_FILE"),
    (19, "UNKNOWN_COLUMN"),
    (20, "UNKNOWN_FUNCTION"),
    (21, "TYPE_MISMATCH"),
    (22, "PARAMETER"),
    (23, "RANGE_INVALID"),
    (24, "LIMIT_EXCEEDED"),
    (25, "COMPUTATION"),
    (26, "CANCELLED"),
    (32, "DESCRIPTOR_INVALID"),
    (33, "RECORD_INVALID"),
    (34, "FILE_CHANGED"),
    (35, "FILE_UNREADABLE"),
    (48, "NETWORK_ENCRYPT_REQUIRED"),
    (49, "LEVEL_REQUIRED"),
    (64, "LOGIN_REJECTED"),
    (65, "GRANT_REQUIRED"),
    (128, "INTERNAL"),
];

const KINDS: &[(u8, &str)] = &[
    (1, "Hello"),
    (2, "Welcome"),
    (3, "Failure"),
    (4, "Finished"),
    (5, "Cancel"),
    (6, "Select"),
    (7, "Fetch"),
    (8, "List"),
    (9, "Describe"),
    (10, "Explain"),
    (11, "Channel"),
    (12, "Schema"),
    (13, "Batch"),
    (14, "FetchStart"),
    (15, "Chunk"),
    (16, "FileList"),
    (17, "Description"),
    (18, "Explanation"),
    (19, "ChannelReport"),
    (24, "Narrow"),
    (25, "Compressed"),
];

/// Checks the list above. A new status is one more line; any other difference breaks a peer.
#[test]
fn every_status_keeps_its_number() {
    let known = (-1000..=1000).filter_map(|number| {
        let status = Status::try_from(number).ok()?;
        Some((number, status.as_str_name()))
    });
    assert_eq!(known.collect::<Vec<_>>(), STATUSES);
}

#[test]
fn every_kind_keeps_its_number() {
    let pinned: Vec<_> = KINDS.iter().map(|(number, name)| (*number, name.to_string())).collect();
    let known = (0..=u8::MAX).filter_map(|number| Kind::try_from(number).ok());
    let numbered = |kind: Kind| (kind as u8, kind.to_string());
    assert_eq!(known.map(numbered).collect::<Vec<_>>(), pinned);
    assert_eq!(Kind::ALL.iter().copied().map(numbered).collect::<Vec<_>>(), pinned);
}
