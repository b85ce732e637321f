//! Maps dbt Cloud's answers: a status that is not 2xx to [`ApiError`], an envelope to its data.
//!
//! dbt Cloud has five envelopes (with `is_success`, with only `code`, with neither). A 2xx is a failure if its envelope says
//! so (`envelope.rs`). Null data is not an empty list.

use http::StatusCode;
use model::{Listed, Slice, Upstream};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::collect::{self, Collected};
use crate::envelope::{Envelope, Failure, Head, failure_of};
use crate::large::work_on_body;
use crate::message::message;
use crate::retry_after::retry_after;
use crate::{ApiAnswer, ApiError, ApiRequest, Cause, Gap, WrappedApi};

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
    /// Every [`ApiError`]; [`ApiError::Decode`] if a 2xx is not JSON, `data` is missing or null, or is not a `T`.
    pub async fn fetch<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<T>, ApiError> {
        let answer = self.fetch_nullable(to, request).await?;
        let (status, bytes) = (answer.status, answer.bytes);
        let data = answer.data.ok_or_else(|| null_data(status))?;
        Ok(ApiResponse { status, data, bytes })
    }

    /// As [`Self::fetch`](#method.fetch), for a POST that makes something. An envelope that says that the request failed is
    /// [`ApiError::SaysFailed`] whatever status it names: dbt Cloud's refusals have that status themselves, so behind a 2xx
    /// the thing may have been made.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch).
    pub async fn fetch_made<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<T>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let status = answer.status;
        let OneWire { data, .. } = decode_envelope(&answer, to)
            .await
            .map_err(|error| match error.status() {
                Some(named) if named != status => says_failed(&collect::masked(&answer, to)),
                _ => error,
            })?;
        Ok(ApiResponse {
            status,
            data: data.ok_or_else(|| null_data(status))?,
            bytes: answer.body.len() as u64,
        })
    }

    /// As [`Self::fetch`](#method.fetch), where null is an answer too.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch), except for null.
    pub async fn fetch_nullable<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<Option<T>>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let OneWire { data, .. } = decode_envelope(&answer, to).await?;
        Ok(ApiResponse {
            status: answer.status,
            data,
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange whose answer is one page of a list, the one that `request` names with `slice`.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch). A single entry that is not a `T`, for example without an id, makes the whole page
    /// [`ApiError::Decode`]. [`ApiError::Incomplete`] for a page without entries before the end of the list.
    pub async fn fetch_list<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
        slice: Slice,
    ) -> Result<ApiResponse<Listed<T>>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let wire: ListWire<T> = decode_envelope(&answer, to).await?;
        let status = answer.status;
        let total_count = wire.total_count();
        let items = wire.data.ok_or_else(|| null_data(status))?;
        if let Some(total) = total_count
            && items.is_empty()
            && total > slice.offset
        {
            let gap = Gap::Empty {
                offset: slice.offset,
                total,
            };
            return Err(ApiError::Incomplete { status, gap });
        }
        Ok(ApiResponse {
            status,
            data: Listed { items, total_count },
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange whose answer is a whole list, which dbt Cloud does not divide into pages. Null is an empty list if the
    /// envelope says in words that the request succeeded.
    ///
    /// # Errors
    /// As [`Self::fetch_list`](#method.fetch_list).
    pub async fn fetch_whole_list<T: DeserializeOwned + Send + 'static>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<Vec<T>>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let wire: ListWire<T> = decode_envelope(&answer, to).await?;
        let status = answer.status;
        let (total, says_success) = (wire.total_count(), wire.head().says_success());
        let data = match wire.data {
            Some(items) => items,
            None if says_success => Vec::new(),
            None => return Err(null_data(status)),
        };
        let came = data.len() as u64;
        if let Some(promised) = total.filter(|total| *total > came) {
            let gap = Gap::Missing { came, promised };
            return Err(ApiError::Incomplete { status, gap });
        }
        Ok(ApiResponse {
            status,
            data,
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange of which only success matters. The body of a 2xx is empty, or JSON that does not say that the request
    /// failed.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch); [`ApiError::Decode`] for another body: the page of a proxy.
    pub async fn fetch_nothing(&self, to: &Upstream, request: ApiRequest) -> Result<ApiResponse<()>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        if let Some(failure) = failure_of(&answer.body) {
            return Err(failed(&answer, to, failure));
        }
        if !answer.body.is_empty() {
            decode::<IgnoredAny>(&answer).await?;
        }
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
#[serde(bound = "T: DeserializeOwned")]
struct OneWire<T> {
    /// Required: `{}` is not an answer.
    #[serde(deserialize_with = "nullable")]
    data: Option<T>,
    status: Option<Box<RawValue>>,
    error_code: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListWire<T> {
    /// Required: `{}` is not a list.
    #[serde(deserialize_with = "nullable")]
    data: Option<Vec<T>>,
    /// Missing in some envelopes, of another type in others.
    extra: Option<Box<RawValue>>,
    status: Option<Box<RawValue>>,
    error_code: Option<Box<RawValue>>,
}

impl<T> Envelope for OneWire<T> {
    fn head(&self) -> Head<'_> {
        Head::new(self.status.as_deref(), self.error_code.as_deref())
    }
}

impl<T> Envelope for ListWire<T> {
    fn head(&self) -> Head<'_> {
        Head::new(self.status.as_deref(), self.error_code.as_deref())
    }
}

impl<T> ListWire<T> {
    /// `None` if `extra` has no `pagination.total_count`.
    fn total_count(&self) -> Option<u64> {
        let extra: ExtraWire = serde_json::from_str(self.extra.as_ref()?.get()).ok()?;
        Some(extra.pagination.total_count)
    }
}

#[derive(Deserialize)]
struct ExtraWire {
    pagination: PaginationWire,
}

#[derive(Deserialize)]
struct PaginationWire {
    total_count: u64,
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(data: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(data)
}

/// Decodes an envelope; one that says that the request failed becomes its error, whatever its data.
pub(crate) async fn decode_envelope<T>(answer: &Collected, to: &Upstream) -> Result<T, ApiError>
where
    T: Envelope + DeserializeOwned + Send + 'static,
{
    let decoded = decode::<T>(answer).await;
    let failure = match &decoded {
        Ok(envelope) => envelope.head().failure(),
        // The data of a failure may have another shape.
        Err(_) => failure_of(&answer.body),
    };
    match failure {
        Some(failure) => Err(failed(answer, to, failure)),
        None => decoded,
    }
}

/// Decodes a file, which has no envelope unless the request failed.
pub(crate) async fn decode_file<T>(answer: &Collected, to: &Upstream) -> Result<T, ApiError>
where
    T: DeserializeOwned + Send + 'static,
{
    let decoded = decode(answer).await;
    decoded.map_err(|error| match failure_of(&answer.body) {
        Some(failure) => failed(answer, to, failure),
        None => error,
    })
}

/// The error of a 2xx whose envelope says that the request failed: that of the status that the envelope names.
pub(crate) fn failed(answer: &Collected, to: &Upstream, failure: Failure) -> ApiError {
    let answer = collect::masked(answer, to);
    match failure.status {
        Some(status) => error_of(&Collected { status, ..answer }),
        None => says_failed(&answer),
    }
}

fn says_failed(answer: &Collected) -> ApiError {
    ApiError::SaysFailed {
        status: answer.status,
        message: message(&answer.body, serde_json::from_slice(&answer.body).ok().as_ref()),
    }
}

pub(crate) fn null_data(status: StatusCode) -> ApiError {
    ApiError::Decode {
        status,
        source: "`data` is null".into(),
    }
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

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Cause> {
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

pub(crate) fn error_of(answer: &Collected) -> ApiError {
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
        // 408 is a failure to answer in time, of dbt Cloud or of a proxy.
        _ if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => ApiError::Rejected {
            status,
            message,
            fields: fields(json),
        },
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
