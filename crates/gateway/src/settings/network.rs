//! A network, or a single address, as `server.trusted_proxies` lists them.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{AddrParseError, IpNet};

/// `10.0.0.0/8`, or `::1` for that address alone.
pub(crate) struct IpNetwork(pub(crate) IpNet);

impl FromStr for IpNetwork {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse::<IpAddr>()
            .map(IpNet::from)
            .or_else(|_| text.parse())
            .map(Self)
    }
}
