//! The address rule, against server-side request forgery: credentials stored through the API may use public addresses
//! only. Otherwise such a credential could make the gateway send requests to hosts of its private network.
//!
//! The rule applies to the address of the connection, not to an earlier look-up, because a name may resolve differently a
//! moment later: `reqwest` gets its addresses from [`Guard`], except for IP addresses in the URL, which [`check_literal`]
//! checks. `http.rs` excludes the two ways around it: a proxy, and connections opened without the guard.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use address_rules::{is_evidently_private, is_public_address};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::ApiError;
use crate::error::causes;

/// Finds the addresses of a name.
#[async_trait]
pub(crate) trait Lookup: Send + Sync {
    /// All addresses, in the order in which to try them.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// A resolver that returns the permitted addresses only.
#[derive(Clone)]
pub(crate) struct Guard {
    lookup: Arc<dyn Lookup>,
    may_connect: fn(IpAddr) -> bool,
}

impl Guard {
    /// Permits public addresses.
    pub(crate) fn public(lookup: Arc<dyn Lookup>) -> Self {
        Self::new(lookup, is_public_address)
    }

    /// Permits every address: for credentials in the settings.
    pub(crate) fn none(lookup: Arc<dyn Lookup>) -> Self {
        Self::new(lookup, |_| true)
    }

    pub(crate) fn new(lookup: Arc<dyn Lookup>, may_connect: fn(IpAddr) -> bool) -> Self {
        Self { lookup, may_connect }
    }
}

/// A name has addresses, none of them public. The text does not contain them, because companies can read it in the request
/// log.
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
                // Port 0 means the port of the URL.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() && has_some {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Refuses private IP addresses in the URL, which [`Guard`] never sees, and `localhost`.
pub(crate) fn check_literal(url: &Url) -> Result<(), ApiError> {
    if is_evidently_private(url) {
        return Err(ApiError::ForbiddenAddress);
    }
    Ok(())
}

/// Whether the connection failed because [`Guard`] found no public address.
pub(crate) fn has_refused(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn Error + 'static>::is::<NoPublicAddress>)
}
