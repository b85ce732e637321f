//! Spreads the exchanges with a host over several HTTP/2 connections, so that answers that are read slowly hold up only
//! themselves.
//!
//! `reqwest` opens one HTTP/2 connection for each client and host. A *shard* is a client. Each exchange takes the first
//! shard with a place left for its host, so that few connections are open when little is under way; the shards are made
//! when they are needed. With HTTP/1.1 a shard has a connection for each exchange.
//!
//! `reqwest` keeps a connection that is never idle for ever, so that a name that moved to other addresses would go unnoticed.
//! A client is therefore replaced once it has an age: its exchanges under way end on its connections, which then close.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Client;
use tokio::time::Instant;
use url::{Position, Url};

use crate::BuildError;

/// Hosts without an exchange are forgotten when there are more than this many.
const MAX_IDLE_HOSTS: usize = 256;

/// How one client is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Keeps at most this many idle connections per host.
    Idle(usize),
    /// Opens a new connection for each exchange.
    Nothing,
}

type Make = Box<dyn Fn(Keep) -> Result<Client, BuildError> + Send + Sync>;

/// The clients of one kind of exchanges.
pub(crate) struct Shards {
    make: Make,
    /// The number of exchanges with one host on one shard, from 1.
    places: usize,
    /// The number of idle connections to keep per host, over all shards.
    max_idle: usize,
    /// The age at which a client is replaced.
    max_age: Duration,
    clients: Mutex<Vec<Made>>,
    /// Keeps no connection.
    fresh: OnceLock<Client>,
    hosts: Mutex<HashMap<Box<str>, Arc<Host>>>,
}

/// A client, and when it was made.
struct Made {
    client: Client,
    at: Instant,
}

/// The number of exchanges under way with one host on each shard.
#[derive(Debug, Default)]
struct Host(Mutex<Vec<usize>>);

/// The place of one exchange, held until the body of its answer is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    host: Arc<Host>,
    shard: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.host.0).get_mut(self.shard) {
            *count -= 1;
        }
    }
}

impl Shards {
    /// Makes the first client, so that invalid settings are found at the start.
    pub(crate) fn new(
        places: usize,
        max_idle: usize,
        max_age: Duration,
        make: impl Fn(Keep) -> Result<Client, BuildError> + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        let shards = Self {
            make: Box::new(make),
            places: places.max(1),
            max_idle,
            max_age,
            clients: Mutex::default(),
            fresh: OnceLock::new(),
            hosts: Mutex::default(),
        };
        shards.client(0)?;
        Ok(shards)
    }

    /// A client with room for an exchange with the host of `url`.
    pub(crate) fn take(&self, url: &Url) -> Result<(Client, Place), BuildError> {
        let host = self.host(&url[..Position::BeforePath]);
        let shard = host.take_place(self.places);
        let place = Place { host, shard };
        Ok((self.client(shard)?, place))
    }

    /// A client that opens a new connection.
    pub(crate) fn fresh(&self) -> Result<Client, BuildError> {
        if let Some(client) = self.fresh.get() {
            return Ok(client.clone());
        }
        let client = (self.make)(Keep::Nothing)?;
        Ok(self.fresh.get_or_init(|| client).clone())
    }

    fn client(&self, shard: usize) -> Result<Client, BuildError> {
        let mut clients = lock(&self.clients);
        while clients.len() <= shard {
            let client = self.made(clients.len())?;
            clients.push(client);
        }
        let known = &mut clients[shard];
        if known.at.elapsed() >= self.max_age {
            *known = self.made(shard)?;
        }
        Ok(known.client.clone())
    }

    fn made(&self, shard: usize) -> Result<Made, BuildError> {
        Ok(Made {
            client: (self.make)(self.keep(shard))?,
            at: Instant::now(),
        })
    }

    /// The first shards keep as many idle connections as they may have exchanges; a later one, beyond `max_idle`, at least
    /// one, without which HTTP/2 connections would not be shared.
    fn keep(&self, shard: usize) -> Keep {
        let before = shard.saturating_mul(self.places);
        match self.max_idle {
            0 => Keep::Nothing,
            max => Keep::Idle(max.saturating_sub(before).clamp(1, self.places)),
        }
    }

