//! The load: keep-alive connections that ask one thing again and again, in a closed loop (each as fast as it is
//! answered) or an open one (at a constant rate, whatever the answers do).

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, timeout_at};

use crate::latencies::Latencies;

/// After the end of the measurement, for the last answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to ask, and what.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) authorization: String,
}

/// When the requests are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// The next as soon as the last is answered.
    Closed,
    /// So many a second. The latency counts from the moment at which the request should have been sent.
    Open(u32),
}

/// How much is asked, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    /// Not measured.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Answers with status 200 and a whole body, the warm-up's included.
    pub(crate) answers: u64,
    /// Everything else, the warm-up included.
    pub(crate) failures: u64,
    /// Why the first of them failed.
    pub(crate) first_failure: Option<String>,
    /// Of the answers that came while it was measured.
    pub(crate) latencies: Latencies,
}

impl Tally {
    fn failed(&mut self, error: &anyhow::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// When the measurement begins and ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

impl Load {
    pub(crate) fn window(&self) -> Window {
        let from = Instant::now() + self.warm_up;
        Window {
            from,
            until: from + self.measured,
        }
    }

    /// Asks until the window ends; every request that was sent is waited for.
    pub(crate) async fn run(&self, target: &Target, window: Window) -> anyhow::Result<Tally> {
        let tally = Rc::new(RefCell::new(Tally {
            answers: 0,
            failures: 0,
            first_failure: None,
            latencies: Latencies::new(),
        }));
        let local = LocalSet::new();
        let mut workers = JoinSet::new();
        let turns = match self.pace {
            Pace::Closed => None,
            Pace::Open(rate) => Some(Arc::new(Turns::new(rate))),
        };
        for _ in 0..self.connections {
            let worker = Worker {
                connection: connect(target.address).await?,
                target: target.clone(),
                window,
                tally: Rc::clone(&tally),
            };
            match &turns {
                None => workers.spawn_local_on(worker.closed(), &local),
                Some(turns) => workers.spawn_local_on(worker.open(Arc::clone(turns)), &local),
            };
        }
        if let Some(turns) = turns {
            std::thread::spawn(move || turns.give(window.until));
        }
        let all = timeout_at(window.until + PATIENCE, local.run_until(workers.join_all()));
        all.await
            .context("requests were not answered 30 s after the last was sent")?;
        Rc::into_inner(tally)
            .map(RefCell::into_inner)
            .context("a connection still counts")
    }
}

struct Worker {
    connection: SendRequest<Empty<Bytes>>,
    target: Target,
    window: Window,
    tally: Rc<RefCell<Tally>>,
}

impl Worker {
    async fn closed(mut self) {
        loop {
            let sent = Instant::now();
            if sent >= self.window.until {
                return;
            }
            self.ask(sent).await;
        }
    }

    async fn open(mut self, turns: Arc<Turns>) {
        while let Some(due) = turns.next().await {
            self.ask(due).await;
        }
    }

    async fn ask(&mut self, sent: Instant) {
        let answered = self.exchange().await;
        let now = Instant::now();
        let Err(error) = answered else {
            let mut tally = self.tally.borrow_mut();
            tally.answers += 1;
            if now >= self.window.from && now < self.window.until {
                tally.latencies.record(now - sent);
            }
            return;
        };
        self.tally.borrow_mut().failed(&error);
        // A refusal is not asked for again as fast as it is given.
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.connection.is_closed()
            && let Ok(connection) = connect(self.target.address).await
        {
            self.connection = connection;
        }
    }

    async fn exchange(&mut self) -> anyhow::Result<()> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(&self.target.path)
            .header(HOST, "bench")
            .header(AUTHORIZATION, &self.target.authorization)
            .body(Empty::new())?;
        let answer = self.connection.send_request(request).await?;
        let status = answer.status();
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        self.connection.ready().await?;
        anyhow::ensure!(status == StatusCode::OK, "answered {status}");
        Ok(())
    }
}

/// A connection for requests with bodies of that kind.
pub(crate) async fn connect<B>(address: SocketAddr) -> anyhow::Result<SendRequest<B>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// The requests of an open loop: how many are due, and how many of them were taken.
#[derive(Debug)]
struct Turns {
    begin: Instant,
    rate: u32,
    due: Semaphore,
    taken: AtomicU32,
}

impl Turns {
    fn new(rate: u32) -> Self {
        Self {
            begin: Instant::now(),
            rate,
            due: Semaphore::new(0),
            taken: AtomicU32::new(0),
        }
    }

    /// Waits until a request is due; the moment at which it was. `None` when there are no more.
    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        Some(self.begin + interval(self.rate, number))
    }

    /// Gives the turns, from a thread of its own: the timers of the runtime are exact to a millisecond only.
    fn give(&self, until: Instant) {
        for number in 0.. {
            let due = self.begin + interval(self.rate, number);
            if due >= until {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        self.due.close();
    }
}

/// From the first request of an open loop to the one of that number.
fn interval(rate: u32, number: u32) -> Duration {
    Duration::from_secs(1) * number / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_sends_at_its_rate() {
        assert_eq!(interval(1000, 0), Duration::ZERO);
        assert_eq!(interval(1000, 1), Duration::from_millis(1));
        assert_eq!(interval(1000, 2_500_000), Duration::from_secs(2500));
    }
}
