//! Connections that wait for a place while `limits.max_connections` is reached.
//!
//! Without the wait, callers whose connections were just closed could take every place at the moment it becomes free, and
//! another caller would be refused for as long as they reconnect.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::refusal::Refusals;
use super::table::{Full, Place, Table};

/// How long a connection waits. In this time every connection that is idle now may be closed to make room.
const LIMIT: Duration = Duration::from_secs(2);
/// How many wait; for a further one, one that has sent nothing is refused.
const CAPACITY: usize = 1000;
/// How many of one address wait.
const CAPACITY_OF_ADDRESS: usize = 100;
/// The time between two looks for free places.
const PAUSE: Duration = Duration::from_millis(10);

struct Waiting {
    stream: TcpStream,
    peer: SocketAddr,
    deadline: Instant,
}

impl Waiting {
    /// `None`: the peer has gone.
    fn has_sent(&self) -> Option<bool> {
        let peek = || Ok(recv(&self.stream, &mut [0], RecvFlags::PEEK)?);
        match self.stream.try_io(Interest::READABLE, peek) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Some(false),
            Ok((0, _)) | Err(_) => None,
            Ok(_) => Some(true),
        }
    }
}

/// The waiting connections, oldest first. Those whose request has begun to arrive get places before the silent ones.
pub(super) struct Queue {
    table: Arc<Table>,
    refusals: Refusals,
    waiting: VecDeque<Waiting>,
    looks: Interval,
}

impl Queue {
    pub(super) fn new(table: Arc<Table>, refusals: Refusals) -> Self {
        let mut looks = interval(PAUSE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            table,
            refusals,
            waiting: VecDeque::new(),
            looks,
        }
    }

    /// A place for a new connection, unless it has to wait or is refused.
    pub(super) fn arrive(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<(TcpStream, SocketAddr, Place)> {
        let full = if self.waiting.is_empty() {
            match self.table.admit(peer) {
                Ok(place) => return Some((stream, peer, place)),
                Err(full) => full,
            }
        } else {
            Full::Gateway
        };
        if full == Full::Gateway && self.has_room(peer) {
            let deadline = Instant::now() + LIMIT;
            self.waiting.push_back(Waiting { stream, peer, deadline });
        } else {
            self.refusals.answer(stream, full);
        }
        None
    }

    /// Whether a connection of `peer` may wait. Refuses a silent one for it.
    fn has_room(&mut self, peer: SocketAddr) -> bool {
        if let Some(address) = self.table.address_of(peer) {
            let of_address = |waiting: &&Waiting| self.table.address_of(waiting.peer) == Some(address);
            if self.waiting.iter().filter(of_address).count() >= CAPACITY_OF_ADDRESS {
                return false;
            }
        }
        if self.waiting.len() < CAPACITY {
            return true;
        }
        let silent = self.waiting.iter().position(|waiting| waiting.has_sent() != Some(true));
        let silent = silent.and_then(|position| self.waiting.remove(position));
        silent
            .map(|silent| self.refusals.answer(silent.stream, Full::Gateway))
            .is_some()
    }

    /// Until it is time for [`Self::admit`]; for ever while no connection waits. It may be dropped and called again.
    pub(super) async fn next_look(&mut self) {
        if self.waiting.is_empty() {
            std::future::pending::<()>().await;
        } else {
            self.looks.tick().await;
        }
    }

    /// The connections that get a place now. Refuses those that have waited too long.
    pub(super) fn admit(&mut self) -> Vec<(TcpStream, SocketAddr, Place)> {
        let mut admitted = Vec::new();
        let now = Instant::now();
        let (mut sent, mut silent) = (VecDeque::new(), VecDeque::new());
        for waiting in self.waiting.drain(..) {
            match waiting.has_sent() {
                Some(true) => sent.push_back(waiting),
                Some(false) => silent.push_back(waiting),
                None => {}
            }
        }
        let mut is_full = false;
        for waiting in sent.into_iter().chain(silent) {
            if waiting.deadline <= now {
                self.refusals.answer(waiting.stream, Full::Gateway);
                continue;
            }
            let place = if is_full {
                Err(Full::Gateway)
            } else {
                self.table.admit(waiting.peer)
            };
            match place {
                Ok(place) => admitted.push((waiting.stream, waiting.peer, place)),
                Err(Full::Address) => self.refusals.answer(waiting.stream, Full::Address),
                Err(Full::Gateway) => {
                    is_full = true;
                    self.waiting.push_back(waiting);
                }
            }
        }
        admitted
    }

    /// All that wait, for the shutdown.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
        self.waiting.into_iter().map(|waiting| (waiting.stream, waiting.peer))
    }
}