    fn host(&self, origin: &str) -> Arc<Host> {
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(origin) {
            return Arc::clone(host);
        }
        if hosts.len() > MAX_IDLE_HOSTS {
            hosts.retain(|_, host| Arc::strong_count(host) > 1);
        }
        Arc::clone(hosts.entry(origin.into()).or_default())
    }
}

impl Host {
    /// The first shard with a place left.
    fn take_place(&self, places: usize) -> usize {
        let mut counts = lock(&self.0);
        let shard = counts.iter().position(|count| *count < places).unwrap_or(counts.len());
        match counts.get_mut(shard) {
            Some(count) => *count += 1,
            None => counts.push(1),
        }
        shard
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MAX_AGE: Duration = Duration::from_secs(30);

    fn shards(places: usize, max_idle: usize) -> (Shards, Arc<Mutex<Vec<Keep>>>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made: Arc<Mutex<Vec<Keep>>> = Arc::default();
        let log = Arc::clone(&made);
        let client = move |keep| {
            lock(&log).push(keep);
            Client::builder()
                .no_proxy()
                .build()
                .map_err(|error| BuildError::Client(error.into()))
        };
        (Shards::new(places, max_idle, MAX_AGE, client).unwrap(), made)
    }

    fn take(shards: &Shards, url: &str) -> Place {
        shards.take(&url.parse().unwrap()).unwrap().1
    }

    #[test]
    fn the_first_shard_with_a_place_is_taken_for_each_host() {
        let (shards, made) = shards(2, 256);
        let held: Vec<_> = (0..5).map(|_| take(&shards, "https://a.test/x")).collect();
        assert_eq!(
            held.iter().map(|place| place.shard).collect::<Vec<_>>(),
            [0, 0, 1, 1, 2]
        );
        assert_eq!(take(&shards, "https://b.test/x").shard, 0);
        assert_eq!(take(&shards, "https://a.test:444/x").shard, 0);
        assert_eq!(lock(&made).len(), 3);
    }

    #[test]
    fn a_place_is_free_again_after_its_exchange() {
        let (shards, made) = shards(1, 256);
        let (first, second) = (take(&shards, "https://a.test/"), take(&shards, "https://a.test/"));
        assert_eq!((first.shard, second.shard), (0, 1));
        drop(first);
        assert_eq!(take(&shards, "https://a.test/y").shard, 0);
        assert_eq!(lock(&made).len(), 2);
    }

    #[test]
    fn the_idle_connections_are_spread_over_the_shards() {
        let (few, made) = shards(64, 100);
        let held: Vec<_> = (0..200).map(|_| take(&few, "https://a.test/")).collect();
        assert_eq!(
            *lock(&made),
            [Keep::Idle(64), Keep::Idle(36), Keep::Idle(1), Keep::Idle(1)]
        );
        drop(held);
        let (none, made) = shards(64, 0);
        none.fresh().unwrap();
        none.fresh().unwrap();
        assert_eq!(*lock(&made), [Keep::Nothing, Keep::Nothing]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_replaced_at_its_age_and_others_stay() {
        let (shards, made) = shards(1, 256);
        let held = take(&shards, "https://a.test/");
        advance(MAX_AGE / 2).await;
        drop(take(&shards, "https://a.test/"));
        assert_eq!(lock(&made).len(), 2, "the second shard is younger");
        advance(MAX_AGE / 2).await;
        drop(take(&shards, "https://a.test/"));
        assert_eq!(lock(&made).len(), 2, "the second shard is used, and young");
        drop(held);
        drop(take(&shards, "https://a.test/"));
        assert_eq!(lock(&made).len(), 3, "the first shard was old");
        drop(take(&shards, "https://a.test/"));
        assert_eq!(lock(&made).len(), 3);
    }

    #[test]
    fn hosts_without_an_exchange_are_forgotten() {
        let (shards, _) = shards(1, 1);
        let held = take(&shards, "https://held.test/");
        for number in 0..2 * MAX_IDLE_HOSTS {
            take(&shards, &format!("https://h{number}.test/"));
        }
        assert!(lock(&shards.hosts).len() <= MAX_IDLE_HOSTS + 1);
        assert_eq!(take(&shards, "https://held.test/").shard, 1);
        drop(held);
    }
}
