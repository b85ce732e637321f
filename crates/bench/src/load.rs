//! The load: keep-alive connections that repeat one request, in a closed loop (the next request follows the response) or
//! an open loop (a constant rate, independent of the responses).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, timeout_at};

use crate::http::{Endpoint, connect};
use crate::latencies::Latencies;

/// For the last responses, after the end of the window.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// When requests are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Each after the response to the previous one.
    Closed,
    /// Requests per second over all connections. Latency counts from the time at which a request was due.
    Open(u32),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    /// Not measured.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// Result of a load.
#[derive(Debug)]
pub(crate) struct Tally {
    /// With status 200 and a complete body, including the warm-up.
    pub(crate) responses: u64,
    /// All other requests, including the warm-up.
    pub(crate) failures: u64,
    pub(crate) first_failure: Option<String>,
    /// Of the responses within the window.
    pub(crate) latencies: Latencies,
    /// Of the responses with another status, by status, including the warm-up.
    pub(crate) refused: HashMap<StatusCode, Latencies>,
}

impl Tally {
    fn failed(&mut self, error: &anyhow::Error) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Time span of the measurement.
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

    /// Sends requests until the window ends, then waits for all responses.
    pub(crate) async fn run(&self, endpoint: &Endpoint, window: Window) -> anyhow::Result<Tally> {
        let tally = Rc::new(RefCell::new(Tally {
            responses: 0,
            failures: 0,
            first_failure: None,
            latencies: Latencies::new(),
            refused: HashMap::new(),
        }));
        let local = LocalSet::new();
        let mut workers = JoinSet::new();
        let schedule = match self.pace {
            Pace::Closed => None,
            Pace::Open(rate) => Some(Arc::new(Schedule::new(rate))),
        };
        for _ in 0..self.connections {
            let worker = Worker {
                connection: connect(endpoint.address).await?,
                endpoint: endpoint.clone(),
                window,
                tally: Rc::clone(&tally),
            };
            match &schedule {
                None => workers.spawn_local_on(worker.closed_loop(), &local),
                Some(schedule) => workers.spawn_local_on(worker.open_loop(Arc::clone(schedule)), &local),
            };
        }
        if let Some(schedule) = schedule {
            std::thread::spawn(move || schedule.run(window.until));
        }
        let all = timeout_at(window.until + RESPONSE_TIMEOUT, local.run_until(workers.join_all()));
        all.await.context("no response within 30 s after the last request")?;
        Rc::into_inner(tally)
            .map(RefCell::into_inner)
            .context("a worker is still running")
    }
}

struct Worker {
    connection: SendRequest<Empty<Bytes>>,
    endpoint: Endpoint,
    window: Window,
    tally: Rc<RefCell<Tally>>,
}

impl Worker {
    async fn closed_loop(mut self) {
        loop {
            let sent = Instant::now();
            if sent >= self.window.until {
                return;
            }
            self.send(sent).await;
        }
    }

    async fn open_loop(mut self, schedule: Arc<Schedule>) {
        while let Some(due) = schedule.next().await {
            self.send(due).await;
        }
    }

    async fn send(&mut self, sent: Instant) {
        let result = self.exchange().await.and_then(|status| {
            if status != StatusCode::OK {
                let mut tally = self.tally.borrow_mut();
                let refused = tally.refused.entry(status).or_insert_with(Latencies::new);
                refused.record(sent.elapsed());
                anyhow::bail!("status {status}");
            }
            Ok(())
        });
        let now = Instant::now();
        let Err(error) = result else {
            let mut tally = self.tally.borrow_mut();
            tally.responses += 1;
            if now >= self.window.from && now < self.window.until {
                tally.latencies.record(now - sent);
            }
            return;
        };
        self.tally.borrow_mut().failed(&error);
        // Backoff: rejected requests are not repeated at full speed.
        tokio::time::sleep(Duration::from_millis(10)).await;
        if self.connection.is_closed()
            && let Ok(connection) = connect(self.endpoint.address).await
        {
            self.connection = connection;
        }
    }

    async fn exchange(&mut self) -> anyhow::Result<StatusCode> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(&self.endpoint.path)
            .header(HOST, "bench")
            .header(AUTHORIZATION, &self.endpoint.authorization)
            .body(Empty::new())?;
        let response = self.connection.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        self.connection.ready().await?;
        Ok(status)
    }
}

/// Due times of the requests of an open loop.
#[derive(Debug)]
struct Schedule {
    begin: Instant,
    rate: u32,
    due: Semaphore,
    sent: AtomicU32,
}

impl Schedule {
    fn new(rate: u32) -> Self {
        Self {
            begin: Instant::now(),
            rate,
            due: Semaphore::new(0),
            sent: AtomicU32::new(0),
        }
    }

    /// Waits until a request is due and returns its due time; `None` after the end.
    async fn next(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        Some(self.begin + interval(self.rate, number))
    }

    /// Releases requests when they are due. Blocks its thread: tokio timers are exact to a millisecond only.
    fn run(&self, until: Instant) {
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

/// Time from the first request to request `number`.
fn interval(rate: u32, number: u32) -> Duration {
    Duration::from_secs(1) * number / rate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_an_open_loop_are_due_at_its_rate() {
        assert_eq!(interval(1000, 0), Duration::ZERO);
        assert_eq!(interval(1000, 1), Duration::from_millis(1));
        assert_eq!(interval(1000, 2_500_000), Duration::from_secs(2500));
    }
}
