//! Looks names up without a thread for each: the system's name servers and hosts file, a cache, limits.
//!
//! A name that gets no answer holds only its own callers: each name is looked up once at a time whatever the number of
//! callers, within a time limit and a number of concurrent look-ups.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use futures::future::{BoxFuture, Either, FutureExt as _, Shared, WeakShared, select};
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::DnsSettings;
use crate::guard::Lookup as LooksUp;

/// Read again when they change, as the C library does.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// How often it is checked whether the files have changed.
const CHECK_FILES: Duration = Duration::from_secs(5);
/// How long "there is no such name" is believed: a name that was just created should not stay missing.
const NEGATIVE_CACHE: Duration = Duration::from_secs(10);
/// The number of names in the cache.
const CACHED_NAMES: u64 = 1024;
/// How long the second of the two address families may take longer than the first.
const SECOND_FAMILY: Duration = Duration::from_millis(250);
/// Queries to a name server are repeated, and others asked, within one look-up.
const TRIES: u32 = 3;

/// Addresses, or the text of an error, which all callers of a look-up share.
type Found = Result<Vec<IpAddr>, Arc<str>>;
type Pending = BoxFuture<'static, Found>;

/// The resolver of the process.
pub(crate) struct Dns {
    settings: DnsSettings,
    /// `None`: the system's, read again when it changes.
    servers: Option<Vec<NameServerConfig>>,
    resolver: Mutex<Option<Loaded>>,
    places: Arc<Semaphore>,
    pending: Mutex<HashMap<String, WeakShared<Pending>>>,
}

struct Loaded {
    resolver: TokioResolver,
    hosts: Arc<Hosts>,
    files: Modified,
    checked: Instant,
}

impl Loaded {
    fn parts(&self) -> (TokioResolver, Arc<Hosts>) {
        (self.resolver.clone(), Arc::clone(&self.hosts))
    }
}

type Modified = [Option<SystemTime>; 2];

impl Dns {
    /// The name servers and hosts of the system, which may change meanwhile.
    pub(crate) fn of_system(settings: DnsSettings) -> Self {
        Self::new(settings, None)
    }

    fn new(settings: DnsSettings, servers: Option<Vec<NameServerConfig>>) -> Self {
        Self {
            settings,
            servers,
            resolver: Mutex::default(),
            places: Arc::new(Semaphore::new(settings.max_concurrent.max(1))),
            pending: Mutex::default(),
        }
    }

    /// The resolver and the hosts for the files as they are.
    fn resolver(&self) -> io::Result<(TokioResolver, Arc<Hosts>)> {
        let mut loaded = lock(&self.resolver);
        let now = Instant::now();
        let mut files = None;
        if let Some(known) = &mut *loaded {
            if now.duration_since(known.checked) < CHECK_FILES {
                return Ok(known.parts());
            }
            let found = modified();
            known.checked = now;
            if known.files == found {
                return Ok(known.parts());
            }
            files = Some(found);
        }
        let resolver = self.load()?;
        let new = Loaded {
            resolver,
            // Without a hosts file no name is in it.
            hosts: Arc::new(Hosts::from_system().unwrap_or_default()),
            files: files.unwrap_or_else(modified),
            checked: now,
        };
        Ok(loaded.insert(new).parts())
    }

    fn load(&self) -> io::Result<TokioResolver> {
        let (config, mut options) = match &self.servers {
            Some(servers) => (
                ResolverConfig::from_name_servers(servers.clone()),
                ResolverOpts::default(),
            ),
            None => system_config(),
        };
        options.timeout = options.timeout.min(self.settings.timeout / TRIES);
        options.cache_size = CACHED_NAMES;
        options.positive_max_ttl = Some(self.settings.max_cache_age);
        options.negative_max_ttl = Some(NEGATIVE_CACHE);
        // See `in_hosts`.
        options.use_hosts_file = ResolveHosts::Never;
        // Each look-up asks for two types, at up to two servers.
        options.max_active_requests = options.max_active_requests.max(4 * self.settings.max_concurrent);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        builder.build().map_err(io::Error::other)
    }

