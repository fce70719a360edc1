//! The account of one request: the facts for the log, some of which the client sees, too.

use std::time::Duration;

use sift_proto::frame::Kind;
use sift_proto::message::Statistics;

use crate::audit::Asked;

/// The facts about a request for the log. They are filled in step by step, so they are true for an
/// answer that broke off, too.
#[derive(Debug, Default)]
pub(crate) struct RequestAccount {
    pub(crate) file: String,
    /// True if `file` is the one file that is read, and no pattern.
    pub(crate) is_of_file: bool,
    pub(crate) statistics: Statistics,
    /// The wait for other requests of the user.
    pub(crate) queue_time: Duration,
    /// The text and the plan, if somebody wants to know them.
    pub(crate) asked: Asked,
    /// True if the line of the audit log has been written.
    pub(crate) is_audited: bool,
    /// The records for which a row filter had no value.
    pub(crate) records_undecided: u64,
    /// Says that the client may not see the whole file. Then it does not learn how much work the
    /// rest caused.
    pub(crate) of_part: bool,
}

impl RequestAccount {
    pub(crate) fn count_scan(&mut self, scan: &sift_select::ScanStatistics) {
        let statistics = &mut self.statistics;
        statistics.records_scanned = Some(scan.records_scanned);
        statistics.bytes_scanned = Some(scan.bytes_scanned);
        statistics.records_pruned = Some(scan.records_pruned);
        statistics.records_selected = scan.records_selected;
        statistics.scan_micros = Some(micros(scan.scan_time));
        self.records_undecided = scan.records_undecided;
    }

    /// Returns the bytes that are stored: in the file of a Select, or in the fetched part of a file.
    pub(crate) fn bytes_stored(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Select => self.statistics.file_bytes,
            Kind::Fetch => Some(self.statistics.narrow_bytes),
            _ => None,
        }
    }

    /// Returns how many bytes fewer were sent than are stored. More bytes give a negative number.
    pub(crate) fn bytes_saved(&self, kind: Kind) -> Option<i64> {
        let stored = self.bytes_stored(kind)?.cast_signed();
        Some(stored.wrapping_sub(self.statistics.bytes_sent.cast_signed()))
    }

    /// Returns the statistics that the client may see.
    pub(crate) fn visible(&self) -> Statistics {
        if self.of_part { of_part(&self.statistics) } else { self.statistics }
    }
}

/// Returns the statistics without the values that depend on hidden parts.
fn of_part(statistics: &Statistics) -> Statistics {
    let Statistics {
        records_selected,
        bytes_sent,
        send_micros,
        total_micros,
        arrow_bytes,
        narrow_bytes,
        ..
    } = *statistics;
    Statistics {
        records_selected,
        bytes_sent,
        send_micros,
        total_micros,
        arrow_bytes,
        narrow_bytes,
        ..Statistics::default()
    }
}

/// Returns whole microseconds; 500,000 years fit.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_are_the_bytes_that_are_stored_and_not_sent() {
        let mut account = RequestAccount::default();
        account.statistics.narrow_bytes = 300;
        account.statistics.bytes_sent = 500;
        assert_eq!(account.bytes_saved(Kind::Select), None);
        account.statistics.file_bytes = Some(2000);
        assert_eq!(account.bytes_saved(Kind::Select), Some(1500));
        assert_eq!(account.bytes_saved(Kind::Fetch), Some(-200));
        assert_eq!(account.bytes_saved(Kind::Explain), None);
    }
}
