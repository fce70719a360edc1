//! The line of the audit log about a request.

use std::sync::Arc;

use super::account::RequestAccount;
use crate::access::user::User;
use crate::audit::{Event, Request, Who};
use crate::channel::Facts;
use crate::fault::Stop;
use crate::sessions::Running;

/// The request of a line, and who sent it.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    /// The number of the session.
    pub(super) session: u64,
    pub(super) running: &'a Running,
    pub(super) facts: &'a Facts,
    pub(super) user: &'a Arc<User>,
}

/// Returns the line about a request. Without a `stop` its end marker is about to be sent.
pub(super) fn record<'a>(
    sent: Sent<'a>,
    account: &'a RequestAccount,
    bytes: u64,
    stop: Option<&Stop>,
) -> Event<'a> {
    let Sent { session, running, facts, user } = sent;
    // a reason may quote the text and the parameters, which may not be wanted
    let reason = stop.filter(|_| account.asked.may_be_quoted()).map(|stop| match stop {
        Stop::Fault(fault) => fault.to_failure().message,
        Stop::Gone(error) => error.to_string(),
    });
    Event::Request(Box::new(Request {
        who: Who::new(facts, &user.name),
        session,
        request: running.id,
        kind: running.kind.to_string(),
        file: &account.file,
        asked: account.asked.fields(&account.file, account.is_of_file),
        records: running.records(),
        bytes,
        seconds: running.started.elapsed().as_secs_f64(),
        status: stop.map_or("OK", Stop::status),
        reason,
    }))
}
