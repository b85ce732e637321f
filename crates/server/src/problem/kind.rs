//! The kinds of problems: the one table of types, statuses and titles.

use axum::http::StatusCode;
use utoipa::openapi::{RefOr, Schema};

use crate::words::fixed;

/// A kind of problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(super) status: StatusCode,
    /// A stable path that names the kind.
    pub(super) path: &'static str,
    /// A title for people.
    pub(super) title: &'static str,
    /// What the detail of such a problem may say, for the document.
    example: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident $path:literal $title:literal $($example:literal)?,)*) => {
        impl Kind {
            $(pub(crate) const $name: Self = Self {
                status: StatusCode::$status,
                path: concat!("/problems/", $path),
                title: $title,
                example: concat!("" $(, $example)?),
            };)*

            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn status(self) -> StatusCode {
                self.status
            }

            /// Whether such a problem may have `Retry-After`.
            pub(crate) fn may_wait(self) -> bool {
                [429, 502, 503, 504].contains(&self.status.as_u16()) || MAY_WAIT.contains(&self.path)
            }

            pub(crate) fn path(self) -> &'static str {
                self.path
            }

            pub(crate) fn title(self) -> &'static str {
                self.title
            }

            pub(crate) fn example(self) -> &'static str {
                self.example
            }
        }
    };
}

/// Those that pass by themselves, besides those whose status says so.
const MAY_WAIT: [&str; 2] = [Kind::RUN_NOT_VISIBLE_YET.path, Kind::IDEMPOTENCY_IN_FLIGHT.path];

