//! Streaming artifacts needs little memory, independent of their size and of the speed and number of readers.
//!
//! Each test prints its figures: `cargo nextest run -p gateway memory --no-capture`.

use std::time::{Duration, Instant};

use simulator::acme;
use tokio::task::JoinSet;

use crate::support::{Gateway, Site};

/// The growth allowed while streaming. A sixteenth of a gibibyte in memory would exceed it.
const MAX_GROWTH_KIB: u64 = 64 << 10;

/// Resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy)]
struct Resident {
    peak: u64,
    now: u64,
}

impl Resident {
    fn of(gateway: &Gateway) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Self {
            peak: field("VmHWM:"),
            now: field("VmRSS:"),
        }
    }
}

/// Reads an artifact with a pause after each MiB; returns its length.
async fn read(client: reqwest::Client, url: String, key: String, pause: Duration) -> u64 {
    let mut answer = client.get(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let (mut bytes, mut paused_at) = (0, 0);
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes += piece.len() as u64;
        if !pause.is_zero() && bytes - paused_at > 1 << 20 {
            paused_at = bytes;
            tokio::time::sleep(pause).await;
        }
    }
    bytes
}

/// A gateway that has streamed one small file, with a client.
struct Setup {
    gateway: Gateway,
    key: String,
    client: reqwest::Client,
    _site: Site,
}

impl Setup {
    async fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let site = Site::new().await;
        let key = site.key("viewer");
        let setup = Self {
            gateway: site.serve(),
            key,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _site: site,
        };
        assert_eq!(setup.read("1MiB", Duration::ZERO).await, 1 << 20);
        setup
    }

    fn read(&self, size: &str, pause: Duration) -> impl Future<Output = u64> + Send + 'static {
        let path = format!("/runs/{}/artifacts/simulated/{size}.bin", acme::SUCCEEDED_RUN_ID);
        read(self.client.clone(), self.gateway.url(&path), self.key.clone(), pause)
    }

    /// Stops the gateway and returns a report; panics if memory grew too much.
    fn finish(self, what: &str, before: Resident, took: Duration, bytes: u64) -> String {
        let after = Resident::of(&self.gateway);
        let report = format!(
            "{what}: resident before {} KiB (peak {}), peak during {} KiB, after {} KiB; {} MiB in {} ms",
            before.now,
            before.peak,
            after.peak,
            after.now,
            bytes >> 20,
            took.as_millis()
        );
        let grown = after.peak - before.now;
        assert!(grown < MAX_GROWTH_KIB, "{report}");
        self.gateway.stop();
        report
    }
}

#[tokio::test]
async fn a_gibibyte_is_streamed_with_a_few_mebibytes_of_memory() {
    let setup = Setup::new().await;
    let (before, started) = (Resident::of(&setup.gateway), Instant::now());
    let bytes = setup.read("1GiB", Duration::ZERO).await;
    assert_eq!(bytes, 1 << 30);
    println!("{}", setup.finish("1 GiB", before, started.elapsed(), bytes));
}

#[tokio::test]
async fn concurrent_readers_of_different_speed_need_little_memory() {
    let setup = Setup::new().await;
    let (before, started) = (Resident::of(&setup.gateway), Instant::now());
    let mut readers = JoinSet::new();
    for number in 0..8 {
        // Half of them are slower than dbt Cloud.
        let pause = Duration::from_millis(if number % 2 == 0 { 0 } else { 5 });
        readers.spawn(setup.read("64MiB", pause));
    }
    let bytes: u64 = readers.join_all().await.into_iter().sum();
    assert_eq!(bytes, 8 * (64 << 20));
    let report = setup.finish("8 readers of 64 MiB each", before, started.elapsed(), bytes);
    println!("{report}");
}
