//! Turns errors into problems, with advice for the caller.

use std::time::Duration;

use axum::http::StatusCode;
use client::{ApiError, ClientError, Exhausted, LogError, ProviderError};
use model::RunId;
use serde_json::Value;

use super::starts::{in_flight, not_replayable, of_events, run_active, trigger_unresolved};
use super::{Kind, Problem, SOON};

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unauthenticated => Self::new(
                Kind::UNAUTHENTICATED,
                "Send a valid gateway key as `Authorization: Bearer <key>`. A dbt token is not a gateway key.",
            ),
            ClientError::KeysUnavailable => Self::new(
                Kind::LOG_UNAVAILABLE,
                "API keys cannot be checked now: the database is away.",
            )
            .caused_by(&error)
            .retry_after(SOON),
            ClientError::ReadOnly => Self::new(
                Kind::READ_ONLY,
                "The gateway only reads for now: changes are switched off.",
            ),
            ClientError::RoleTooLow { needs, has } => Self::new(
                Kind::FORBIDDEN,
                format!("This needs a key with the role {needs}; yours is {has}."),
            ),
            ClientError::OtherCompany => Self::new(
                Kind::FORBIDDEN,
                "This is about the whole gateway: it needs an admin key of company 1.",
            ),
            ClientError::MintsToken => Self::new(
                Kind::TOKEN_MINTING,
                "The answer would show a new dbt token, and tokens stay with the gateway. \
                 The setting `compat.allow_token_minting` allows it.",
            ),
            ClientError::UnknownAccount(account) => Self::new(
                Kind::NOT_FOUND,
                format!("Account {account} is not known here, or this key may not use it."),
            ),
            ClientError::NoAccount => Self::new(
                Kind::NOT_FOUND,
                "No dbt Cloud account is set up for this key. Set DBT_TOKEN and DBT_ACCOUNT_ID, and start again.",
            ),
            ClientError::AmbiguousAccount(accounts) => Self {
                accounts: Some(accounts),
                ..Self::new(
                    Kind::AMBIGUOUS_ACCOUNT,
                    "Several accounts are possible: name one with `account_id`.",
                )
            },
            error @ (ClientError::UnknownCredential(_)
            | ClientError::AmbiguousCredential { .. }
            | ClientError::UnreadableCredential { .. }) => of_credential(&error),
            ClientError::CompanySuspended => Self::new(
                Kind::COMPANY_SUSPENDED,
                "The company of this key is suspended; the gateway's operator can resume it. dbt Cloud was not contacted.",
            ),
            ClientError::UnknownApiKey(id) => Self::new(Kind::NOT_FOUND, format!("Key {id} is not known here.")),
            ClientError::UnknownRequest(uuid) => Self::new(
                Kind::NOT_FOUND,
                format!("Request {uuid} is not on record here, or this key may not see it."),
            ),
            ClientError::Window => Self::new(Kind::INVALID_REQUEST, format!("In the query: {error}.")),
            ClientError::ShareExhausted(exhausted) => share_exhausted(&exhausted),
            error @ (ClientError::TooManyStreams { .. } | ClientError::StreamEnded) => of_events(&error),
            ClientError::ExportCutOff => Self::internal(error.to_string()),
            ClientError::SearchTooBroad(_) => Self::new(
                Kind::SEARCH_TOO_BROAD,
                "The search took too long and was given up. Narrow it with `from` and `to`, or name a run, job or key.",
            ),
            ClientError::FromSettings(name) => Self::new(
                Kind::CONFLICT,
                format!("Credential `{name}` comes from the gateway's settings; change it there and start again."),
            ),
            ClientError::NameTaken => Self::new(Kind::CONFLICT, "The name is taken."),
            ClientError::Invalid { field, ref why } => {
                let errors = serde_json::json!([{"field": field, "message": why}]);
                Self::new(Kind::INVALID_REQUEST, format!("In the body: {error}.")).with_errors(Some(errors))
            }
            ClientError::NoKeyRing => Self::new(
                Kind::NO_ENCRYPTION_KEY,
                "No encryption key is set, so no token can be stored: set DBT_GATEWAY_SECRET_KEYS or secrets.keys_file.",
            ),
            ClientError::CredentialsUnavailable => Self::new(
                Kind::LOG_UNAVAILABLE,
                "Credentials cannot be looked up now: the database is away.",
            )
            .caused_by(&error)
            .retry_after(SOON),
            ClientError::Records(_) => Self::new(
                Kind::LOG_UNAVAILABLE,
                "The gateway's records are not available now: the database is away.",
            )
            .caused_by(&error)
            .retry_after(SOON),
            ClientError::Provider(error) => error.into(),
        }
    }
}

