//! SIGTERM with keep-alive callers: every accepted request is answered, and every answer has its row.
//!
//! Prints its counts: `cargo nextest run -p gateway shutdown --no-capture`.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use simulator::{Fault, acme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::Rows;
use crate::support::{Caller, Gateway, Site, eventually, text};

/// A quarter of each kind of request.
const CALLERS: usize = 64;

/// `serve` on the private Postgres of another process, so that the rows can be read after its end.
fn serve_on_shared_postgres(site: &Site) -> Command {
    let mut command = site.command(&["serve"]);
    command
        // Longer than any caller's pause on a slow machine. The process ends with the last connection.
        .env("DBT_GATEWAY__SERVER__IDLE_GRACE_MS", "10000")
        .env("DATABASE_URL", site.database_url())
        .env("DBT_GATEWAY__LIMITS__REQUESTS_PER_SECOND", "0");
    command
}

/// Why a caller stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The connection was refused.
    Refused,
    /// An idle connection was closed before a request was sent.
    ClosedBetween,
    /// A request was sent and no byte was received.
    Unanswered,
    /// An answer was truncated.
    StreamAborted,
}

struct Answer {
    status: u16,
    request_id: String,
    closes: bool,
}

/// A caller that reuses its connection until the gateway closes it.
struct KeepAlive {
    address: String,
    key: String,
    number: usize,
    answered: Arc<AtomicUsize>,
}

impl KeepAlive {
    /// Sends requests until a connection fails.
    async fn run(self) -> (Vec<Answer>, End) {
        let mut answers = Vec::new();
        loop {
            let Ok(stream) = TcpStream::connect(&self.address).await else {
                return (answers, End::Refused);
            };
            let mut stream = BufReader::new(stream);
            loop {
                // Between requests, the socket is readable only if the server closed it.
                let mut byte = [0];
                if stream.get_ref().try_read(&mut byte).is_ok() {
                    return (answers, End::ClosedBetween);
                }
                let request = self.request(answers.len());
                if stream.write_all(request.as_bytes()).await.is_err() {
                    return (answers, End::Unanswered);
                }
                match read(&mut stream).await {
                    Ok(answer) => {
                        self.answered.fetch_add(1, Ordering::Relaxed);
                        let closes = answer.closes;
                        answers.push(answer);
                        if closes {
                            break;
                        }
                    }
                    Err(end) => return (answers, end),
                }
            }
        }
    }

    fn request(&self, nth: usize) -> String {
        let body = json!({"cause": format!("caller {}, request {nth}", self.number)}).to_string();
        let (method, path, body) = match self.number % 4 {
            0 => ("POST", format!("/jobs/{}/runs", acme::HOURLY_JOB_ID), body),
            1 => ("GET", "/projects?page_size=2".to_owned(), String::new()),
            2 => ("GET", format!("/runs/{}", acme::SUCCEEDED_RUN_ID), String::new()),
            _ => {
                let path = format!("/runs/{}/artifacts/manifest.json", acme::SUCCEEDED_RUN_ID);
                ("GET", path, String::new())
            }
        };
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        )
    }
}

/// Reads a whole answer.
async fn read(stream: &mut BufReader<TcpStream>) -> Result<Answer, End> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Err(End::Unanswered),
            Err(_) => return Err(End::StreamAborted),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::to_owned)
    };
    if let Some(length) = header("content-length") {
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.map_err(|_| End::StreamAborted)?;
    } else {
        assert_eq!(header("transfer-encoding").as_deref(), Some("chunked"), "{head}");
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n0\r\n\r\n") && body != b"0\r\n\r\n" {
            body.push(stream.read_u8().await.map_err(|_| End::StreamAborted)?);
        }
    }
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        request_id: header("x-request-id").unwrap(),
        closes: header("connection").is_some_and(|value| value == "close"),
    })
}

