//! The kinds of problems: the one table of types, statuses and titles.

use axum::http::StatusCode;

/// A kind of problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(super) status: StatusCode,
    /// A stable path that names the kind.
    pub(super) path: &'static str,
    /// A title for people.
    pub(super) title: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident $path:literal $title:literal,)*) => {
        impl Kind {
            $(pub(crate) const $name: Self = Self {
                status: StatusCode::$status,
                path: concat!("/problems/", $path),
                title: $title,
            };)*

            /// Every kind.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) fn status(self) -> StatusCode {
                self.status
            }

            pub(crate) fn path(self) -> &'static str {
                self.path
            }

            pub(crate) fn title(self) -> &'static str {
                self.title
            }
        }
    };
}

kinds! {
    INVALID_REQUEST = BAD_REQUEST "invalid-request" "Invalid request",
    AMBIGUOUS_ACCOUNT = BAD_REQUEST "ambiguous-account" "Ambiguous account",
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "Unauthenticated",
    FORBIDDEN = FORBIDDEN "forbidden" "Forbidden",
    COMPANY_SUSPENDED = FORBIDDEN "company-suspended" "Company suspended",
    TOKEN_MINTING = FORBIDDEN "token-minting" "Token minting",
    READ_ONLY = FORBIDDEN "read-only" "Read-only",
    NOT_FOUND = NOT_FOUND "not-found" "Not found",
    RUN_NOT_VISIBLE_YET = NOT_FOUND "run-not-visible-yet" "Run not visible yet",
    NO_RESULTS = NOT_FOUND "no-results" "No step with results",
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
    BODY_TOO_SLOW = REQUEST_TIMEOUT "body-too-slow" "Request body too slow",
    TOO_LARGE = PAYLOAD_TOO_LARGE "body-too-large" "Body too large",
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type",
    URL_TOO_LONG = URI_TOO_LONG "url-too-long" "URL too long",
    HEADERS_TOO_LARGE = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" "Headers too large",
    UNPROCESSABLE = UNPROCESSABLE_ENTITY "unprocessable-entity" "Unprocessable entity",
    SEARCH_TOO_BROAD = UNPROCESSABLE_ENTITY "search-too-broad" "Search too broad",
    GRAPHQL = UNPROCESSABLE_ENTITY "graphql-errors" "GraphQL errors",
    DBT_REFUSED = UNPROCESSABLE_ENTITY "dbt-refused" "dbt Cloud refused the request",
    TOO_MUCH = UNPROCESSABLE_ENTITY "answer-too-long" "Answer too long",
    RATE_LIMIT = TOO_MANY_REQUESTS "rate-limit" "Rate limit reached",
    CONFLICT = CONFLICT "conflict" "Conflict",
    RUN_ACTIVE = CONFLICT "run-active" "Job has active runs",
    IDEMPOTENCY_IN_FLIGHT = CONFLICT "idempotency-in-flight" "First request has not ended",
    IDEMPOTENCY_UNRESOLVED = CONFLICT "idempotency-unresolved" "Effect of the first request is unknown",
    IDEMPOTENCY_MISMATCH = UNPROCESSABLE_ENTITY "idempotency-mismatch" "Key was used for another request",
    DBT_CONFLICT = CONFLICT "dbt-conflict" "Conflict at dbt Cloud",
    RUN_FINISHED = CONFLICT "run-finished" "Run is over",
    CANNOT_RETRY = CONFLICT "cannot-retry" "Run cannot be retried",
    NO_ENCRYPTION_KEY = SERVICE_UNAVAILABLE "no-encryption-key" "No encryption key",
    CREDENTIAL_UNREADABLE = SERVICE_UNAVAILABLE "credential-unreadable" "Credential unreadable",
    KEY_RATE_LIMIT = TOO_MANY_REQUESTS "key-rate-limit" "Key's rate limit reached",
    TOO_MANY_FAILED_KEYS = TOO_MANY_REQUESTS "too-many-failed-keys" "Too many unknown keys",
    INTERNAL = INTERNAL_SERVER_ERROR "internal-error" "Internal error",
    CREDENTIALS = BAD_GATEWAY "dbt-credentials-refused" "dbt Cloud refused our credentials",
    BAD_GATEWAY = BAD_GATEWAY "dbt-unavailable" "dbt Cloud failed",
    LOG_UNAVAILABLE = SERVICE_UNAVAILABLE "log-unavailable" "Request log unavailable",
    SHARE_EXHAUSTED = SERVICE_UNAVAILABLE "share-exhausted" "Share used up",
    CIRCUIT_OPEN = SERVICE_UNAVAILABLE "dbt-circuit-open" "dbt Cloud is not asked for now",
    BUSY = SERVICE_UNAVAILABLE "busy" "Gateway busy",
    TRIGGER_UNRESOLVED = GATEWAY_TIMEOUT "trigger-unresolved" "Whether a run was started is not known yet",
    TIMEOUT = GATEWAY_TIMEOUT "dbt-timeout" "dbt Cloud did not answer in time",
}