kinds! {
    INVALID_REQUEST = BAD_REQUEST "invalid-request" "Invalid request"
        "In the body: `cause`: length is lower than 1.",
    AMBIGUOUS_ACCOUNT = BAD_REQUEST "ambiguous-account" "Ambiguous account"
        "Several accounts are possible: name one with `account_id`.",
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "Unauthenticated"
        "Send a valid gateway key: `Authorization: Bearer <key>`.",
    FORBIDDEN = FORBIDDEN "forbidden" "Forbidden"
        "This needs the role operator; the key has the role viewer. dbt Cloud was not contacted.",
    COMPANY_SUSPENDED = FORBIDDEN "company-suspended" "Company suspended"
        "The company of this key is suspended. Ask the operator of the gateway.",
    TOKEN_MINTING = FORBIDDEN "token-minting" "Token minting"
        "This request would show a new dbt token. The operator can allow it: `compat.allow_token_minting`.",
    READ_ONLY = FORBIDDEN "read-only" "Read-only"
        "The gateway is read-only. Nothing was changed.",
    NOT_FOUND = NOT_FOUND "not-found" "Not found"
        "dbt Cloud: missing or no permission. The requested resource was not found.",
    RUN_NOT_VISIBLE_YET = NOT_FOUND "run-not-visible-yet" "Run not visible yet"
        "dbt Cloud does not show this new run yet. Ask again in a moment.",
    NO_RESULTS = NOT_FOUND "no-results" "No step with results"
        "No step of this run has results.",
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed"
        "This route has no such method. The routes are listed at /docs.",
    BODY_TOO_SLOW = REQUEST_TIMEOUT "body-too-slow" "Request body too slow"
        "The body did not arrive in time. dbt Cloud was not contacted.",
    TOO_LARGE = PAYLOAD_TOO_LARGE "body-too-large" "Body too large"
        "The body is larger than server.max_body_bytes.",
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type"
        "Send the body as JSON, with `Content-Type: application/json`.",
    URL_TOO_LONG = URI_TOO_LONG "url-too-long" "URL too long"
        "The path and the query are longer than the limit.",
    HEADERS_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" "Headers too large"
        "The headers are larger than the limit.",
    UNPROCESSABLE = UNPROCESSABLE_ENTITY "unprocessable-entity" "Unprocessable entity"
        "dbt Cloud: the job is not active.",
    SEARCH_TOO_BROAD = UNPROCESSABLE_ENTITY "search-too-broad" "Search too broad"
        "The search took too long: narrow it, for instance with `from` and `to`.",
    GRAPHQL = UNPROCESSABLE_ENTITY "graphql-errors" "GraphQL errors"
        "dbt Cloud: Cannot query field 'nme' on type 'Model'.",
    DBT_REFUSED = UNPROCESSABLE_ENTITY "dbt-refused" "dbt Cloud refused the request"
        "dbt Cloud answered 405 Method Not Allowed: this job cannot be changed. Nothing was changed.",
    TOO_MUCH = UNPROCESSABLE_ENTITY "answer-too-long" "Answer too long"
        "The list is longer than the limit: ask for less.",
    RATE_LIMIT = TOO_MANY_REQUESTS "rate-limit" "Rate limit reached"
        "dbt Cloud: too many requests.",
    BUDGET_EXHAUSTED = TOO_MANY_REQUESTS "budget-exhausted" "Budget of requests used up"
        "dbt Cloud has refused this account's requests for a while (429), and that time is not over. The request was not sent to dbt Cloud.",
    CONFLICT = CONFLICT "conflict" "Conflict"
        "The name is taken.",
    RUN_ACTIVE = CONFLICT "run-active" "Job has active runs"
        "The job has an active run, 70403104000901, and `if_running` is `reject`. Nothing was started.",
    IDEMPOTENCY_IN_FLIGHT = CONFLICT "idempotency-in-flight" "First request has not ended"
        "The first request with this key has not ended. Repeat this one in a moment.",
    IDEMPOTENCY_UNRESOLVED = CONFLICT "idempotency-unresolved" "Effect of the first request is unknown"
        "What the first request with this key did is unknown.",
    IDEMPOTENCY_NOT_REPLAYABLE = CONFLICT "idempotency-not-replayable" "First answer is not stored"
        "The first request with this key made an API key, whose text is shown once. It is at /api-keys/7.",
    IDEMPOTENCY_MISMATCH = UNPROCESSABLE_ENTITY "idempotency-mismatch" "Key was used for another request"
        "The key was used for another request: `cause` differs. Nothing was started.",
    DBT_CONFLICT = CONFLICT "dbt-conflict" "Conflict at dbt Cloud"
        "dbt Cloud answered 409 Conflict: the resource is in use. Nothing was changed.",
    RUN_FINISHED = CONFLICT "run-finished" "Run is over"
        "The run has finished by itself: it cannot be cancelled.",
    CANNOT_RETRY = CONFLICT "cannot-retry" "Run cannot be retried"
        "dbt Cloud cannot retry this run: RETRY_NOT_LATEST_RUN. Nothing was started.",
    NO_ENCRYPTION_KEY = SERVICE_UNAVAILABLE "no-encryption-key" "No encryption key"
        "The gateway has no encryption key to store a token with. Ask its operator.",
    CREDENTIAL_UNREADABLE = SERVICE_UNAVAILABLE "credential-unreadable" "Credential unreadable"
        "The token of this credential cannot be decrypted. Ask the operator of the gateway.",
    KEY_RATE_LIMIT = TOO_MANY_REQUESTS "key-rate-limit" "Key's rate limit reached"
        "This key sends too many requests. dbt Cloud was not contacted.",
    TOO_MANY_FAILED_KEYS = TOO_MANY_REQUESTS "too-many-failed-keys" "Too many unknown keys"
        "Too many requests with unknown keys came from this address.",
    TOO_MANY_STREAMS = TOO_MANY_REQUESTS "too-many-streams" "Too many event streams"
        "This key has 100 event streams, as many as it may have: end one, or follow several runs with GET /events.",
    INTERNAL = INTERNAL_SERVER_ERROR "internal-error" "Internal error"
        "The gateway failed. The request's row in the log and its lines in the server's log say more.",
    CREDENTIALS = BAD_GATEWAY "dbt-credentials-refused" "dbt Cloud refused our credentials"
        "dbt Cloud refused the gateway's token. An admin can check it: POST /credentials/{name}/verify.",
    BAD_GATEWAY = BAD_GATEWAY "dbt-unavailable" "dbt Cloud failed"
        "dbt Cloud answered 503. Ask again.",
    LOG_UNAVAILABLE = SERVICE_UNAVAILABLE "log-unavailable" "Request log unavailable"
        "The request could not be recorded. dbt Cloud was not contacted.",
    SHARE_EXHAUSTED = SERVICE_UNAVAILABLE "share-exhausted" "Share used up"
        "At the gateway, the share of this key is used up. dbt Cloud was not contacted.",
    CIRCUIT_OPEN = SERVICE_UNAVAILABLE "dbt-circuit-open" "dbt Cloud is not asked for now"
        "dbt Cloud's recent answers to this credential were errors or late, so it is not asked for 1800 ms. The request was not sent to dbt Cloud.",
    BUSY = SERVICE_UNAVAILABLE "busy" "Gateway busy"
        "The gateway is stopping. dbt Cloud was not contacted.",
    TRIGGER_UNRESOLVED = GATEWAY_TIMEOUT "trigger-unresolved" "Whether a run was started is not known yet"
        "dbt Cloud's answer was lost, and the run was not found in time. The search goes on: see `resolution` of this request's row.",
    TIMEOUT = GATEWAY_TIMEOUT "dbt-timeout" "dbt Cloud did not answer in time"
        "dbt Cloud did not answer in time. Ask again.",
}

/// The types of all kinds, as a schema.
pub(crate) enum ProblemType {}

impl utoipa::PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        let paths = Kind::ALL.iter().map(|kind| kind.path.to_owned());
        fixed("A stable path that names the kind of problem.", paths.collect())
    }
}

impl utoipa::ToSchema for ProblemType {}