/// A credential that a request cannot use.
fn of_credential(error: &ClientError) -> Problem {
    match error {
        ClientError::UnknownCredential(name) => Problem::new(
            Kind::NOT_FOUND,
            format!("Credential `{name}` is not known here, or this key may not use it."),
        ),
        ClientError::AmbiguousCredential { account, names } => Problem::new(
            Kind::INVALID_REQUEST,
            format!(
                "This key may use several credentials of account {account}: name one in the header \
                 X-Dbt-Credential ({}). dbt Cloud was not contacted.",
                names.join(", ")
            ),
        ),
        ClientError::UnreadableCredential {
            credential,
            account,
            reason,
        } => Problem::new(
            Kind::CREDENTIAL_UNREADABLE,
            format!(
                "The token of credential `{credential}` for account {account} cannot be read: {reason}. Other \
                 credentials work. Store the token again (PATCH /credentials/{credential}), or give every replica the \
                 encryption key. dbt Cloud was not contacted."
            ),
        )
        .caused_by(error),
        other => Problem::internal(other.to_string()),
    }
}

/// Shares are given back all the time.
const MOMENT: Option<Duration> = Some(Duration::from_secs(1));

pub(crate) fn share_exhausted(exhausted: &Exhausted) -> Problem {
    let detail = format!("At the gateway, {exhausted}. dbt Cloud was not contacted.");
    Problem::new(Kind::SHARE_EXHAUSTED, detail).retry_after(MOMENT)
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Api(error) => error.into(),
            ProviderError::Change(error) => of_exchange(
                error,
                Some("What the change did is unknown: look before you repeat it."),
            ),
            ProviderError::BeforeChange(error) => of_exchange(error, Some("Nothing was changed.")),
            ProviderError::InAccount { account, source } => Self::from(source).in_account(account),
            ProviderError::RunNotVisibleYet(run) => Self::new(
                Kind::RUN_NOT_VISIBLE_YET,
                format!("Run {run} was started just now, and dbt Cloud does not show it yet. Ask again in a moment."),
            )
            .retry_after(SOON),
            ProviderError::NoResultsStep(run) => Self::new(
                Kind::NO_RESULTS,
                format!(
                    "No step of run {run} has built anything (`dbt build`, `run`, `test`, `seed`, `snapshot`), so `step=results` \
                     names none."
                ),
            ),
            ProviderError::NoEndedRun(job) => Self::new(
                Kind::NO_RESULTS,
                format!("No run of job {job} has succeeded or failed, so `step` names none of its steps."),
            ),
            ProviderError::RunFinished { run, status } => Self::new(
                Kind::RUN_FINISHED,
                format!("Run {run} is over ({}), so there is nothing to cancel.", status.name()),
            ),
            ProviderError::CannotRetry { run, reason } => cannot_retry(run, reason),
            ProviderError::TriggerUnresolved(unresolved) => trigger_unresolved(&unresolved),
            ProviderError::RunActive { job, runs, requests } => run_active(job, &runs, &requests),
            ProviderError::JobBusy(job) => Self::new(
                Kind::BUSY,
                format!(
                    "Another request is about to start a run of job {job}. dbt Cloud was not contacted for this one."
                ),
            )
            .retry_after(SOON),
            ProviderError::IdempotencyMismatch(fields) => {
                let errors = serde_json::json!({ "differs": fields });
                let detail = format!(
                    "The Idempotency-Key was used for another request: {} differ. Use a new key for a new request. Nothing was sent.",
                    fields.join(", ")
                );
                Self::new(Kind::IDEMPOTENCY_MISMATCH, detail).with_errors(Some(errors))
            }
            ProviderError::IdempotencyInFlight(request) => in_flight(request),
            ProviderError::IdempotencyNotReplayable(made) => not_replayable(made),
            ProviderError::IdempotencyUnresolved(request) => Self::new(
                Kind::IDEMPOTENCY_UNRESOLVED,
                format!(
                    "dbt Cloud's answer to request {request} with the same Idempotency-Key was lost, and what it did is unknown. Look before you send it with a new key. Nothing was sent now."
                ),
            ),
            ProviderError::Ledger(ref ledger) => Self::new(
                Kind::LOG_UNAVAILABLE,
                "The attempt could not be recorded, since the database is away. No run was started by this request.",
            )
            .caused_by(ledger)
            .retry_after(SOON),
            ProviderError::ShareExhausted(exhausted) | ProviderError::Log(LogError::QueueFull(exhausted)) => {
                share_exhausted(&exhausted)
            }
            ProviderError::Log(LogError::Closed) => {
                Self::new(Kind::BUSY, "The gateway is stopping. dbt Cloud was not contacted.").retry_after(SOON)
            }
            ProviderError::Log(ref log) => Self::new(
                Kind::LOG_UNAVAILABLE,
                "The request could not be logged, so it has no answer. A change was not sent to dbt Cloud.",
            )
            .caused_by(log)
            .retry_after(SOON),
            ProviderError::Gathering(_) | ProviderError::Order(_) => {
                Self::new(Kind::INVALID_REQUEST, format!("In the body: {error}."))
            }
            ProviderError::TooMuch(setting) => Self::new(
                Kind::TOO_MUCH,
                format!("There is more to read than the gateway is set to ({setting}). Ask for less."),
            ),
            ProviderError::GoesOn(request) => Self::new(
                Kind::TIMEOUT,
                format!(
                    "The time of `Request-Timeout` has passed. The change goes on: read its outcome in /request-logs/{request} \
                     before you repeat it."
                ),
            ),
            ProviderError::Stopped { was_sent: true } => Self::new(
                Kind::BUSY,
                "The gateway stopped before dbt Cloud answered. What the change did is unknown: look before you repeat it.",
            ),
            ProviderError::Stopped { was_sent: false } => {
                Self::new(Kind::BUSY, "The gateway is stopping. Nothing was changed.").retry_after(SOON)
            }
            ProviderError::Panicked => Self::panicked(),
        }
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        of_exchange(error, None)
    }
}

