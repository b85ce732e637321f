//! Peers that do harm on purpose: they read nothing, send nothing, or use up the open files. Honest callers beside them.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Gateway, Site, eventually, signal};

fn address_of(gateway: &Gateway) -> String {
    gateway.url("").trim_start_matches("http://").to_owned()
}

/// Opens connections that send requests and read nothing, and opens them again when they are closed.
fn pipeliners(address: &str, count: usize, stopping: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (address, stopping) = (address.to_owned(), Arc::clone(stopping));
        tasks.spawn(async move {
            while !stopping.load(Ordering::Relaxed) {
                if let Ok(mut stream) = TcpStream::connect(&address).await {
                    let request = b"GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n\r\n";
                    while !stopping.load(Ordering::Relaxed) && stream.write_all(request).await.is_ok() {}
                }
                tokio::task::yield_now().await;
            }
        });
    }
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_pipeline_and_read_nothing_shut_nobody_out() {
    const CONNECTIONS: usize = 12;
    let site = Site::new().await;
    let key = site.key("viewer");
    let mut serve = site.command(&["serve"]);
    serve
        .env("DBT_GATEWAY__LIMITS__MAX_CONNECTIONS", CONNECTIONS.to_string())
        .env("DBT_GATEWAY__HEALTH__LISTEN", "127.0.0.1:0");
    let mut gateway = Gateway::start(serve);
    let stopping = Arc::<AtomicBool>::default();
    let attack = pipeliners(&address_of(&gateway), CONNECTIONS, &stopping);
    for _ in 0..3 {
        // A new connection each time; it may be refused while the others may still be about to send.
        eventually("an answer beside the attack", async || {
            let mut stream = TcpStream::connect(address_of(&gateway)).await.ok()?;
            let status = status(&mut stream, "/projects", &key).await?;
            (status == "200").then_some(())
        })
        .await;
    }
    stopping.store(true, Ordering::Relaxed);
    drop(attack);
    assert!(!gateway.log().contains("\"level\":\"ERROR\""), "{}", gateway.log());
    gateway.signal("TERM");
    assert!(gateway.wait().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_peers_at_the_health_address_do_not_keep_probes_out() {
    let site = Site::new().await;
    let mut serve = site.command(&["serve"]);
    serve.env("DBT_GATEWAY__HEALTH__LISTEN", "127.0.0.1:0");
    let gateway = Gateway::start(serve);
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("serving health checks")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    // Probes have a time limit, and are repeated.
    let limit = std::time::Duration::from_secs(5);
    let client = reqwest::Client::builder().no_proxy().timeout(limit).build().unwrap();
    eventually("a probe", async || {
        let answer = client.get(format!("http://{address}/healthz")).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    drop(idle);
    gateway.stop();
}

/// Sends a request and reads the status of the answer.
async fn status(stream: &mut TcpStream, path: &str, key: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    stream.read_exact(&mut vec![0; length.parse().ok()?]).await.ok()?;
    Some(head.split(' ').nth(1)?.to_owned())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_free_files_existing_callers_go_on_and_new_ones_follow() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let mut gateway = site.serve();
    let address = address_of(&gateway);
    let mut honest = TcpStream::connect(&address).await.unwrap();
    assert_eq!(status(&mut honest, "/projects", &key).await.as_deref(), Some("200"));
    let open = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid()))
        .unwrap()
        .count();
    let limit = format!("--nofile={0}:{0}", open + 3);
    let limited = Command::new("prlimit")
        .args(["--pid", &gateway.pid().to_string(), &limit])
        .status();
    assert!(limited.unwrap().success());

    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    gateway.wait_for_line("cannot accept connections");
    for _ in 0..50 {
        assert_eq!(status(&mut honest, "/projects", &key).await.as_deref(), Some("200"));
    }
    // Idle connections make room for one that sends.
    eventually("a new caller", async || {
        let mut stream = TcpStream::connect(&address).await.ok()?;
        status(&mut stream, "/healthz", &key)
            .await
            .filter(|status| status == "200")
    })
    .await;
    drop(idle);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    assert_eq!(status(&mut stream, "/healthz", &key).await.as_deref(), Some("200"));
    let errors = gateway.log().matches("cannot accept connections").count();
    assert!(errors < 5, "{errors} lines about one fault");
    gateway.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_standard_error_that_stalls_delays_no_request_and_no_stop() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let mut serve = site.command(&["serve"]);
    serve
        .env("DBT_GATEWAY__LOG__FILTER", "trace")
        .env("DBT_GATEWAY__HEALTH__LISTEN", "127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = serve.spawn().unwrap();
    // Read until it serves, and then no more: the pipe is full after 64 KiB.
    let mut errors = BufReader::new(process.stderr.take().unwrap());
    let mut address_in = |message: &str| {
        loop {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).unwrap() > 0);
            if line.contains(message) {
                let line: Value = serde_json::from_str(&line).unwrap();
                return line["address"].as_str().unwrap().to_owned();
            }
        }
    };
    let health = address_in("\"message\":\"serving health checks and metrics\"");
    let address = address_in("\"message\":\"serving\"");

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    eventually("dropped lines", async || {
        for _ in 0..100 {
            let request = client.get(format!("http://{address}/projects")).bearer_auth(&key);
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        let metrics = client.get(format!("http://{health}/metrics")).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let dropped = metrics
            .lines()
            .find_map(|line| line.strip_prefix("dbt_gateway_log_lines_dropped_total "))
            .unwrap();
        (dropped.parse::<f64>().unwrap() > 0.0).then_some(())
    })
    .await;
    signal(process.id(), "TERM");
    let status = eventually("the end of the process", || {
        std::future::ready(process.try_wait().unwrap())
    })
    .await;
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_failed_command_does_not_wait_for_ever_for_its_reader() {
    let site = Site::new().await;
    // A pipe that is full already.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let filling = writer.try_clone().unwrap();
    let filler = std::thread::spawn(move || {
        let mut filling = filling;
        while std::io::Write::write_all(&mut filling, &[b'x'; 4096]).is_ok() {}
    });
    let full = writer.try_clone().unwrap();
    let mut command = site.command(&["serve"]);
    command.env("DBT_GATEWAY__GATHER__CONCURRENCY", "0").stderr(full);
    let mut process = command.spawn().unwrap();
    drop(command);
    let status = eventually("the end of the process", || {
        std::future::ready(process.try_wait().unwrap())
    })
    .await;
    assert!(!status.success());
    std::io::Write::flush(&mut writer).unwrap();
    // Ends the filler.
    drop(reader);
    filler.join().unwrap();
}
