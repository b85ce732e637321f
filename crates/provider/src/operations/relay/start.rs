//! Relayed requests that start a run: sent at most once, their answers collected whole, and a lost answer resolved by
//! looking for the run.

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiError, ApiRequest};
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use model::{ClientContext, ClientType, RequestType, Run, RunId, RunOrigin, TriggerJob};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{Attempt, AttemptEnd, NewAttempt, RecentAttempt, StartKind};
use tokio::time::Instant;

use super::forward_request::ForwardRequest;
use super::send::{api_request, send};
use crate::ProviderError;
use crate::engine::starts::{Starter, Starting, Subject, is_definite, marked};
use crate::engine::{Beginning, Call, read_beginning};
use crate::exchanges::Why;

const RUN_ORIGIN: HeaderName = HeaderName::from_static("x-run-origin");

/// What a relayed request starts; `None` for other operations.
pub(super) fn kind(request_type: RequestType) -> Option<StartKind> {
    match request_type.as_str() {
        "trigger_job" => Some(StartKind::Trigger),
        "rerun_job" => Some(StartKind::Rerun),
        "retry_run" => Some(StartKind::Retry),
        _ => None,
    }
}

/// The attempt of a request, which gets a marker if the settings say so.
pub(super) fn attempt(
    ctx: &ClientContext,
    starter: &Starter,
    kind: StartKind,
    request: &mut ForwardRequest,
) -> NewAttempt {
    let target = request.request.target();
    let bytes = request.body.as_deref().unwrap_or_default();
    let mut body: Value = serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)));
    let mut subject = Subject {
        body: body.clone(),
        cause: body["cause"].as_str().map(str::to_owned),
        ..Subject::without_body(kind, target.job_id, target.run_id)
    };
    if kind == StartKind::Trigger
        && starter.settings.marks_relayed
        && let Some(cause) = subject.cause.take()
    {
        let trigger = TriggerJob {
            cause,
            ..TriggerJob::default()
        };
        let (sent, marker) = marked(ctx.stamp(), &trigger);
        body["cause"] = json!(sent.cause);
        request.body = Some(body.to_string().into());
        subject.cause = Some(sent.cause);
        subject.marker = Some(marker);
    }
    subject.attempt(ctx, &starter.settings)
}

/// Sends the request once and returns dbt Cloud's answer, or the run that was found, in dbt's envelope.
pub(super) async fn start(
    starter: &Starter,
    call: &Call,
    new: NewAttempt,
    request: ForwardRequest,
) -> Result<ApiAnswer, ProviderError> {
    let window = starter.settings.repeat_window;
    let attempt = match new.job_id {
        Some(job) if new.kind == StartKind::Trigger && !window.is_zero() => {
            let lock = (new.host.as_str(), new.account_id, job);
            let beginning = Box::pin(begin_unless_repeated(starter, call, &new));
            Box::pin(starter.with_job_locked(lock, new.request_uuid, beginning)).await?
        }
        _ => Ok(begin(starter, call, &new).await?),
    };
    let attempt = match attempt {
        Ok(attempt) => attempt,
        Err(first) => return repeated(starter, call, &new, first).await,
    };
    let sending = send_once(starter, call, &attempt, request);
    starter.holding(attempt.lease, Box::pin(sending)).await
}

async fn begin(starter: &Starter, call: &Call, new: &NewAttempt) -> Result<Attempt, ProviderError> {
    match starter.begin(call, new, None).await? {
        Starting::New(attempt) => Ok(*attempt),
        // Only a request with a key repeats another.
        Starting::Repeated(_) => Err(ProviderError::Panicked),
    }
}

/// The stored attempt, or that of the same trigger a moment ago.
async fn begin_unless_repeated(
    starter: &Starter,
    call: &Call,
    new: &NewAttempt,
) -> Result<Result<Attempt, RecentAttempt>, ProviderError> {
    match same(starter, new).await? {
        Some(first) => Ok(Err(first)),
        None => Ok(Ok(begin(starter, call, new).await?)),
    }
}

async fn same(starter: &Starter, new: &NewAttempt) -> Result<Option<RecentAttempt>, ProviderError> {
    let window = starter.settings.repeat_window;
    let (ledger, print) = (&starter.ledger, new.fingerprint);
    Ok(ledger
        .same_recently(new.api_key_id, &new.host, new.account_id, print, window)
        .await?)
}

/// Waits for the run of the first of two identical triggers, and answers with it.
async fn repeated(
    starter: &Starter,
    call: &Call,
    new: &NewAttempt,
    mut first: RecentAttempt,
) -> Result<ApiAnswer, ProviderError> {
    let until = Instant::now() + starter.settings.resolve;
    loop {
        if let Some(run) = first.run_id {
            return shown(call, run, None, RunOrigin::Replayed).await;
        }
        if Instant::now() >= until {
            return Err(ProviderError::IdempotencyInFlight(Some(first.request_uuid)));
        }
        tokio::time::sleep(starter.settings.min_pause).await;
        first = same(starter, new)
            .await?
            .ok_or(ProviderError::IdempotencyUnresolved(first.request_uuid))?;
    }
}

