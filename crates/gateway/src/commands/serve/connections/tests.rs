use std::error::Error;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

const IDLE_TIMEOUT: Duration = Duration::from_millis(200);
const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// An answer that no buffer of the system holds.
const LARGE: usize = 64 << 20;

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        capacity: Capacity {
            connections: 100,
            per_address: 0,
            trusted: Vec::new(),
        },
        idle_timeout: TEST_TIMEOUT,
        head_timeout: TEST_TIMEOUT,
        min_rate: MinRate {
            bytes_per_sec: 1000,
            grace: Duration::from_secs(1),
        },
        buffer_bytes: 64 << 10,
    }
}

/// Answers `/` immediately, `/hang` never, `/slow` after three idle timeouts, `/large` with many bytes, and a body with its length.
async fn start(limits: ConnectionLimits) -> io::Result<(SocketAddr, Arc<Counts>)> {
    let slow = || async {
        sleep(IDLE_TIMEOUT * 3).await;
        "slow"
    };
    let length = |body: Result<Bytes, axum::extract::rejection::BytesRejection>| async {
        body.map_or_else(|_| "failed".to_owned(), |body| body.len().to_string())
    };
    let router = Router::new()
        .route("/", get(async || "ok"))
        .route("/slow", get(slow))
        .route("/hang", get(std::future::pending::<()>))
        .route("/large", get(async || vec![0_u8; LARGE]))
        .route("/length", post(length));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let counts = Arc::<Counts>::default();
    tokio::spawn(serve(listener, router, limits, Closing::default(), Arc::clone(&counts)));
    Ok((address, counts))
}

async fn send(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n");
    stream.write_all(request.as_bytes()).await
}

/// Reads until the received bytes end with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> io::Result<String> {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        answer.push(timeout(TEST_TIMEOUT, stream.read_u8()).await??);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn ask(stream: &mut TcpStream, path: &str, end: &str) -> io::Result<String> {
    send(stream, path).await?;
    read_until(stream, end).await
}

