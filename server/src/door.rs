//! The door of a listener: its connections whose Hello has not been answered, and who of them goes
//! when there are too many.
//!
//! Each connection has a place, of which one address (for IPv6 one /64) has a quarter at most. A
//! connection that has sent nothing is *silent*. It costs a socket and nothing else. If a newcomer
//! finds no place, the oldest silent connection gives way: of the same address if that has its
//! quarter, else of all. A connection that has sent a byte waits for one of few handshakes at once,
//! of which one address has a quarter, too. So strangers who connect and say nothing keep nobody
//! out, and those of one address keep out nobody from another.

use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

use crate::channel::ChannelError;
use crate::limits::Limits;
use crate::metrics::{Held, Metrics};
use crate::open_files;
use crate::permits::{Permit, Permits, network};

/// The places of a listener.
#[derive(Debug)]
pub(crate) struct Door {
    places_max: usize,
    first_byte_time: Duration,
    handshakes: Permits<IpAddr>,
    guests: Mutex<Guests>,
}

/// The connections that have a place.
#[derive(Debug, Default)]
struct Guests {
    /// By their number, so the oldest is the first.
    all: BTreeMap<u64, Guest>,
    /// The places that each address has.
    of_address: HashMap<IpAddr, usize>,
    next: u64,
    turned_away: TurnedAway,
}

#[derive(Debug)]
struct Guest {
    address: IpAddr,
    /// `None` if it has sent something.
    silent: Option<Silent>,
}

#[derive(Debug)]
struct Silent {
    tcp: Arc<TcpStream>,
    give_way: oneshot::Sender<()>,
}

/// Counts the connections that were closed at the door, for the log.
#[derive(Debug, Default)]
struct TurnedAway {
    untold: u64,
    told: Option<Instant>,
}

/// A connection from which nothing has been read.
#[derive(Debug)]
pub(crate) struct Newcomer {
    place: Place,
    tcp: Arc<TcpStream>,
    give_way: oneshot::Receiver<()>,
}

/// A place at the door; dropping it gives it back.
#[derive(Debug)]
struct Place {
    door: Arc<Door>,
    number: u64,
    address: IpAddr,
    _counted: Option<Held>,
}

/// A connection's place, and its permit to perform a handshake.
#[derive(Debug)]
pub(crate) struct Admittance {
    _place: Place,
    _handshake: Permit,
}

impl Door {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let handshakes_max = limits.handshakes_max.get();
        Arc::new(Self {
            // a door takes few of the files that the process may have open
            places_max: limits.pending_connections_max.get().min((open_files::limit() / 16).max(4)),
            first_byte_time: limits.first_byte_time,
            handshakes: Permits::new(handshakes_max, quarter(handshakes_max)),
            guests: Mutex::default(),
        })
    }

    /// Gives a place to a connection that was just accepted. A silent one may have to give way.
    ///
    /// # Errors
    /// `Crowded`
    pub(crate) fn enter(
        self: &Arc<Self>,
        tcp: TcpStream,
        address: IpAddr,
        metrics: Option<&Metrics>,
    ) -> Result<Newcomer, ChannelError> {
        let address = network(address);
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let has_place = if guests.of(address) >= quarter(self.places_max) {
            guests.make_room(address, |guest| guest.address == address)
        } else if guests.all.len() >= self.places_max {
            guests.make_room(address, |_| true)
        } else {
            true
        };
        if !has_place {
            return Err(ChannelError::Crowded);
        }
        let (sender, give_way) = oneshot::channel();
        let tcp = Arc::new(tcp);
        let silent = Some(Silent { tcp: Arc::clone(&tcp), give_way: sender });
        let number = guests.next;
        guests.next += 1;
        guests.all.insert(number, Guest { address, silent });
        *guests.of_address.entry(address).or_default() += 1;
        drop(guests);
        let counted = metrics.map(Metrics::pending);
        let place = Place { door: Arc::clone(self), number, address, _counted: counted };
        Ok(Newcomer { place, tcp, give_way })
    }
}

/// Returns the share of one address.
fn quarter(of: usize) -> usize {
    (of / 4).max(1)
}

impl Guests {
    fn of(&self, address: IpAddr) -> usize {
        self.of_address.get(&address).copied().unwrap_or(0)
    }

    /// Lets the oldest silent guest of some give way to a newcomer from `address`. Returns `false`
    /// if there is none.
    fn make_room(&mut self, address: IpAddr, may_go: impl Fn(&Guest) -> bool) -> bool {
        self.turned_away.tell(address);
        let mut guests = self.all.iter_mut();
        let oldest = guests
            .find_map(|(number, guest)| (may_go(guest) && guest.is_silent()).then_some(*number));
        let Some(number) = oldest else { return false };
        if let Some(Silent { give_way, .. }) = self.leave(number).and_then(|guest| guest.silent) {
            // it fails if the connection has just ended
            let _ = give_way.send(());
        }
        true
    }

    fn leave(&mut self, number: u64) -> Option<Guest> {
        let guest = self.all.remove(&number)?;
        if let Some(count) = self.of_address.get_mut(&guest.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&guest.address);
            }
        }
        Some(guest)
    }
}

impl Guest {
    /// Returns whether nothing has come from it, not even to the kernel.
    fn is_silent(&mut self) -> bool {
        let Some(Silent { tcp, .. }) = &self.silent else { return false };
        // the socket does not block; without bytes it says that it would
        let nothing = SockRef::from(&**tcp).peek(&mut [MaybeUninit::uninit()]).is_err();
        if !nothing {
            self.silent = None;
        }
        nothing
    }
}

