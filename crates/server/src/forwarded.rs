//! The address that callers use, and their own, behind a proxy that terminates TLS. Only configured proxies are trusted.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme};
use axum::http::{Extensions, HeaderMap};
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

/// The address of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerAddress {
    /// The peer of the connection.
    Direct(IpAddr),
    /// As a trusted proxy says.
    Forwarded(IpAddr),
}

impl CallerAddress {
    /// The peer; of a trusted proxy the last address in `X-Forwarded-For` that is not a trusted proxy. `None`: a proxy does
    /// not say.
    pub(crate) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Option<Self> {
        let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        let peer = peer.ip().to_canonical();
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(&peer) {
            return Some(Self::Direct(peer));
        }
        let values = headers.get_all("x-forwarded-for").iter().rev();
        for value in values {
            for entry in value.to_str().ok()?.rsplit(',') {
                let address = parse(entry.trim())?.to_canonical();
                if !is_trusted(&address) {
                    return Some(Self::Forwarded(address));
                }
            }
        }
        None
    }

    pub(crate) fn ip(self) -> IpAddr {
        match self {
            Self::Direct(address) | Self::Forwarded(address) => address,
        }
    }
}

/// An address, which some proxies write with its port.
fn parse(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry.parse().ok().or_else(with_port).or_else(in_brackets)
}

/// The header's last value, which the nearest proxy wrote.
fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let value = parts.headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn caller(peer: &str, forwarded: &[&'static str]) -> Option<CallerAddress> {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().expect("an address"), 1)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network"));
        CallerAddress::of(&extensions, &headers, &trusted)
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_is_the_callers() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let direct = Some(CallerAddress::Direct(address("192.0.2.1")));
        assert_eq!(caller("192.0.2.1", &["198.51.100.7"]), direct, "not a trusted proxy");
        assert_eq!(caller("::ffff:192.0.2.1", &[]), direct);
        let forwarded = Some(CallerAddress::Forwarded(address("198.51.100.7")));
        for values in [
            &["198.51.100.7"][..],
            &["1.1.1.1, 198.51.100.7, 10.1.1.1"],
            &["1.1.1.1", "198.51.100.7:4711", "10.1.1.1"],
        ] {
            assert_eq!(caller("10.0.0.1", values), forwarded, "{values:?}");
        }
        let forwarded = Some(CallerAddress::Forwarded(address("2001:db8::1")));
        for value in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"] {
            assert_eq!(caller("::1", &[value]), forwarded);
        }
        for values in [&[][..], &["10.2.2.2"], &["unknown"], &["1.1.1.1, unknown"]] {
            assert_eq!(caller("10.0.0.1", values), None, "{values:?}");
        }
    }
}