/// Waits until the peer closes the connection, and reads what it sent before that.
async fn until_closed(stream: &mut TcpStream) -> Result<String, Box<dyn Error>> {
    let mut rest = Vec::new();
    match timeout(TEST_TIMEOUT, stream.read_to_end(&mut rest)).await? {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error.into()),
        _ => Ok(String::from_utf8_lossy(&rest).into_owned()),
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_slow_answer_is_not() -> Result<(), Box<dyn Error>> {
    let limits = ConnectionLimits {
        idle_timeout: IDLE_TIMEOUT,
        ..limits()
    };
    let (address, _) = start(limits).await?;
    for sent in ["", "GET / HTTP/1.1\r\nhost: gate"] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(sent.as_bytes()).await?;
        assert_eq!(until_closed(&mut stream).await?, "", "{sent:?}");
    }

    let mut stream = TcpStream::connect(address).await?;
    ask(&mut stream, "/slow", "slow").await?;
    ask(&mut stream, "/", "ok").await?;
    assert_eq!(until_closed(&mut stream).await?, "", "idle again");
    Ok(())
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_and_an_idle_connection_is_not() -> Result<(), Box<dyn Error>> {
    let limits = ConnectionLimits {
        head_timeout: Duration::from_millis(300),
        ..limits()
    };
    let (address, counts) = start(limits).await?;
    let mut idle = TcpStream::connect(address).await?;
    ask(&mut idle, "/", "ok").await?;
    for before in [0, 1] {
        let mut stream = TcpStream::connect(address).await?;
        for _ in 0..before {
            ask(&mut stream, "/", "ok").await?;
        }
        let cut = async {
            // A byte at a time is progress, but no head.
            while stream.write_all(b"G").await.is_ok() {
                if let Ok(0) = stream.try_read(&mut [0]) {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(TEST_TIMEOUT, cut).await?;
    }
    assert_eq!(counts.too_slow.load(Ordering::Relaxed), 2);
    ask(&mut idle, "/", "ok").await?;
    Ok(())
}

#[tokio::test]
async fn callers_that_pipeline_and_read_nothing_are_closed() -> Result<(), Box<dyn Error>> {
    let (address, counts) = start(limits()).await?;
    let mut stream = TcpStream::connect(address).await?;
    send(&mut stream, "/large").await?;
    let (_, mut pipelining) = stream.split();
    // Writing fails once the connection is reset.
    let cut = async { while pipelining.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.is_ok() {} };
    timeout(TEST_TIMEOUT, cut).await?;
    assert_eq!(counts.too_slow.load(Ordering::Relaxed), 1);
    Ok(())
}

#[tokio::test]
async fn a_body_that_never_comes_fails_and_one_that_pauses_does_not() -> Result<(), Box<dyn Error>> {
    let (address, _) = start(limits()).await?;
    let head = |length| format!("POST /length HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head(10).as_bytes()).await?;
    stream.write_all(b"12345").await?;
    read_until(&mut stream, "failed").await?;

    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(head(10).as_bytes()).await?;
    stream.write_all(b"12345").await?;
    sleep(Duration::from_millis(200)).await;
    stream.write_all(b"67890").await?;
    read_until(&mut stream, "10").await?;
    Ok(())
}

#[tokio::test]
async fn a_caller_that_waits_for_its_answer_is_not_slow() -> Result<(), Box<dyn Error>> {
    let limits = ConnectionLimits {
        idle_timeout: IDLE_TIMEOUT,
        head_timeout: IDLE_TIMEOUT,
        min_rate: MinRate {
            bytes_per_sec: 1_000_000,
            grace: IDLE_TIMEOUT,
        },
        ..limits()
    };
    let (address, counts) = start(limits).await?;
    let mut stream = TcpStream::connect(address).await?;
    ask(&mut stream, "/slow", "slow").await?;
    assert_eq!(counts.too_slow.load(Ordering::Relaxed), 0);
    Ok(())
}

fn with_capacity(connections: usize, per_address: usize, trusted: &[&str]) -> ConnectionLimits {
    ConnectionLimits {
        capacity: Capacity {
            connections,
            per_address,
            trusted: trusted.iter().filter_map(|network| network.parse().ok()).collect(),
        },
        // No caller is too slow in these tests.
        min_rate: MinRate {
            bytes_per_sec: 0,
            grace: TEST_TIMEOUT,
        },
        ..limits()
    }
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_connection_makes_room() -> Result<(), Box<dyn Error>> {
    for (limits, pause) in [(with_capacity(2, 0, &[]), 0), (with_capacity(100, 2, &[]), 1100)] {
        let (address, counts) = start(limits).await?;
        let mut oldest = TcpStream::connect(address).await?;
        ask(&mut oldest, "/", "ok").await?;
        let mut second = TcpStream::connect(address).await?;
        send(&mut second, "/hang").await?;
        // The oldest may still be about to send: a connection waits for a place of the gateway, not for one of its address.
        sleep(Duration::from_millis(pause)).await;
        let mut new = TcpStream::connect(address).await?;
        ask(&mut new, "/", "ok").await?;
        assert_eq!(until_closed(&mut oldest).await?, "");
        assert_eq!(counts.made_room.load(Ordering::Relaxed), 1);
    }
    Ok(())
}

#[tokio::test]
async fn without_room_a_connection_is_refused_with_the_name_of_the_limit() -> Result<(), Box<dyn Error>> {
    for (limits, named) in [
        (with_capacity(1, 0, &[]), "limits.max_connections is"),
        (with_capacity(100, 1, &[]), "limits.max_connections_per_address is"),
        (with_capacity(1, 1, &["127.0.0.0/8"]), "limits.max_connections is"),
    ] {
        let (address, counts) = start(limits).await?;
        let mut busy = TcpStream::connect(address).await?;
        send(&mut busy, "/hang").await?;
        let mut refused = TcpStream::connect(address).await?;
        send(&mut refused, "/").await?;
        let answer = until_closed(&mut refused).await?;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.contains(named) && answer.contains("dbt Cloud was not contacted"),
            "{answer}"
        );
        assert_eq!(counts.refused.load(Ordering::Relaxed), 1);
    }
    Ok(())
}

#[tokio::test]
async fn who_has_sent_a_request_gets_a_place_before_those_who_are_silent() -> Result<(), Box<dyn Error>> {
    let (address, counts) = start(with_capacity(1, 0, &[])).await?;
    let mut idle = TcpStream::connect(address).await?;
    ask(&mut idle, "/", "ok").await?;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(address).await?);
    }
    let mut gone = TcpStream::connect(address).await?;
    send(&mut gone, "/hang").await?;
    drop(gone);
    let mut sending = TcpStream::connect(address).await?;
    ask(&mut sending, "/", "ok").await?;
    assert_eq!(counts.refused.load(Ordering::Relaxed), 0);
    Ok(())
}

#[tokio::test]
async fn a_trusted_proxy_has_no_limit_of_its_own() -> Result<(), Box<dyn Error>> {
    let (address, _) = start(with_capacity(100, 1, &["127.0.0.1/32"])).await?;
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(address).await?;
        ask(&mut stream, "/", "ok").await?;
        streams.push(stream);
    }
    Ok(())
}