async fn send_once(
    starter: &Starter,
    call: &Call,
    attempt: &Attempt,
    request: ForwardRequest,
) -> Result<ApiAnswer, ProviderError> {
    let answer = match send(call, call.operation(), None, api_request(request, true)).await {
        Ok(answer) => collected(call, answer).await,
        Err(error) => Err(error),
    };
    let lost = match answer {
        Ok((answer, body)) => match verdict(answer.status, &body) {
            Verdict::Started(run) => {
                call.set_run(run);
                if let Err(error) = starter
                    .ledger
                    .end(attempt.lease, &AttemptEnd::Confirmed(run), None)
                    .await
                {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a started run was not recorded"
                    );
                }
                return Ok(with_body(&answer, body));
            }
            Verdict::Refused => {
                if let Err(error) = starter.ledger.end(attempt.lease, &AttemptEnd::Failed, None).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a refusal was not recorded");
                }
                return Ok(with_body(&answer, body));
            }
            Verdict::Open => ApiError::UnexpectedStatus {
                status: answer.status,
                message: "an answer without the run".to_owned(),
                retry_after: None,
            },
        },
        Err(error) if is_definite(&error) => return Err(starter.not_sent(attempt, error.into()).await),
        Err(error) => error,
    };
    let found = starter.resolve(call, attempt, lost).await?;
    let (id, origin) = (found.run.id, found.origin);
    shown(call, id, Some(found.run), origin).await
}

/// What an answer says about the run.
enum Verdict {
    Started(RunId),
    Refused,
    Open,
}

fn verdict(status: StatusCode, body: &[u8]) -> Verdict {
    if status.is_success() {
        let started = serde_json::from_slice::<StartedWire>(body);
        return started.map_or(Verdict::Open, |started| Verdict::Started(started.data.id));
    }
    if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        return Verdict::Refused;
    }
    Verdict::Open
}

#[derive(Deserialize)]
struct StartedWire {
    data: RunWire,
}

#[derive(Deserialize)]
struct RunWire {
    id: RunId,
}

/// The answer with its whole body.
async fn collected(call: &Call, mut answer: ApiAnswer) -> Result<(ApiAnswer, Bytes), ApiError> {
    let (status, headers) = (answer.status, std::mem::take(&mut answer.headers));
    let (limit_bytes, shares) = (call.collect_limits().max_body_bytes, call.shares());
    let body = read_beginning(answer.into_body(), limit_bytes, |bytes| shares.keep_bytes(bytes));
    match body.await? {
        Beginning::Whole(body) => Ok((ApiAnswer::new(status, headers, stream::empty()), body)),
        Beginning::Longer(..) => Err(ApiError::TooLarge { status, limit_bytes }),
    }
}

fn with_body(answer: &ApiAnswer, body: Bytes) -> ApiAnswer {
    ApiAnswer::new(answer.status, answer.headers.clone(), stream::iter([Ok(body)]))
}

/// The run in dbt Cloud's envelope: as dbt Cloud shows it, or, where it does not show it yet, as it was found.
async fn shown(call: &Call, id: RunId, found: Option<Run>, origin: RunOrigin) -> Result<ApiAnswer, ProviderError> {
    call.set_run(id);
    let path = format!("/v2/accounts/{}/runs/{id}/", call.account_id());
    let api = ClientType::DbtCloudAdministrative;
    let request = ApiRequest::forward(api, Method::GET, path, None, HeaderMap::new(), None);
    let read = call.forward(
        RequestType::GetRun,
        Why::LookUp,
        Some(call.collect_limits().max_body_bytes),
        |api, to| api.forward(to, request.clone()),
    );
    let mut answer = match read.await {
        Ok(answer) if answer.status.is_success() => {
            let (answer, body) = collected(call, answer).await?;
            with_body(&answer, body)
        }
        other => {
            let Some(run) = found else {
                return Err(match other {
                    Err(error) => error.into(),
                    Ok(_) => ProviderError::RunNotVisibleYet(id),
                });
            };
            let envelope = json!({
                "status": {"code": 200, "is_success": true, "user_message": "Success!", "developer_message": ""},
                "data": run,
            });
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let body = Bytes::from(envelope.to_string());
            ApiAnswer::new(StatusCode::OK, headers, stream::iter([Ok(body)]))
        }
    };
    answer.headers.remove(CONTENT_LENGTH);
    answer
        .headers
        .insert(RUN_ORIGIN, HeaderValue::from_static(origin.as_str()));
    Ok(answer)
}
