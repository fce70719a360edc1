//! The bytes of an answer for `--stats`: a line for each size that the server tells.

use sift_client::{Channel, Statistics};

/// Returns the lines for the selected records: as Arrow, and narrow.
pub(super) fn of_records(statistics: &Statistics) -> Vec<String> {
    let Statistics { arrow_bytes, narrow_bytes, .. } = *statistics;
    if arrow_bytes == 0 {
        return Vec::new();
    }
    vec![
        format!("arrow     {arrow_bytes} bytes, the selected records in memory"),
        format!("narrow    {narrow_bytes} bytes"),
    ]
}

/// Returns the line for the bytes that the channel took.
pub(super) fn sent(statistics: &Statistics, channel: &Channel) -> String {
    let Statistics { bytes_sent, narrow_bytes, .. } = *statistics;
    let compressed = if bytes_sent < narrow_bytes { ", compressed" } else { "" };
    match channel.encrypted() {
        true => format!("encrypted {bytes_sent} bytes{compressed}"),
        false => format!("sent      {bytes_sent} bytes in the clear{compressed}"),
    }
}

/// Returns the line for the bytes that are stored in `whole` and were not sent; `None` if nothing
/// is stored.
#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
pub(super) fn saved(statistics: &Statistics, stored_bytes: u64, whole: &str) -> Option<String> {
    let sent_bytes = statistics.bytes_sent;
    match stored_bytes.checked_sub(sent_bytes) {
        _ if stored_bytes == 0 => None,
        Some(saved) => {
            let percent = saved as f64 * 100.0 / stored_bytes as f64;
            Some(format!("saved     {saved} bytes, {percent:.4} % of {whole}"))
        }
        None => {
            let more = sent_bytes - stored_bytes;
            Some(format!("saved     nothing: {more} bytes more than {whole}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved() {
        let saved = |bytes_sent, stored| {
            saved(&Statistics { bytes_sent, ..Statistics::default() }, stored, "the file")
        };
        assert_eq!(saved(1, 0), None);
        let expected = "saved     96091320 bytes, 99.9998 % of the file";
        assert_eq!(saved(200, 96_091_520).unwrap(), expected);
        assert_eq!(saved(1000, 1000).unwrap(), "saved     0 bytes, 0.0000 % of the file");
        assert_eq!(saved(1050, 1000).unwrap(), "saved     nothing: 50 bytes more than the file");
    }
}