/// `effect` describes the state of a change, for errors that leave it open.
fn of_exchange(error: ApiError, effect: Option<&str>) -> Problem {
    let retry_after = error.retry_after();
    match error {
        ApiError::InvalidRequest { message, fields } => {
            Problem::new(Kind::INVALID_REQUEST, format!("dbt Cloud: {message}")).with_errors(fields)
        }
        ApiError::UnprocessableEntity { message, fields } => {
            Problem::new(Kind::UNPROCESSABLE, format!("dbt Cloud: {message}")).with_errors(fields)
        }
        ApiError::NotFound { message } => Problem::new(
            Kind::NOT_FOUND,
            format!("dbt Cloud: missing or no permission. {message}"),
        ),
        ApiError::TooManyRequests { message, retry_after } => {
            // dbt Cloud's documented cooldown, where it does not say how long.
            let wait = retry_after.unwrap_or(Duration::from_mins(5));
            Problem::new(Kind::RATE_LIMIT, format!("dbt Cloud: {message}")).retry_after(Some(wait))
        }
        ApiError::Credentials { status, ref message } => {
            let hint = if status == StatusCode::UNAUTHORIZED {
                "token unknown at this host, check the access URL"
            } else {
                "the token may not do this, or the gateway's address is not on the account's IP allow-list"
            };
            Problem::new(
                Kind::CREDENTIALS,
                format!("dbt Cloud answered {}: {hint}. {message}", status.as_u16()),
            )
            .caused_by(&error)
        }
        ApiError::Rejected {
            status,
            message,
            fields,
        } => rejected(status, &message, fields, effect),
        ApiError::Incomplete { .. } => {
            let detail = format!("{error}. Nothing of it is shown; ask again.");
            Problem::new(Kind::BAD_GATEWAY, detail).caused_by(&error)
        }
        // dbt Cloud's own time limit, or a proxy's.
        ApiError::UnexpectedStatus {
            status: StatusCode::REQUEST_TIMEOUT,
            ..
        } => Problem::new(Kind::TIMEOUT, with_advice(&error, effect))
            .caused_by(&error)
            .retry_after(retry_after),
        ApiError::UnexpectedStatus { .. }
        | ApiError::SaysFailed { .. }
        | ApiError::Connect(_)
        | ApiError::Disconnected { .. }
        | ApiError::Decode { .. }
        | ApiError::TooLarge { .. } => Problem::new(Kind::BAD_GATEWAY, with_advice(&error, effect))
            .caused_by(&error)
            .retry_after(retry_after),
        ApiError::NotProcessed(_) => {
            let advice = match effect {
                Some(_) => "Nothing was changed, so it can be sent again.",
                None => "Send it again.",
            };
            Problem::new(Kind::BAD_GATEWAY, format!("{error}, twice in a row. {advice}"))
                .caused_by(&error)
                .retry_after(SOON)
        }
        ApiError::Graphql {
            message, errors, data, ..
        } => Problem {
            data: Some(data).filter(|data| !data.is_null()),
            ..Problem::new(Kind::GRAPHQL, format!("dbt Cloud: {message}")).with_errors(Some(errors.into()))
        },
        ApiError::ForbiddenAddress => Problem::new(
            Kind::BAD_GATEWAY,
            "The credential's access URL points to an address that is not public, so dbt Cloud was not contacted. \
             The setting `upstream.allow_private_addresses` allows such addresses.",
        )
        .caused_by(&error),
        ApiError::Timeout { .. } => Problem::new(Kind::TIMEOUT, with_advice(&error, effect)).caused_by(&error),
        ApiError::CircuitOpen { retry_after } => {
            Problem::new(Kind::CIRCUIT_OPEN, with_advice(&error, effect)).retry_after(Some(retry_after))
        }
        ApiError::ShareExhausted { .. } => {
            Problem::new(Kind::SHARE_EXHAUSTED, with_advice(&error, effect)).retry_after(MOMENT)
        }
        ApiError::BudgetExhausted { .. } => {
            let seconds = retry_after.map_or(1, |wait| wait.as_millis().div_ceil(1000).max(1));
            let detail = format!("{} Ask again in {seconds} s.", with_advice(&error, effect));
            Problem::new(Kind::BUDGET_EXHAUSTED, detail).retry_after(retry_after)
        }
        ApiError::BudgetUnavailable(_) => {
            let detail = "The budget of the account's requests could not be read, since the database is away. The request was \
                          not sent to dbt Cloud.";
            Problem::new(Kind::LOG_UNAVAILABLE, detail)
                .caused_by(&error)
                .retry_after(SOON)
        }
        ApiError::Unsendable(_) => Problem::internal(String::new()).caused_by(&error),
    }
}

