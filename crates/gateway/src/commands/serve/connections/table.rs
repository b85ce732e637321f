//! The open connections of a listener: how many there are, of each address too, and which is closed to make room.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use server::AddressGroup;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::counts::Counts;

/// A new connection may be about to send, so it is not closed to make room for another.
const NEW: Duration = Duration::from_secs(1);
/// A caller that is in the middle of a request may pause this long before its connection is closed to make room.
const PAUSE: Duration = Duration::from_secs(5);

/// How many connections there may be.
#[derive(Debug, Clone)]
pub(crate) struct Capacity {
    /// In all, from 1.
    pub(crate) connections: usize,
    /// From one address; 0: no limit.
    pub(crate) per_address: usize,
    /// Proxies, which have no limit per address.
    pub(crate) trusted: Vec<IpNet>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The one of the connection's address.
    Address,
    /// The one of the whole gateway.
    Gateway,
}

impl Full {
    /// The name of the setting.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::Address => "limits.max_connections_per_address",
            Self::Gateway => "limits.max_connections",
        }
    }
}

#[derive(Debug)]
struct Open {
    /// `None`: a proxy.
    address: Option<AddressGroup>,
    activity: Arc<Activity>,
    close: CancellationToken,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, Open>,
    by_address: HashMap<AddressGroup, usize>,
}

/// The open connections. When a limit is reached, the connection that has waited longest for its peer is closed: an idle
/// one, else one whose caller stopped in the middle of a request.
#[derive(Debug)]
pub(super) struct Table {
    capacity: Capacity,
    start: Instant,
    connections: Mutex<Connections>,
    counts: Arc<Counts>,
}

impl Table {
    pub(super) fn new(capacity: Capacity, counts: Arc<Counts>) -> Self {
        Self {
            capacity,
            start: Instant::now(),
            connections: Mutex::default(),
            counts,
        }
    }

    /// A place for a new connection.
    ///
    /// # Errors
    /// [`Full`]: a limit is reached, and no connection below it waits for its peer.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr) -> Result<Place, Full> {
        let address = self.address_of(peer);
        let mut connections = self.connections();
        if let Some(address) = address
            && self.capacity.per_address > 0
            && connections.by_address.get(&address).copied().unwrap_or_default() >= self.capacity.per_address
            && !self.make_room(&mut connections, |open| open.address == Some(address))
        {
            return Err(Full::Address);
        }
        if connections.open.len() >= self.capacity.connections && !self.make_room(&mut connections, |_| true) {
            return Err(Full::Gateway);
        }
        Ok(self.add(&mut connections, address))
    }

    /// A place for a connection that was accepted by the system before the shutdown.
    pub(super) fn admit_last(self: &Arc<Self>) -> Place {
        self.add(&mut self.connections(), None)
    }

    /// Closes the connection that has waited longest for its peer, if there is one.
    pub(super) fn close_longest_waiting(&self) -> bool {
        self.make_room(&mut self.connections(), |_| true)
    }

    /// Whose limit a connection counts for. `None`: a proxy.
    pub(super) fn address_of(&self, peer: SocketAddr) -> Option<AddressGroup> {
        // A dual-stack listener shows IPv4 peers in their IPv6 form.
        let ip = peer.ip().to_canonical();
        let is_proxy = self.capacity.trusted.iter().any(|network| network.contains(&ip));
        (!is_proxy).then(|| AddressGroup::of(ip))
    }

    fn add(self: &Arc<Self>, connections: &mut Connections, address: Option<AddressGroup>) -> Place {
        let id = connections.next;
        connections.next += 1;
        let open = Open {
            address,
            activity: Arc::new(Activity::new(self.start, Arc::clone(&self.counts))),
            close: CancellationToken::new(),
        };
        let place = Place {
            table: Arc::clone(self),
            id,
            activity: Arc::clone(&open.activity),
            close: open.close.clone(),
        };
        connections.open.insert(id, open);
        if let Some(address) = address {
            *connections.by_address.entry(address).or_default() += 1;
        }
        self.counts.open.fetch_add(1, Ordering::Relaxed);
        place
    }

    fn remove(&self, connections: &mut Connections, id: u64) -> Option<Open> {
        let open = connections.open.remove(&id)?;
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = open.address
            && let Some(count) = connections.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                connections.by_address.remove(&address);
            }
        }
        Some(open)
    }

    fn make_room(&self, connections: &mut Connections, of: impl Fn(&Open) -> bool) -> bool {
        let candidates = connections.open.iter().filter(|(_, open)| of(open));
        let waiting = candidates.filter_map(|(id, open)| {
            let (waits, is_idle) = (open.activity.waits_for()?, !open.activity.is_in_request());
            (waits >= if is_idle { NEW } else { PAUSE }).then_some((is_idle, waits, *id))
        });
        let Some((_, _, id)) = waiting.max() else {
            return false;
        };
        if let Some(open) = self.remove(connections, id) {
            open.close.cancel();
            self.counts.made_room.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Table>,
    id: u64,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the connection has to make room.
    pub(super) close: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.table.connections();
        drop(self.table.remove(&mut connections, self.id));
    }
}