/// Returns a summary of the counts.
async fn stop_under_load(drain_secs: &str) -> String {
    let site = Site::for_load().await;
    let key = site.key("operator");
    // It only runs the Postgres.
    let keeper = site.serve();
    let mut serve = serve_on_shared_postgres(&site);
    serve.env("DBT_GATEWAY__SERVER__DRAIN_SECS", drain_secs);
    let mut gateway = Gateway::start(serve);
    site.dbt.add_fault(Fault::everywhere().delay_before_ms(20));

    let answered = Arc::<AtomicUsize>::default();
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let caller = KeepAlive {
            address: gateway.url("").trim_start_matches("http://").to_owned(),
            key: key.clone(),
            number,
            answered: Arc::clone(&answered),
        };
        callers.spawn(caller.run());
    }
    eventually("the load", async || {
        (answered.load(Ordering::Relaxed) >= 4 * CALLERS).then_some(())
    })
    .await;
    gateway.signal("TERM");
    let before = answered.load(Ordering::Relaxed);
    let results = callers.join_all().await;
    let status = gateway.wait();
    assert!(status.success(), "{status}\n{}", gateway.log());
    assert!(!gateway.log().contains("\"level\":\"ERROR\""), "{}", gateway.log());

    let mut ends = BTreeMap::<End, usize>::new();
    for (_, end) in &results {
        *ends.entry(*end).or_default() += 1;
    }
    let answers: Vec<&Answer> = results.iter().flat_map(|(answers, _)| answers).collect();
    let rows = Rows::of(&site);
    let closing = answers.iter().filter(|answer| answer.closes).count();
    let counts = format!(
        "SIGTERM under load, drain {drain_secs} s: {} answers ({} after the signal, {closing} of them with connection: \
         close), {} rows, {} of them open; how the {CALLERS} callers ended: {ends:?}",
        answers.len(),
        answers.len() - before,
        rows.len(),
        rows.with_outcome(&json!(null)),
    );
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 201), "{}", answer.status);
        let row = rows.get(&answer.request_id).expect("an answer without its row");
        assert_eq!(row["outcome"], "succeeded", "{row:#}");
    }
    assert_eq!(rows.len(), answers.len(), "no row without its answer");
    assert_eq!(ends, BTreeMap::from([(End::Refused, CALLERS)]));
    assert!(closing >= CALLERS, "each connection was closed by an answer");
    keeper.stop();
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_under_load_answers_and_logs_every_request() {
    println!("{}", stop_under_load("0").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_with_draining_answers_and_logs_every_request() {
    println!("{}", stop_under_load("1").await);
}

#[tokio::test]
async fn a_draining_gateway_serves_and_is_not_ready() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    let mut serve = site.command(&["serve"]);
    serve.env("DBT_GATEWAY__SERVER__DRAIN_SECS", "300");
    let mut gateway = Gateway::start(serve);
    let address = gateway.url("").trim_start_matches("http://").to_owned();
    let mut healthcheck = site.command(&["healthcheck"]);
    healthcheck.env("DBT_GATEWAY_LISTEN", address);
    assert!(healthcheck.status().unwrap().success());
    eventually("readiness, once partitions are made ahead", async || {
        (caller.get(&gateway, "/readyz").await.unwrap().status == 200).then_some(())
    })
    .await;
    gateway.signal("TERM");
    gateway.wait_for_line("stopping");
    let unready = eventually("the 503", async || {
        let answer = caller.get(&gateway, "/readyz").await.unwrap();
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(unready.json(), json!({"status": "unavailable"}));
    assert_eq!(caller.get(&gateway, "/healthz").await.unwrap().status, 200);
    assert_eq!(caller.get(&gateway, "/projects").await.unwrap().status, 200);
    // The second signal ends draining.
    gateway.stop();
    let unhealthy = healthcheck.output().unwrap();
    assert!(!unhealthy.status.success(), "{}", text(&unhealthy));
}

#[tokio::test]
async fn a_second_signal_aborts_requests_in_flight_and_their_rows_record_it() {
    let site = Site::new().await;
    let key = site.key("viewer");
    let keeper = site.serve();
    let mut gateway = Gateway::start(serve_on_shared_postgres(&site));
    site.dbt.add_fault(Fault::everywhere().delay_before_ms(600_000));
    let caller = Caller::new(&key);
    let (cut, ()) = tokio::join!(caller.get(&gateway, "/projects"), async {
        eventually("the request at dbt Cloud", async || {
            (!site.dbt.requests().is_empty()).then_some(())
        })
        .await;
        gateway.signal("TERM");
        eventually("the refused connection", async || {
            let address = gateway.url("").trim_start_matches("http://").to_owned();
            TcpStream::connect(address).await.err()
        })
        .await;
        gateway.signal("TERM");
    });
    assert!(cut.is_err());
    assert!(gateway.wait().success());
    let rows = site.rows("SELECT outcome FROM request_log WHERE request_type = 'list_projects'");
    assert_eq!(rows, [json!({"outcome": "caller_gone"})]);
    keeper.stop();
}
