//! Which IP addresses are public, and which URLs contain an address that is not.
//!
//! For credentials stored through the API, `dbt-api` checks every address before it connects, and `client` refuses URLs
//! that are evidently private when the credential is stored.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// IPv4 networks that are not public, as first address and prefix length: the IANA special-purpose registry (RFC 6890
/// and its updates), multicast, and one address of Azure.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // "this network"; 0.0.0.0 connects to this machine
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared by a carrier (CGNAT)
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host agent, reachable only from within its machines
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local, with the metadata services of the clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays, withdrawn
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
];

/// The IPv6 range from which public addresses are assigned.
const GLOBAL_UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Networks within it that are not public.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address within; withdrawn
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];
/// NAT64, by which an IPv6-only network reaches IPv4: the last 32 bits are an IPv4 address.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether the address is on the public internet. An IPv6 address that contains an IPv4 address (mapped, NAT64) counts as
/// that one.
pub fn is_public_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => {
            if let Some(mapped) = address.to_ipv4_mapped() {
                is_public_v4(mapped)
            } else if is_within_v6(address, NAT64) {
                let [.., a, b, c, d] = address.octets();
                is_public_v4(Ipv4Addr::new(a, b, c, d))
            } else {
                is_within_v6(address, GLOBAL_UNICAST_V6)
                    && !NOT_PUBLIC_V6.iter().any(|&network| is_within_v6(address, network))
            }
        }
    }
}

/// Whether the host of the URL is a non-public IP address in any notation, or `localhost` or a name below it. Other names
/// are not resolved: they give `false`, whatever address they have.
pub fn is_evidently_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => !is_public_address(address.into()),
        Some(Host::Ipv6(address)) => !is_public_address(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.rsplit('.')
                .next()
                .is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
        }
        None => false,
    }
}

/// Whether the host of the URL is a loopback address or `localhost`. Other names are not resolved.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(host)) => host.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4
        .iter()
        .any(|&(network, length)| (address.to_bits() ^ network.to_bits()).leading_zeros() >= length)
}

