//! The link between client and server: loopback in a separate network namespace, at its full rate
//! or shaped.
//!
//! A program that needs a link starts itself again inside of it: it calls [`enter`] first. The byte
//! counters of the namespace count only this program, and the namespace ends with it. It needs
//! Linux, the right to make a namespace (root), and the programs unshare, ip and tc.

use std::fmt;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;

use crate::Result;

/// The rate and the round trip of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The rate in the words of tc, such as `1gbit`; the full rate if absent.
    pub rate: Option<String>,
    /// The added round trip in milliseconds, if any. It needs a kernel with netem.
    pub round_trip: Option<String>,
}

/// The variable in the environment of a program that is already inside.
const INSIDE: &str = "SIFT_BENCH_INSIDE";

/// Its value on a shaped link.
const SHAPED: &str = "shaped";

/// The address of servers on a shaped link, one of RFC 5737 for examples.
pub(crate) const SHAPED_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

impl FromStr for Link {
    type Err = String;

    /// Parses `loopback`, `RATE` or `RATE/RTT`: `1gbit`, `100mbit/20ms`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "loopback" {
            return Ok(Self::default());
        }
        let (rate, round_trip) = match text.split_once('/') {
            Some((rate, round_trip)) => (rate, Some(round_trip.to_owned())),
            None => (text, None),
        };
        let number = |text: &str, unit: &str| {
            text.strip_suffix(unit).is_some_and(|number| number.parse::<f64>().is_ok())
        };
        let rate_fits = number(rate, "gbit") || number(rate, "mbit");
        if !rate_fits || round_trip.as_ref().is_some_and(|time| !number(time, "ms")) {
            return Err(format!("`{text}` is not a link: loopback, 1gbit or 100mbit/20ms"));
        }
        Ok(Self { rate: Some(rate.to_owned()), round_trip })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rate.as_deref().unwrap_or("loopback"))?;
        self.round_trip.as_ref().map_or(Ok(()), |time| write!(f, "/{time}"))
    }
}

/// Returns whether this program is alone on its link, so that the counters count only this program.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Returns the address at which servers listen. On a shaped link it is not one of loopback, for
/// whose clients Sift does not compress.
pub fn address() -> Ipv4Addr {
    match std::env::var_os(INSIDE).is_some_and(|value| value == SHAPED) {
        true => SHAPED_ADDRESS,
        false => Ipv4Addr::LOCALHOST,
    }
}

/// Runs this program again inside of `link` and returns its exit code. Returns `None` if it is
/// already inside, or if a namespace is not needed and cannot be made.
///
/// # Errors
/// A link that is needed but cannot be made here.
pub fn enter(link: &Link) -> Result<Option<ExitCode>> {
    if is_inside() {
        run("ip", &["link", "set", "lo", "up"])?;
        shape(link)?;
        return Ok(None);
    }
    if !namespace_is_possible() {
        if *link == Link::default() {
            return Ok(None);
        }
        return Err(
            format!("link {link}: no network namespace: root, unshare and ip are needed").into()
        );
    }
    let arguments = std::env::args_os().skip(1);
    let mut again = Command::new("unshare");
    again.arg("--net").arg("--").arg(std::env::current_exe()?).args(arguments);
    again.env(INSIDE, if link.rate.is_some() { SHAPED } else { "1" });
    let status = again.status()?;
    Ok(Some(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .map_or(ExitCode::FAILURE, ExitCode::from),
    ))
}

fn namespace_is_possible() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--net", "ip", "link"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn shape(link: &Link) -> Result<()> {
    let Some(rate) = &link.rate else { return Ok(()) };
    run("ip", &["address", "add", &SHAPED_ADDRESS.to_string(), "dev", "lo"])?;
    let add = ["qdisc", "add", "dev", "lo", "root"];
    match &link.round_trip {
        // both directions use loopback, so each is delayed by half
        Some(round_trip) => {
            let half = round_trip.trim_end_matches("ms").parse::<f64>()? / 2.0;
            let delay = format!("{half}ms");
            run(
                "tc",
                &[&add[..], &["netem", "rate", rate, "delay", &delay, "limit", "100000"]].concat(),
            )
            .map_err(|error| format!("{error}; a round trip takes a kernel with netem").into())
        }
        None => run(
            "tc",
            &[&add[..], &["tbf", "rate", rate, "burst", "1mb", "latency", "50ms"]].concat(),
        ),
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_they_are_shown() {
        for text in ["loopback", "1gbit", "10gbit/0.1ms", "100mbit/20ms"] {
            assert_eq!(text.parse::<Link>().unwrap().to_string(), text);
        }
        for text in ["", "fast", "1gbit/20", "1gbit/20s", "gbit", "1/1ms"] {
            assert!(text.parse::<Link>().is_err(), "{text}");
        }
    }
}
