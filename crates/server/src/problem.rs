//! Errors as callers see them: RFC 9457 `application/problem+json`. The only place that knows our HTTP statuses.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use client::{ApiError, ClientError, LogError, ProviderError};
use model::AccountId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What went wrong, for programs (`type`) and people (`title`, `detail`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/not-found", "title": "Not found", "status": 404,
    "detail": "dbt Cloud: missing or no permission. The requested resource was not found.",
    "instance": "/runs/70403110000000", "request_uuid": "019e2a3b-5c6d-7e8f-9a0b-1c2d3e4f5a6b"
}))]
pub struct Problem {
    /// A stable path that names the kind of problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status, again.
    status: u16,
    /// What happened this time, and what can be done.
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// The request's name in the log and in `x-request-id`.
    request_uuid: Uuid,
    /// What is wrong with which field, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Value>,
    /// The accounts to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<i64>>)]
    accounts: Option<Vec<AccountId>>,
    /// Seconds to wait before asking again; in the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after: Option<Duration>,
    /// The chain of causes, for our log alone.
    #[serde(skip)]
    pub(crate) cause: Option<String>,
}

/// A kind of problem: status, `type`, `title`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind(StatusCode, &'static str, &'static str);

impl Kind {
    pub(crate) const INVALID_REQUEST: Self =
        Self(StatusCode::BAD_REQUEST, "/problems/invalid-request", "Invalid request");
    const AMBIGUOUS_ACCOUNT: Self = Self(
        StatusCode::BAD_REQUEST,
        "/problems/ambiguous-account",
        "Ambiguous account",
    );
    pub(crate) const UNAUTHENTICATED: Self =
        Self(StatusCode::UNAUTHORIZED, "/problems/unauthenticated", "Unauthenticated");
    const FORBIDDEN: Self = Self(StatusCode::FORBIDDEN, "/problems/forbidden", "Forbidden");
    const READ_ONLY: Self = Self(StatusCode::FORBIDDEN, "/problems/read-only", "Read-only");
    const NOT_FOUND: Self = Self(StatusCode::NOT_FOUND, "/problems/not-found", "Not found");
    const METHOD_NOT_ALLOWED: Self = Self(
        StatusCode::METHOD_NOT_ALLOWED,
        "/problems/method-not-allowed",
        "Method not allowed",
    );
    pub(crate) const TOO_LARGE: Self = Self(
        StatusCode::PAYLOAD_TOO_LARGE,
        "/problems/body-too-large",
        "Body too large",
    );
    pub(crate) const MEDIA_TYPE: Self = Self(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "/problems/unsupported-media-type",
        "Unsupported media type",
    );
    pub(crate) const URL_TOO_LONG: Self = Self(StatusCode::URI_TOO_LONG, "/problems/url-too-long", "URL too long");
    pub(crate) const HEADERS_TOO_LARGE: Self = Self(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "/problems/headers-too-large",
        "Headers too large",
    );
    const UNPROCESSABLE: Self = Self(
        StatusCode::UNPROCESSABLE_ENTITY,
        "/problems/unprocessable-entity",
        "Unprocessable entity",
    );
    const RATE_LIMIT: Self = Self(
        StatusCode::TOO_MANY_REQUESTS,
        "/problems/rate-limit",
        "Rate limit reached",
    );
    const CONFLICT: Self = Self(StatusCode::CONFLICT, "/problems/conflict", "Conflict");
    const NO_ENCRYPTION_KEY: Self = Self(
        StatusCode::SERVICE_UNAVAILABLE,
        "/problems/no-encryption-key",
        "No encryption key",
    );
    pub(crate) const KEY_RATE_LIMIT: Self = Self(
        StatusCode::TOO_MANY_REQUESTS,
        "/problems/key-rate-limit",
        "Key's rate limit reached",
    );
    const INTERNAL: Self = Self(
        StatusCode::INTERNAL_SERVER_ERROR,
        "/problems/internal-error",
        "Internal error",
    );
    const CREDENTIALS: Self = Self(
        StatusCode::BAD_GATEWAY,
        "/problems/dbt-credentials-refused",
        "dbt Cloud refused our credentials",
    );
    const BAD_GATEWAY: Self = Self(StatusCode::BAD_GATEWAY, "/problems/dbt-unavailable", "dbt Cloud failed");
    const LOG_UNAVAILABLE: Self = Self(
        StatusCode::SERVICE_UNAVAILABLE,
        "/problems/log-unavailable",
        "Request log unavailable",
    );
    pub(crate) const BUSY: Self = Self(StatusCode::SERVICE_UNAVAILABLE, "/problems/busy", "Gateway busy");
    const TIMEOUT: Self = Self(
        StatusCode::GATEWAY_TIMEOUT,
        "/problems/dbt-timeout",
        "dbt Cloud did not answer in time",
    );
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let Kind(status, kind, title) = kind;
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: String::new(),
            request_uuid: Uuid::nil(),
            errors: None,
            accounts: None,
            retry_after: None,
            cause: None,
        }
    }

    pub(crate) fn internal(cause: String) -> Self {
        let detail = "The gateway failed. The request's row in the log and its lines in the server's log say more.";
        Self {
            cause: Some(cause),
            ..Self::new(Kind::INTERNAL, detail)
        }
    }

    pub(crate) fn with_errors(self, errors: Option<Value>) -> Self {
        Self { errors, ..self }
    }

    pub(crate) fn retry_after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    fn caused_by(self, error: &dyn Error) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let _ = write!(chain, ": {cause}");
            source = cause.source();
        }
        Self {
            cause: Some(chain),
            ..self
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    pub(crate) fn request_uuid(&self) -> Uuid {
        self.request_uuid
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The problem of this request: the edge knows its path and name.
    pub(crate) fn of_request(self, instance: &str, request_uuid: Uuid) -> Self {
        Self {
            instance: instance.to_owned(),
            request_uuid,
            ..self
        }
    }
}

impl IntoResponse for Problem {
    /// Hands the problem to the edge, which knows the request and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

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
            ClientError::UnknownCredential(name) => Self::new(
                Kind::NOT_FOUND,
                format!("Credential `{name}` is not known here, or this key may not use its account."),
            ),
            ClientError::UnknownApiKey(id) => Self::new(Kind::NOT_FOUND, format!("Key {id} is not known here.")),
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

const SOON: Option<Duration> = Some(Duration::from_secs(2));

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Api(error) => error.into(),
            ProviderError::Log(LogError::QueueFull) => Self::new(
                Kind::BUSY,
                "Too many requests are under way. dbt Cloud was not contacted.",
            )
            .retry_after(SOON),
            ProviderError::Log(LogError::Closed) => {
                Self::new(Kind::BUSY, "The gateway is stopping. dbt Cloud was not contacted.").retry_after(SOON)
            }
            ProviderError::Log(ref log) => Self::new(
                Kind::LOG_UNAVAILABLE,
                "The request could not be logged, so it has no answer. A change was not sent to dbt Cloud.",
            )
            .caused_by(log)
            .retry_after(SOON),
            ProviderError::Panicked => Self::internal(error.to_string()),
        }
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let retry_after = error.retry_after();
        match error {
            ApiError::InvalidRequest { message, fields } => {
                Self::new(Kind::INVALID_REQUEST, format!("dbt Cloud: {message}")).with_errors(fields)
            }
            ApiError::UnprocessableEntity { message, fields } => {
                Self::new(Kind::UNPROCESSABLE, format!("dbt Cloud: {message}")).with_errors(fields)
            }
            ApiError::NotFound { message } => Self::new(
                Kind::NOT_FOUND,
                format!("dbt Cloud: missing or no permission. {message}"),
            ),
            ApiError::TooManyRequests { message, retry_after } => {
                // dbt Cloud's documented cooldown, where it does not say how long.
                let wait = retry_after.unwrap_or(Duration::from_mins(5));
                Self::new(Kind::RATE_LIMIT, format!("dbt Cloud: {message}")).retry_after(Some(wait))
            }
            ApiError::Credentials { status, ref message } => {
                let hint = if status == StatusCode::UNAUTHORIZED {
                    "token unknown at this host, check the access URL"
                } else {
                    "the token may not do this, or the gateway's address is not on the account's IP allow-list"
                };
                Self::new(
                    Kind::CREDENTIALS,
                    format!("dbt Cloud answered {}: {hint}. {message}", status.as_u16()),
                )
                .caused_by(&error)
            }
            ApiError::UnexpectedStatus { .. }
            | ApiError::Connect(_)
            | ApiError::Disconnected { .. }
            | ApiError::Decode { .. }
            | ApiError::TooLarge { .. } => Self::new(Kind::BAD_GATEWAY, sentence(&error))
                .caused_by(&error)
                .retry_after(retry_after),
            ApiError::ForbiddenAddress => Self::new(
                Kind::BAD_GATEWAY,
                "The credential's access URL points to an address that is not public, so dbt Cloud was not contacted. \
                 The setting `upstream.allow_private_addresses` allows such addresses.",
            )
            .caused_by(&error),
            ApiError::Timeout { .. } => Self::new(
                Kind::TIMEOUT,
                "dbt Cloud did not answer in time. What a change did is unknown: look before you repeat it.",
            )
            .caused_by(&error),
            ApiError::Unsendable(_) => Self::internal(String::new()).caused_by(&error),
        }
    }
}

/// The error with one stop at its end, which dbt's own texts mostly have.
fn sentence(error: &ApiError) -> String {
    let mut text = error.to_string();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// The answer to a path that does not exist.
pub(crate) async fn unknown_route() -> Problem {
    Problem::new(
        Kind::NOT_FOUND,
        "There is no such route. The routes are listed at /docs.",
    )
}

/// The answer to a method that the path does not have.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(
        Kind::METHOD_NOT_ALLOWED,
        "This route has no such method. The routes are listed at /docs.",
    )
}