/// The time between two lines of the log about one door.
const TELL_AFTER: Duration = Duration::from_secs(60);

impl TurnedAway {
    /// Logs, from time to time, that somebody is turned away because of a newcomer.
    fn tell(&mut self, newcomer: IpAddr) {
        self.untold += 1;
        if self.told.is_some_and(|told| told.elapsed() < TELL_AFTER) {
            return;
        }
        warn!(
            connections = self.untold,
            newcomer = %newcomer,
            "too many connections are waiting for their Hello; the oldest that send nothing are closed"
        );
        *self = Self { untold: 0, told: Some(Instant::now()) };
    }
}

impl Newcomer {
    /// Waits for the first byte, and for the permit to perform a handshake.
    ///
    /// # Errors
    /// `Silent`, `Mute`, `GaveWay`, `Io`.
    pub(crate) async fn begin(self) -> Result<(TcpStream, Admittance), ChannelError> {
        let Self { place, tcp, give_way } = self;
        let time = place.door.first_byte_time;
        let mut byte = [0];
        let heard = tokio::select! {
            biased;
            heard = timeout(time, tcp.peek(&mut byte)) => heard,
            Ok(()) = give_way => return Err(ChannelError::GaveWay),
        };
        match heard {
            Ok(Ok(0)) => return Err(ChannelError::Silent),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error.into()),
            Err(_elapsed) => return Err(ChannelError::Mute(time.as_secs())),
        }
        // the door may have let it give way at the same moment
        let tcp = place.speaks().then_some(tcp).and_then(Arc::into_inner);
        let tcp = tcp.ok_or(ChannelError::GaveWay)?;
        let handshake = place.door.handshakes.acquire(place.address).await;
        Ok((tcp, Admittance { _place: place, _handshake: handshake }))
    }
}

impl Place {
    /// Notes that something was sent. Returns `false` if the place was given to another.
    fn speaks(&self) -> bool {
        let mut guests = self.door.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let guest = guests.all.get_mut(&self.number);
        guest.map(|guest| guest.silent = None).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.guests.lock().unwrap_or_else(PoisonError::into_inner).leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    struct Street {
        listener: TcpListener,
        door: Arc<Door>,
    }

    impl Street {
        async fn new(places_max: usize) -> Self {
            let limits = Limits {
                pending_connections_max: NonZeroUsize::new(places_max).unwrap(),
                ..Limits::default()
            };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Self { listener, door: Door::new(&limits) }
        }

        /// Connects one more, which counts as one from `address`.
        async fn arrive(&self, address: &str) -> (TcpStream, Result<Newcomer, ChannelError>) {
            let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
            let (tcp, _) = self.listener.accept().await.unwrap();
            (client, self.door.enter(tcp, address.parse().unwrap(), None))
        }
    }

    fn is_out(begun: &Result<(TcpStream, Admittance), ChannelError>) -> bool {
        matches!(begun, Err(ChannelError::GaveWay))
    }

    #[tokio::test]
    async fn an_address_has_a_quarter_and_its_oldest_silent_one_goes() {
        let street = Street::new(8).await;
        let (_other, other) = street.arrive("2001:db8:1::1").await;
        let (mut a, first) = street.arrive("2001:db8::1").await;
        let (_b, second) = street.arrive("2001:db8::2").await;
        a.write_all(b"x").await.unwrap();
        // the kernel has the byte of the first one, though nobody has read it
        let (_c, third) = street.arrive("2001:db8::3").await;
        assert!(is_out(&second.unwrap().begin().await));
        let (_, admitted) = first.unwrap().begin().await.unwrap();
        let (_d, fourth) = street.arrive("2001:db8::4").await;
        assert!(is_out(&third.unwrap().begin().await));
        drop(admitted);
        let (_e, fifth) = street.arrive("2001:db8::5").await;
        let (guests, other) = (&street.door.guests, other.unwrap());
        assert_eq!(guests.lock().unwrap().all.len(), 3);
        drop((fourth, fifth, other));
        let guests = guests.lock().unwrap();
        assert!(guests.all.is_empty() && guests.of_address.is_empty());
    }

    #[tokio::test]
    async fn without_a_silent_one_the_newcomer_goes() {
        let street = Street::new(4).await;
        let mut inside = Vec::new();
        for last in 1..=4 {
            let (mut client, newcomer) = street.arrive(&format!("192.0.2.{last}")).await;
            client.write_all(b"x").await.unwrap();
            inside.push((client, newcomer.unwrap()));
        }
        for address in ["192.0.2.9", "192.0.2.1"] {
            assert!(matches!(street.arrive(address).await.1, Err(ChannelError::Crowded)));
        }
        inside.pop();
        street.arrive("192.0.2.9").await.1.unwrap();
        for (_, newcomer) in inside {
            newcomer.begin().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_door_loses_the_oldest_silent_one_of_all() {
        let street = Street::new(4).await;
        let mut inside = Vec::new();
        for last in 1..=5 {
            inside.push(street.arrive(&format!("192.0.2.{last}")).await);
        }
        let (_client, first) = inside.remove(0);
        assert!(is_out(&first.unwrap().begin().await));
        assert_eq!(street.door.guests.lock().unwrap().all.len(), 4);
    }
}
