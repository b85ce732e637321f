//! Problems of requests that start a run, carry an idempotency key, or follow a run.

use client::{ApiError, ClientError, TriggerUnresolved};
use model::{ApiKeyId, JobId, RunId};
use uuid::Uuid;

use super::{Kind, Problem, SOON};

/// Of waits and event streams.
pub(super) fn of_events(error: &ClientError) -> Problem {
    let problem = match error {
        ClientError::TooManyStreams { max } => Problem::new(
            Kind::TOO_MANY_STREAMS,
            format!(
                "This key has {max} event streams, as many as it may have (events.max_streams_per_key): end one, or follow \
                 several runs with one `GET /events`."
            ),
        ),
        _ => Problem::new(
            Kind::BUSY,
            "The events of runs cannot be followed at this moment. Ask again.",
        ),
    };
    problem.retry_after(SOON)
}

pub(super) fn in_flight(request: Option<Uuid>) -> Problem {
    let request = request.map_or_else(|| "A request".to_owned(), |uuid| format!("Request {uuid}"));
    let detail = format!(
        "{request} with the same Idempotency-Key has not ended, or its run is being looked for. Repeat this one in a moment: it \
         gets that answer."
    );
    Problem::new(Kind::IDEMPOTENCY_IN_FLIGHT, detail).retry_after(SOON)
}

pub(super) fn not_replayable(made: ApiKeyId) -> Problem {
    let address = format!("/api-keys/{made}");
    let detail = format!(
        "The first request with this Idempotency-Key made API key {made} ({address}). Its text was in that answer alone. If it \
         was lost, revoke the key (DELETE {address}) and create another with a new Idempotency-Key. Nothing was made now; dbt \
         Cloud was not contacted."
    );
    Problem::new(Kind::IDEMPOTENCY_NOT_REPLAYABLE, detail).with_errors(Some(serde_json::json!({ "location": address })))
}

pub(super) fn trigger_unresolved(unresolved: &TriggerUnresolved) -> Problem {
    let job = unresolved
        .job
        .map_or_else(|| "the account".to_owned(), |job| format!("job {job}"));
    let what = match &unresolved.marker {
        Some(marker) => format!("a run of {job} whose cause ends with `[dgw:{marker}]`"),
        None => format!("the one new run of {job} that fits"),
    };
    let until = unresolved.until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let lost = match &unresolved.source {
        Some(ApiError::SaysFailed { status, message }) => {
            format!("dbt Cloud answered {status}, but says that the request failed ({message})")
        }
        _ => "dbt Cloud's answer was lost".to_owned(),
    };
    let detail = format!(
        "{lost}, and whether it started a run is not known yet. The gateway looked for {what} and goes on \
         until {until}. Read the outcome in `resolution` of /request-logs/{}; a repeat with the same Idempotency-Key gets it \
         too. Do not send it again without one.",
        unresolved.request_uuid
    );
    let problem = Problem::new(Kind::TRIGGER_UNRESOLVED, detail);
    let candidates = &unresolved.candidates;
    let errors = (!candidates.is_empty()).then(|| serde_json::json!({ "candidates": candidates }));
    match &unresolved.source {
        Some(source) => problem.with_errors(errors).caused_by(source),
        None => problem.with_errors(errors),
    }
}

pub(super) fn run_active(job: JobId, runs: &[RunId], requests: &[Uuid]) -> Problem {
    let detail = match runs {
        [] => format!(
            "A run of job {job} was started a moment ago, and dbt Cloud does not show it yet. Nothing was started."
        ),
        [first, ..] => format!(
            "Job {job} has {} active run(s), the newest is {first}. Nothing was started.",
            runs.len()
        ),
    };
    let errors = serde_json::json!({ "runs": runs, "requests": requests });
    Problem::new(Kind::RUN_ACTIVE, detail).with_errors(Some(errors))
}