/// dbt Cloud's other refusals, a 4xx each. Its status is in the text: as the gateway's own it would speak of the gateway's
/// routes, headers or bodies.
fn rejected(status: StatusCode, message: &str, fields: Option<Value>, effect: Option<&str>) -> Problem {
    let kind = match status {
        StatusCode::CONFLICT => Kind::DBT_CONFLICT,
        _ => Kind::DBT_REFUSED,
    };
    let mut detail = format!("dbt Cloud answered {status}: {message}");
    if !detail.ends_with(['.', '!', '?']) {
        detail.push('.');
    }
    if effect.is_some() {
        detail.push_str(" Nothing was changed.");
    }
    Problem::new(kind, detail).with_errors(fields)
}

/// dbt Cloud's code is passed on for programs; a documented one is explained in words.
fn cannot_retry(run: RunId, reason: Option<String>) -> Problem {
    let reason = reason.unwrap_or_else(|| "it does not say why".to_owned());
    let words = match reason.as_str() {
        "RETRY_NOT_LATEST_RUN" => "a later run of the job exists",
        "RETRY_NOT_FAILED_RUN" => "it has not failed",
        "RETRY_NO_RUN_RESULTS" => "it failed before there were results to go on from",
        "RETRY_UNSUPPORTED_CMD" => "its command cannot be retried",
        "RETRY_UNSUPPORTED_VERSION" => "its dbt version is too old",
        other => other,
    };
    let detail = format!(
        "dbt Cloud cannot retry run {run}: {}. Nothing was started.",
        words.trim_end_matches('.')
    );
    let errors = serde_json::json!({ "retry_not_supported_reason": reason });
    Problem::new(Kind::CANNOT_RETRY, detail).with_errors(Some(errors))
}

/// The error as a sentence, with `effect` where dbt Cloud may have made the change.
fn with_advice(error: &ApiError, effect: Option<&str>) -> String {
    let mut text = error.to_string();
    // Most of dbt's texts end with a full stop.
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    let refused = |status: StatusCode| !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT;
    match error {
        ApiError::Connect(_) => {}
        ApiError::CircuitOpen { .. }
        | ApiError::BudgetExhausted { .. }
        | ApiError::ShareExhausted { status: None, .. } => {
            text.push_str(" The request was not sent to dbt Cloud.");
        }
        ApiError::UnexpectedStatus { status, .. } if refused(*status) => {}
        _ => {
            if let Some(effect) = effect {
                text.push(' ');
                text.push_str(effect);
            }
        }
    }
    text
}
