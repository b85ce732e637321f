//! The address that callers use, behind a proxy that terminates TLS. Only configured proxies are trusted.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme};
use ipnet::IpNet;

/// The scheme and host of the caller's request to the proxy.
pub(crate) fn by_proxy(parts: &Parts, trusted: &[IpNet]) -> Option<(Scheme, Authority)> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    // A dual-stack listener shows IPv4 peers in their IPv6 form.
    let peer = peer.ip().to_canonical();
    if !trusted.iter().any(|network| network.contains(&peer)) {
        return None;
    }
    let scheme = match header(parts, "x-forwarded-proto")? {
        proto if proto.eq_ignore_ascii_case("https") => Scheme::HTTPS,
        proto if proto.eq_ignore_ascii_case("http") => Scheme::HTTP,
        _ => return None,
    };
    let host = header(parts, "x-forwarded-host").or_else(|| header(parts, "host"))?;
    Some((scheme, host.parse().ok()?))
}

/// The header's last value, which the nearest proxy wrote.
fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let value = parts.headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}
