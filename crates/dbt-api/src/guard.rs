//! The address rule: a credential that came in through the API leads to public addresses alone. Otherwise whoever may
//! store one could make the gateway ask, from within our network, what nobody outside can reach.
//!
//! Judged is the address that is connected to, never an earlier look-up, since a name may answer differently a moment
//! later: `reqwest` gets its addresses from [`Guard`] and has no other source of them, except for IP addresses in the
//! URL, which [`check_literal`] judges. Called by `http.rs` alone, which also sees to it that a guarded connection goes
//! through no proxy (the proxy would connect for us) and is never one that an unguarded request has left open.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use address_rules::{is_evidently_private, is_public_address};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::ApiError;

/// Finds the addresses of a name.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    /// All addresses, in the order to try them.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, as for every other connection of this process.
struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Names no address but public ones.
#[derive(Clone)]
pub(crate) struct Guard {
    lookup: Arc<dyn Lookup>,
    may_connect: fn(IpAddr) -> bool,
}

impl Default for Guard {
    fn default() -> Self {
        let lookup = Arc::new(SystemLookup);
        let may_connect = is_public_address;
        Self { lookup, may_connect }
    }
}

/// A name has addresses, none of them public. They are not told: this text reaches request logs, which a company reads.
#[derive(Debug, thiserror::Error)]
#[error("no address of this name is public")]
struct NoPublicAddress;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { lookup, may_connect } = self.clone();
        Box::pin(async move {
            let found = lookup.addresses(name.as_str()).await?;
            let has_some = !found.is_empty();
            let allowed: Vec<_> = found
                .into_iter()
                .filter(|address| may_connect(*address))
                // Port 0 stands for the URL's.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() && has_some {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Refuses what needs no look-up: an IP address in the URL never comes to [`Guard`], and `localhost` need not.
pub(crate) fn check_literal(address: &Url) -> Result<(), ApiError> {
    if is_evidently_private(address) {
        return Err(ApiError::ForbiddenAddress);
    }
    Ok(())
}

/// Whether the connection failed because [`Guard`] left no address.
pub(crate) fn has_refused(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |&cause| cause.source()).any(<dyn Error + 'static>::is::<NoPublicAddress>)
}

#[cfg(test)]
mod tests;