fn is_within_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(address: &str) -> bool {
        is_public_address(address.parse().unwrap())
    }

    #[test]
    fn networks_that_are_not_public_end_exactly_at_their_first_and_last_address() {
        // (public neighbour before, first address, last address, public neighbour after)
        let networks = [
            (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
            (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
            (
                Some("100.63.255.255"),
                "100.64.0.0",
                "100.127.255.255",
                Some("100.128.0.0"),
            ),
            (
                Some("126.255.255.255"),
                "127.0.0.0",
                "127.255.255.255",
                Some("128.0.0.0"),
            ),
            (
                Some("168.63.129.15"),
                "168.63.129.16",
                "168.63.129.16",
                Some("168.63.129.17"),
            ),
            (
                Some("169.253.255.255"),
                "169.254.0.0",
                "169.254.255.255",
                Some("169.255.0.0"),
            ),
            (
                Some("172.15.255.255"),
                "172.16.0.0",
                "172.31.255.255",
                Some("172.32.0.0"),
            ),
            (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
            (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
            (
                Some("192.88.98.255"),
                "192.88.99.0",
                "192.88.99.255",
                Some("192.88.100.0"),
            ),
            (
                Some("192.167.255.255"),
                "192.168.0.0",
                "192.168.255.255",
                Some("192.169.0.0"),
            ),
            (
                Some("198.17.255.255"),
                "198.18.0.0",
                "198.19.255.255",
                Some("198.20.0.0"),
            ),
            (
                Some("198.51.99.255"),
                "198.51.100.0",
                "198.51.100.255",
                Some("198.51.101.0"),
            ),
            (
                Some("203.0.112.255"),
                "203.0.113.0",
                "203.0.113.255",
                Some("203.0.114.0"),
            ),
            (Some("223.255.255.255"), "224.0.0.0", "239.255.255.255", None),
            (None, "240.0.0.0", "255.255.255.255", None),
            (
                Some("2000::"),
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:200::"),
            ),
            (
                Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:db9::"),
            ),
            (
                Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2003::"),
            ),
            (
                Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("3fff:1000::"),
            ),
        ];
        for (before, first, last, after) in networks {
            assert!(!is_public(first) && !is_public(last), "{first} to {last}");
            for neighbour in before.iter().chain(&after) {
                assert!(is_public(neighbour), "{neighbour}");
            }
        }
    }

    #[test]
    fn addresses_outside_global_unicast_are_not_public() {
        let addresses = [
            "::",
            "::1",
            "100::1",                                  // discarded
            "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", // unassigned
            "4000::",
            "5f00::1", // segment routing
            "fc00::1", // unique-local
            "fd00:ec2::254",
            "fe80::1", // link-local
            "fec0::1", // site-local
            "ff02::1", // multicast
            "ff0e::1",
        ];
        for address in addresses {
            assert!(!is_public(address), "{address}");
        }
    }

    #[test]
    fn a_private_ipv4_address_within_an_ipv6_address_is_not_public() {
        let forms: [fn(Ipv6Addr) -> Ipv6Addr; 5] = [
            |v4| Ipv6Addr::from_bits(v4.to_bits()),                       // compatible
            |v4| Ipv6Addr::from_bits(0xffff << 32 | v4.to_bits()),        // mapped
            |v4| Ipv6Addr::from_bits(0xffff << 48 | v4.to_bits()),        // translated
            |v4| Ipv6Addr::from_bits(0x2002 << 112 | v4.to_bits() << 80), // 6to4
            |v4| Ipv6Addr::from_bits(0x64_ff9b << 96 | v4.to_bits()),     // NAT64
        ];
        for (network, _) in NOT_PUBLIC_V4 {
            for form in forms {
                let address = form(Ipv6Addr::from_bits(network.to_bits().into()));
                assert!(!is_public_address(address.into()), "{network} as {address}");
            }
        }
        assert!(
            !is_public("64:ff9b:1::808:808"),
            "a local NAT64 prefix may lead anywhere"
        );
        assert!(is_public("::ffff:8.8.8.8") && is_public("64:ff9b::8.8.8.8"));
        assert!(
            !is_public("::8.8.8.8") && !is_public("2002:808:808::1"),
            "withdrawn forms"
        );
    }

    #[test]
    fn addresses_of_the_public_internet_are_public() {
        for address in [
            "8.8.8.8",
            "52.22.161.231",
            "100.0.0.1",
            "2600:1f18::1",
            "2a00:1450:4001:81b::200e",
        ] {
            assert!(is_public(address), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_recognised_in_every_notation() {
        let private = [
            "127.0.0.1",
            "127.1",
            "127.0.0.1.",
            "2130706433",
            "0x7f.1",
            "0x7F000001",
            "0177.0.0.1",
            "１２７.0.0.1", // full-width digits
            "127%2e0.0.1",
            "0",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[64:ff9b::7f00:1]",
            "169.254.169.254",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "dbt.localhost",
            "dbt.localhost.",
            "user:pass@localhost:80",
            "8.8.8.8@10.0.0.1",
        ];
        for host in private {
            let url = Url::parse(&format!("https://{host}/api")).unwrap();
            assert!(is_evidently_private(&url), "{host}");
        }
        for host in [
            "cloud.getdbt.com",
            "8.8.8.8",
            "[2600:1f18::1]",
            "localhost.example",
            "notlocalhost",
            "10.0.0.1@8.8.8.8",
        ] {
            let url = Url::parse(&format!("https://{host}/api")).unwrap();
            assert!(!is_evidently_private(&url), "{host}");
        }
        assert!(Url::parse("https://[fe80::1%25eth0]/").is_err(), "no zones in URLs");
    }

    #[test]
    fn loopback_addresses_and_localhost_are_loopback() {
        let loopback = |url| is_loopback(&Url::parse(url).unwrap());
        assert!(loopback("http://127.8.0.1/") && loopback("http://[::1]:80/") && loopback("http://LOCALHOST/"));
        assert!(!loopback("http://10.0.0.1/") && !loopback("http://localhost.example/"));
    }
}
