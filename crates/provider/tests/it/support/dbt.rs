//! A `WrappedApi` with scripted answers that records its requests.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiBody, ApiError, ApiRequest, WrappedApi};
use futures::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::Upstream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Journal, within_an_hour};

/// The result of one exchange.
pub(crate) enum Reply {
    /// An answer, after a delay.
    Answer {
        status: u16,
        retry_after_secs: Option<u64>,
        body: Value,
        after: Duration,
    },
    /// An answer with a streamed body.
    Pieces { status: u16, body: ApiBody },
    /// No answer.
    Fails(ApiError),
    /// No answer: the exchange never ends.
    Never,
    /// The sending code panics.
    Panics,
}

impl Reply {
    pub(crate) fn ok(data: &Value) -> Self {
        Self::Answer {
            status: 200,
            retry_after_secs: None,
            body: json!({ "data": data }),
            after: Duration::ZERO,
        }
    }

    /// A file, without an envelope.
    pub(crate) fn bare(body: &Value) -> Self {
        Self::Answer {
            status: 200,
            retry_after_secs: None,
            body: body.clone(),
            after: Duration::ZERO,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            retry_after_secs: None,
            body: json!({"status": {"user_message": format!("dbt says {status}")}}),
            after: Duration::ZERO,
        }
    }

    /// A page of a dbt list; `total` is the length of the list, if dbt sends it.
    pub(crate) fn page(ids: impl IntoIterator<Item = i64>, total: Option<u64>) -> Self {
        let project = |id| json!({"id": id, "name": format!("p{id}")});
        Self::entries(&ids.into_iter().map(project).collect::<Vec<_>>(), total)
    }

    /// As [`Self::page`], with any entries.
    pub(crate) fn entries(entries: &[Value], total: Option<u64>) -> Self {
        let mut body = json!({ "data": entries });
        if let Some(total) = total {
            body["extra"] = json!({"pagination": {"total_count": total}});
        }
        Self::Answer {
            status: 200,
            retry_after_secs: None,
            body,
            after: Duration::ZERO,
        }
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        if let Self::Answer { retry_after_secs, .. } = &mut self {
            *retry_after_secs = Some(secs);
        }
        self
    }

    pub(crate) fn after(mut self, pause: Duration) -> Self {
        if let Self::Answer { after, .. } = &mut self {
            *after = pause;
        }
        self
    }
}

type Script = dyn Fn(usize, &ApiRequest) -> Reply + Send + Sync;

pub(crate) struct FakeDbt {
    journal: Journal,
    script: Box<Script>,
    requests: Mutex<Vec<ApiRequest>>,
    received: watch::Sender<usize>,
    /// Now, and the maximum so far.
    in_flight: Mutex<(usize, usize)>,
}

impl FakeDbt {
    pub(super) fn new(journal: Journal, script: impl Fn(usize, &ApiRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            journal,
            script: Box::new(script),
            requests: Mutex::default(),
            received: watch::Sender::new(0),
            in_flight: Mutex::default(),
        }
    }

    /// The number of requests received.
    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The requests, in the order received.
    pub(crate) fn requests(&self) -> Vec<ApiRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// `offset` and `limit` of each request, in the order received.
    pub(crate) fn slices(&self) -> Vec<(u64, u64)> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(slice).collect()
    }

    /// Waits until `count` requests were received.
    pub(crate) async fn received(&self, count: usize) {
        let mut received = self.received.subscribe();
        within_an_hour(received.wait_for(|received| *received >= count))
            .await
            .unwrap();
    }

    /// The largest number of concurrent requests.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.in_flight.lock().unwrap().1
    }
}

/// The value of a query parameter.
pub(crate) fn query<'r>(request: &'r ApiRequest, name: &str) -> Option<&'r str> {
    let mut pairs = request.query_pairs().iter();
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

/// `offset` and `limit`.
pub(crate) fn slice(request: &ApiRequest) -> (u64, u64) {
    let number = |name| query(request, name).unwrap().parse().unwrap();
    (number("offset"), number("limit"))
}

/// Counts one exchange as in flight until it is dropped.
struct InFlight<'a>(&'a Mutex<(usize, usize)>);

impl<'a> InFlight<'a> {
    fn enter(count: &'a Mutex<(usize, usize)>) -> Self {
        let mut at = count.lock().unwrap();
        at.0 += 1;
        at.1 = at.1.max(at.0);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

#[async_trait]
impl WrappedApi for FakeDbt {
    async fn send(&self, _to: &Upstream, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
        let _counted = InFlight::enter(&self.in_flight);
        self.journal.note(format!("dbt {}", request.method()));
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        let reply = (self.script)(number, &request);
        self.received.send_replace(number);
        match reply {
            Reply::Answer {
                status,
                retry_after_secs,
                body,
                after,
            } => {
                if !after.is_zero() {
                    tokio::time::sleep(after).await;
                }
                let mut headers = HeaderMap::new();
                if let Some(secs) = retry_after_secs {
                    headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
                }
                let body = Ok(Bytes::from(body.to_string()));
                let status = StatusCode::from_u16(status).unwrap();
                Ok(ApiAnswer::new(status, headers, stream::iter([body])))
            }
            Reply::Pieces { status, body } => {
                let status = StatusCode::from_u16(status).unwrap();
                Ok(ApiAnswer::new(status, HeaderMap::new(), body))
            }
            Reply::Fails(error) => Err(error),
            Reply::Never => std::future::pending().await,
            Reply::Panics => panic!("a scripted panic"),
        }
    }
}