    /// The look-up of a name at the name servers that is under way, or a new one.
    fn look_up(&self, name: &str, resolver: TokioResolver) -> Shared<Pending> {
        let mut pending = lock(&self.pending);
        if let Some(under_way) = pending.get(name).and_then(WeakShared::upgrade) {
            return under_way;
        }
        pending.retain(|_, look_up| look_up.upgrade().is_some());
        let (places, limit, asked) = (Arc::clone(&self.places), self.settings.timeout, name.to_owned());
        let look_up = async move {
            let limited = timeout(limit, async {
                let _place = places.acquire().await;
                both_families(&resolver, &asked).await
            });
            match limited.await {
                Ok(found) => found.map_err(|error| error.to_string().into()),
                Err(_) => Err(format!("no name server answered within {limit:?}").into()),
            }
        };
        let look_up = look_up.boxed().shared();
        if let Some(weak) = look_up.downgrade() {
            pending.insert(name.to_owned(), weak);
        }
        look_up
    }
}

#[async_trait]
impl LooksUp for Dns {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let (resolver, hosts) = self.resolver()?;
        let listed = in_hosts(&hosts, name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let found = self.look_up(name, resolver).await;
        found.map_err(|error| io::Error::other(error.to_string()))
    }
}

/// The IPv4 addresses of a name, then its IPv6 addresses. Once one family is known the other has [`SECOND_FAMILY`] left:
/// some name servers never answer queries for IPv6.
async fn both_families(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, NetError> {
    let (v4, v6) = (pin!(resolver.ipv4_lookup(name)), pin!(resolver.ipv6_lookup(name)));
    let (first, second) = match select(v4, v6).await {
        Either::Left((first, rest)) => with_rest(first, rest).await,
        Either::Right((first, rest)) => with_rest(first, rest).await,
    };
    let error = first.as_ref().err().cloned();
    let mut addresses: Vec<_> = [&first, &second].into_iter().flatten().flat_map(of_lookup).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    match error {
        Some(error) if addresses.is_empty() => Err(error),
        _ => Ok(addresses),
    }
}

async fn with_rest(
    first: Result<Lookup, NetError>,
    rest: impl Future<Output = Result<Lookup, NetError>>,
) -> (Result<Lookup, NetError>, Result<Lookup, NetError>) {
    let has_some = first.as_ref().is_ok_and(|first| !first.answers().is_empty());
    let second = if has_some {
        timeout(SECOND_FAMILY, rest).await.unwrap_or(Err(NetError::Timeout))
    } else {
        rest.await
    };
    (first, second)
}

fn of_lookup(found: &Lookup) -> Vec<IpAddr> {
    let addresses = found.answers().iter().filter_map(|record| record.data.ip_addr());
    addresses.collect()
}

/// The addresses of a name in the hosts file. Name servers are not asked for such a name, not even for the other family.
fn in_hosts(hosts: &Hosts, name: &str) -> Vec<IpAddr> {
    let Ok(name) = Name::from_str_relaxed(name) else {
        return Vec::new();
    };
    let found =
        [RecordType::A, RecordType::AAAA].map(|family| hosts.lookup_static_host(&Query::query(name.clone(), family)));
    found.iter().flatten().flat_map(of_lookup).collect()
}

/// The system's name servers; without a usable `/etc/resolv.conf` one on this machine, as the C library has it.
fn system_config() -> (ResolverConfig, ResolverOpts) {
    read_system_conf().unwrap_or_else(|error| {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "no name servers in /etc/resolv.conf: names are looked up at 127.0.0.1"
        );
        let local = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
        (ResolverConfig::from_name_servers(vec![local]), ResolverOpts::default())
    })
}

fn modified() -> Modified {
    FILES.map(|file| fs::metadata(file).and_then(|found| found.modified()).ok())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
