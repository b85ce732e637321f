//! Memory stays flat while long artifacts are streamed, whatever their size and however slow or many their readers.
//!
//! Each test prints its figures: `cargo nextest run -p gateway memory --no-capture`.

use std::time::{Duration, Instant};

use simulator::acme;
use tokio::task::JoinSet;

use crate::support::{Gateway, Site};

/// What a gateway may grow by while it streams. A gibibyte held in memory, or a sixteenth of it, would not fit.
const ROOM_KIB: u64 = 64 << 10;

/// Of the process, in KiB: at most so far, and now.
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

/// Reads one artifact to its end and says how long it was. `pause`: how long the reader rests after every MiB.
async fn read(client: reqwest::Client, url: String, key: String, pause: Duration) -> u64 {
    let mut answer = client.get(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let (mut bytes, mut rested) = (0, 0);
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes += piece.len() as u64;
        if !pause.is_zero() && bytes - rested > 1 << 20 {
            rested = bytes;
            tokio::time::sleep(pause).await;
        }
    }
    bytes
}

/// A gateway that has streamed one small file, and who reads from it.
struct Stage {
    gateway: Gateway,
    key: String,
    client: reqwest::Client,
    _site: Site,
}

impl Stage {
    async fn set() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let site = Site::new().await;
        let key = site.key("viewer");
        let stage = Self {
            gateway: site.serve(),
            key,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _site: site,
        };
        assert_eq!(stage.read("1MiB", Duration::ZERO).await, 1 << 20);
        stage
    }

    fn read(&self, size: &str, pause: Duration) -> impl Future<Output = u64> + Send + 'static {
        let path = format!("/runs/{}/artifacts/simulated/{size}.bin", acme::SUCCEEDED_RUN_ID);
        read(self.client.clone(), self.gateway.url(&path), self.key.clone(), pause)
    }

    /// What the gateway held; fails where that is more than it may.
    fn end(self, what: &str, before: Resident, took: Duration, bytes: u64) -> String {
        let after = Resident::of(&self.gateway);
        let told = format!(
            "{what}: resident before {} KiB (peak {}), peak during {} KiB, after {} KiB; {} MiB in {} ms",
            before.now,
            before.peak,
            after.peak,
            after.now,
            bytes >> 20,
            took.as_millis()
        );
        let grown = after.peak - before.now;
        assert!(grown < ROOM_KIB, "{told}");
        self.gateway.stop();
        told
    }
}

#[tokio::test]
async fn a_gibibyte_is_streamed_in_a_few_mebibytes() {
    let stage = Stage::set().await;
    let (before, begun) = (Resident::of(&stage.gateway), Instant::now());
    let bytes = stage.read("1GiB", Duration::ZERO).await;
    assert_eq!(bytes, 1 << 30);
    println!("{}", stage.end("1 GiB", before, begun.elapsed(), bytes));
}

#[tokio::test]
async fn several_readers_at_once_take_their_own_time_and_little_memory() {
    let stage = Stage::set().await;
    let (before, begun) = (Resident::of(&stage.gateway), Instant::now());
    let mut readers = JoinSet::new();
    for number in 0..8 {
        // Half of them are slower than dbt Cloud.
        let pause = Duration::from_millis(if number % 2 == 0 { 0 } else { 5 });
        readers.spawn(stage.read("64MiB", pause));
    }
    let bytes: u64 = readers.join_all().await.into_iter().sum();
    assert_eq!(bytes, 8 * (64 << 20));
    let told = stage.end("8 readers of 64 MiB each", before, begun.elapsed(), bytes);
    println!("{told}");
}
