//! Maps dbt Cloud's answers: a status that is not 2xx to [`ApiError`], an envelope to its data.
//!
//! Only the HTTP status decides about success. dbt Cloud has five envelopes (with `is_success`, with only `code`, with
//! neither); only `data` and, for lists, `extra.pagination.total_count` are read from them.

use http::StatusCode;
use model::{Listed, Upstream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::collect::{self, Collected};
use crate::large::work_on_body;
use crate::message::message;
use crate::retry_after::retry_after;
use crate::{ApiAnswer, ApiError, ApiRequest, BoxError, WrappedApi};

/// A decoded answer of dbt Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiResponse<T> {
    /// dbt's status, a 2xx.
    pub status: StatusCode,
    /// The envelope's `data`.
    pub data: T,
    /// The length of the body in bytes after decompression; 0 if it is not read yet.
    pub bytes: u64,
}

impl<T> ApiResponse<T> {
    /// The same answer with its data converted.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> ApiResponse<U> {
        ApiResponse {
            status: self.status,
            data: form(self.data),
            bytes: self.bytes,
        }
    }
}

impl dyn WrappedApi {
    /// One exchange whose answer is one object. The typed methods are built on it.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::Decode`] if a 2xx is not JSON, has no `data`, or `data` is not a `T`.
    pub async fn fetch<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<T>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let OneWire { data } = decode(&answer).await?;
        Ok(ApiResponse {
            status: answer.status,
            data,
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange whose answer is one page of a list. `data: null` is an empty list.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch). A single entry that is not a `T`, for example without an id, makes the whole page
    /// [`ApiError::Decode`].
    pub async fn fetch_list<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<Listed<T>>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let ListWire { data, extra } = decode(&answer).await?;
        let data = Listed {
            items: data.unwrap_or_default(),
            total_count: extra.and_then(|extra| total_count(&extra)),
        };
        Ok(ApiResponse {
            status: answer.status,
            data,
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange of which only the status matters: the body of a 2xx is ignored.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch), except [`ApiError::Decode`].
    pub async fn fetch_nothing(&self, to: &Upstream, request: ApiRequest) -> Result<ApiResponse<()>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        Ok(ApiResponse {
            status: answer.status,
            data: (),
            bytes: answer.body.len() as u64,
        })
    }
}

impl dyn WrappedApi {
    /// One exchange whose answer is a file with an unread body: 2xx, and the statuses of conditional and range requests
    /// (304, 412, 416).
    ///
    /// # Errors
    /// Every [`ApiError`] except [`ApiError::Decode`] and [`ApiError::TooLarge`].
    pub async fn fetch_file(&self, to: &Upstream, request: ApiRequest) -> Result<ApiResponse<ApiAnswer>, ApiError> {
        let answer = self.send(to, request).await?;
        match answer.status {
            StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(answer.into())
            }
            status if status.is_success() => Ok(answer.into()),
            _ => Err(error_of(&collect::error(answer, to).await)),
        }
    }

    /// One exchange whose answer is passed on, whatever its status.
    ///
    /// # Errors
    /// Those of [`Self::send`].
    pub async fn forward(&self, to: &Upstream, request: ApiRequest) -> Result<ApiResponse<ApiAnswer>, ApiError> {
        Ok(self.send(to, request).await?.into())
    }
}

impl From<ApiAnswer> for ApiResponse<ApiAnswer> {
    fn from(answer: ApiAnswer) -> Self {
        Self {
            status: answer.status,
            data: answer,
            bytes: 0,
        }
    }
}

#[derive(Deserialize)]
struct OneWire<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListWire<T> {
    /// Null for the artifacts of a run that has none. Required: `{}` is not a list.
    #[serde(deserialize_with = "nullable")]
    data: Option<Vec<T>>,
    /// Missing in some envelopes, of another type in others.
    extra: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct ExtraWire {
    pagination: PaginationWire,
}

#[derive(Deserialize)]
struct PaginationWire {
    total_count: u64,
}

/// `None` if `extra` has no `pagination.total_count`.
fn total_count(extra: &RawValue) -> Option<u64> {
    let extra: ExtraWire = serde_json::from_str(extra.get()).ok()?;
    Some(extra.pagination.total_count)
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(data: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(data)
}

/// Decodes a body, a large one on a thread of its own.
pub(crate) async fn decode<T>(answer: &Collected) -> Result<T, ApiError>
where
    T: DeserializeOwned + Send + 'static,
{
    let body = answer.body.clone();
    let parsed = work_on_body(body.len(), move || parse(&body)).await;
    parsed.map_err(|source| ApiError::Decode {
        status: answer.status,
        source,
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
    // One UTF-8 check for the whole body; parsing from bytes would check each string again.
    Ok(serde_json::from_str(std::str::from_utf8(body)?)?)
}

/// Turns every status that is not 2xx into an error, whatever the body.
pub(crate) fn successful(answer: Collected) -> Result<Collected, ApiError> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(error_of(&answer))
    }
}

fn error_of(answer: &Collected) -> ApiError {
    let status = answer.status;
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = message(&answer.body, json.as_ref());
    let retry_after = retry_after(&answer.headers);
    match status {
        StatusCode::BAD_REQUEST => ApiError::InvalidRequest {
            message,
            fields: fields(json),
        },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ApiError::Credentials { status, message },
        StatusCode::NOT_FOUND => ApiError::NotFound { message },
        StatusCode::UNPROCESSABLE_ENTITY => ApiError::UnprocessableEntity {
            message,
            fields: fields(json),
        },
        StatusCode::TOO_MANY_REQUESTS => ApiError::TooManyRequests { message, retry_after },
        _ => ApiError::UnexpectedStatus {
            status,
            message,
            retry_after,
        },
    }
}

/// dbt Cloud describes invalid fields in `data`: an object by field name, or a list.
fn fields(json: Option<Value>) -> Option<Value> {
    let data = json?.get_mut("data")?.take();
    (data.is_object() || data.is_array()).then_some(data)
}
