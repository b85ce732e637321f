//! The resolver with a name server of the tests: it answers, refuses or never answers, by name.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use hickory_resolver::config::ConnectionConfig;
use tokio::net::UdpSocket;

use super::*;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const ADDRESS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
/// Only against a test that hangs.
const LONG: Duration = Duration::from_secs(20);

/// Answers queries of names that begin with `up` by `ADDRESS` and `ADDRESS_V6`; of `v4only` those for IPv4 only; all of
/// `missing` by NXDOMAIN; never answers any other.
struct NameServer {
    queries: Arc<AtomicUsize>,
    config: NameServerConfig,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut udp = ConnectionConfig::udp();
        udp.port = socket.local_addr().unwrap().port();
        let config = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![udp]);
        let queries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&queries);
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&query[..length]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        Self { queries, config }
    }

    fn dns(&self, settings: DnsSettings) -> Dns {
        Dns::new(settings, Some(vec![self.config.clone()]))
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }
}

/// A response (RFC 1035, section 4.1): the header, the question as it came, one record for `A`.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let first_label = 13..13 + usize::from(query[12]);
    let label = String::from_utf8_lossy(&query[first_label]).to_ascii_lowercase();
    let name_length = query[12..].iter().position(|byte| *byte == 0)? + 1;
    let question = &query[12..12 + name_length + 4];
    let is_a = question[name_length..name_length + 2] == [0, 1];
    let (code, answers) = match label.as_str() {
        "missing" => (3, 0),
        "v4only" if is_a => (0, 1),
        label if label.starts_with("up") => (0, 1),
        _ => return None,
    };
    let mut message = query[..2].to_vec();
    message.extend([0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    message.extend(question);
    if answers == 1 {
        // A pointer to the name; type and class as asked; a TTL of an hour; the length and the address.
        message.extend([0xc0, 12]);
        message.extend(&question[name_length..]);
        message.extend(3600_u32.to_be_bytes());
        match if is_a { ADDRESS } else { ADDRESS_V6 } {
            IpAddr::V4(address) => message.extend([0, 4].into_iter().chain(address.octets())),
            IpAddr::V6(address) => message.extend([0, 16].into_iter().chain(address.octets())),
        }
    }
    Some(message)
}

fn settings(timeout: Duration, max_concurrent: usize) -> DnsSettings {
    DnsSettings {
        timeout,
        max_concurrent,
        ..DnsSettings::default()
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_then_known() {
    let server = NameServer::start().await;
    let dns = server.dns(DnsSettings::default());
    assert_eq!(dns.addresses("up.dbt.test").await.unwrap(), [ADDRESS, ADDRESS_V6]);
    let asked = server.queries();
    assert_eq!(dns.addresses("up.dbt.test").await.unwrap(), [ADDRESS, ADDRESS_V6]);
    assert_eq!(server.queries(), asked);
    assert!(dns.addresses("missing.dbt.test").await.is_err());
}

#[tokio::test]
async fn a_name_server_that_ignores_queries_for_ipv6_costs_no_timeout() {
    let server = NameServer::start().await;
    let dns = server.dns(settings(LONG, 1));
    assert_eq!(dns.addresses("v4only.dbt.test").await.unwrap(), [ADDRESS]);
}

#[tokio::test]
async fn a_name_that_gets_no_answer_stops_no_other() {
    let server = NameServer::start().await;
    // Of two places the dead name holds one, whatever the number of its callers.
    let dns = server.dns(settings(LONG, 2));
    let dead = join_all((0..50).map(|_| dns.addresses("dead.dbt.test")));
    let others = async {
        for number in 0..20 {
            let name = format!("up{number}.dbt.test");
            assert_eq!(dns.addresses(&name).await.unwrap(), [ADDRESS, ADDRESS_V6]);
        }
    };
    tokio::select! {
        biased;
        _ = dead => panic!("the dead name was answered first"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_look_up_ends_at_its_time_limit_and_gives_its_place_back() {
    let server = NameServer::start().await;
    let dns = server.dns(settings(Duration::from_millis(100), 1));
    let dead = timeout(LONG, dns.addresses("dead.dbt.test")).await.unwrap();
    assert!(dead.is_err(), "{dead:?}");
    assert_eq!(dns.addresses("up.dbt.test").await.unwrap(), [ADDRESS, ADDRESS_V6]);
    assert!(lock(&dns.pending).values().all(|look_up| look_up.upgrade().is_none()));
}

#[tokio::test]
async fn callers_that_give_up_free_the_place() {
    let server = NameServer::start().await;
    let dns = server.dns(settings(LONG, 1));
    let given_up = timeout(Duration::from_millis(50), dns.addresses("dead.dbt.test")).await;
    assert!(given_up.is_err());
    let next = timeout(LONG, dns.addresses("up.dbt.test")).await;
    assert_eq!(next.unwrap().unwrap(), [ADDRESS, ADDRESS_V6]);
}

#[tokio::test]
async fn localhost_and_the_hosts_file_need_no_name_server() {
    let server = NameServer::start().await;
    let dns = server.dns(DnsSettings::default());
    let found = dns.addresses("localhost").await.unwrap();
    assert!(
        found
            .iter()
            .all(|address| *address == Ipv4Addr::LOCALHOST || *address == Ipv6Addr::LOCALHOST)
            && !found.is_empty(),
        "{found:?}"
    );
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let listed = hosts
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_whitespace().nth(1));
    for name in listed {
        assert!(!dns.addresses(name).await.unwrap().is_empty(), "{name}");
    }
    assert_eq!(server.queries(), 0);
}

#[tokio::test]
async fn a_resolver_can_be_made_whatever_the_system_has() {
    // With and without /etc/resolv.conf: the tests run on machines of both kinds.
    Dns::of_system(DnsSettings::default()).resolver().unwrap();
}
