//! Maps dbt Cloud's answers: a status that is not 2xx to [`ApiError`], an envelope to its data.
//!
//! Success is decided by the HTTP status alone. dbt Cloud has five envelopes (some say `is_success`, some only
//! `code`, some nothing), and all that is needed of them is `data` and, for lists, `extra.pagination.total_count`.
//! No retries and no logging here: `provider` does both.

use http::StatusCode;
use model::{Listed, Upstream};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::collect::{self, Collected};
use crate::message::message;
use crate::retry_after::retry_after;
use crate::{ApiAnswer, ApiError, ApiRequest, WrappedApi};

/// What dbt Cloud answered, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiResponse<T> {
    /// dbt's status, a 2xx.
    pub status: StatusCode,
    /// The envelope's `data`.
    pub data: T,
    /// How long the body was, in bytes after decompression; 0 for one that is not read yet.
    pub bytes: u64,
}

impl<T> ApiResponse<T> {
    /// The same answer with its data in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> ApiResponse<U> {
        ApiResponse {
            status: self.status,
            data: form(self.data),
            bytes: self.bytes,
        }
    }
}

impl dyn WrappedApi {
    /// One exchange that answers one thing: the way of every typed method, and open to those that have none yet.
    ///
    /// # Errors
    /// Every [`ApiError`]; [`ApiError::Decode`] when a 2xx is not JSON, has no `data`, or `data` is no `T`.
    pub async fn fetch<T: DeserializeOwned>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<T>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let OneWire { data } = decode(&answer)?;
        Ok(ApiResponse {
            status: answer.status,
            data,
            bytes: answer.body.len() as u64,
        })
    }

    /// One exchange that answers one page of a list. `data: null` is an empty list.
    ///
    /// # Errors
    /// As [`Self::fetch`](#method.fetch). One entry that is no `T`, for instance without an id, makes the whole page
    /// [`ApiError::Decode`]: a list is whole or an error.
    pub async fn fetch_list<T: DeserializeOwned>(
        &self,
        to: &Upstream,
        request: ApiRequest,
    ) -> Result<ApiResponse<Listed<T>>, ApiError> {
        let answer = successful(collect::exchange(self, to, request).await?)?;
        let ListWire { data, extra } = decode(&answer)?;
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

    /// One exchange whose answer says nothing beyond its status: whatever body comes with a 2xx is passed over.
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
    /// One exchange that answers a file, whose body is still to be read: 2xx, and the answers to conditions and ranges
    /// of the request (304, 412, 416).
    ///
    /// # Errors
    /// Every [`ApiError`] but [`ApiError::Decode`] and [`ApiError::TooLarge`].
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

    /// One exchange whose answer is handed on, whatever its status.
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
    /// May be null (artifacts of a run that has none), but has to be there: `{}` is no list.
    #[serde(deserialize_with = "nullable")]
    data: Option<Vec<T>>,
    /// Absent from some envelopes and of another type in others.
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

/// `None` where `extra` says nothing of the kind.
fn total_count(extra: &RawValue) -> Option<u64> {
    let extra: ExtraWire = serde_json::from_str(extra.get()).ok()?;
    Some(extra.pagination.total_count)
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(data: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(data)
}

pub(crate) fn decode<T: DeserializeOwned>(answer: &Collected) -> Result<T, ApiError> {
    let unreadable = |source| ApiError::Decode {
        status: answer.status,
        source,
    };
    // Looked over once: what is kept as text is not checked again piece by piece.
    let text = std::str::from_utf8(&answer.body).map_err(|error| unreadable(error.into()))?;
    serde_json::from_str(text).map_err(|error| unreadable(error.into()))
}

/// The one place where a status becomes an error. The status survives any body.
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

/// dbt Cloud puts what is wrong with which field into `data`: an object by field, or a list by key.
fn fields(json: Option<Value>) -> Option<Value> {
    let data = json?.get_mut("data")?.take();
    (data.is_object() || data.is_array()).then_some(data)
}
