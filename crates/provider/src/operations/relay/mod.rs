//! The relay: a caller's own request to dbt Cloud, sent on as it came, and the answer handed back as it comes.

mod account;
mod accounts;
mod args;
mod masked;

use bytes::Bytes;
use dbt_api::{ApiAnswer, ApiError, ApiRequest, Redirect};
use dbt_routes::RelayRequest;
use futures::stream;
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use model::{ClientContext, ClientType, Effect, RequestType, RunId};
use serde::Deserialize;

pub use accounts::lists_accounts;

use crate::engine::{Beginning, Call, RowSubject, read_beginning};
use crate::exchanges::Why;
use crate::{DbtProvider, ProviderError, StreamedAnswer};

/// A caller's request to dbt Cloud, with what of it may be sent.
#[derive(Debug, Clone)]
pub struct ForwardRequest {
    /// Method and path, and what they mean.
    pub request: RelayRequest,
    /// The query as it was written.
    pub query: Option<String>,
    /// The headers that are sent on.
    pub headers: HeaderMap,
    /// The body; `None` where the request had none.
    pub body: Option<Bytes>,
}

impl DbtProvider {
    /// Sends a caller's request on as it came, and hands the answer back whatever its status. Only GET and HEAD of what
    /// only reads are sent again after a passing failure. A redirect that differs by the slash at its end is followed
    /// once, with the same method and body.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ApiError::UnexpectedStatus`] for any other redirect.
    pub async fn forward(&self, ctx: ClientContext, order: ForwardRequest) -> Result<StreamedAnswer, ProviderError> {
        let subject = RowSubject {
            args: args::of(&order),
            job_id: order.request.target().job_id,
            run_id: order.request.target().run_id,
        };
        let request_type = ctx.request_type();
        let (effect, settings) = (request_type.effect(), self.settings.relay);
        self.provider_stream(
            ctx,
            subject,
            effect,
            settings.collect_max_bytes,
            move |call| async move {
                let is_account = account::is_one(&order.request) && !settings.keep_static_subdomain;
                let is_run = starts_run(request_type);
                let answer = sent(&call, request_type, api_request(order, is_account)).await?;
                let answer = masked::without(answer, call.token());
                if is_account && answer.status.is_success() {
                    return Ok(account::without_subdomain(answer, call.collect_limits()).await?);
                }
                if is_run && answer.status.is_success() {
                    return Ok(about_its_run(&call, answer, settings.collect_max_bytes).await?);
                }
                Ok(answer)
            },
        )
        .await
    }
}

/// The request as it is sent. One whose answer we read must come uncompressed and whole.
fn api_request(order: ForwardRequest, is_read: bool) -> ApiRequest {
    let ForwardRequest {
        request,
        query,
        mut headers,
        body,
    } = order;
    if is_read {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.remove(RANGE);
        headers.remove(IF_RANGE);
    }
    let api = request
        .request_type()
        .client_type()
        .unwrap_or(ClientType::DbtCloudAdministrative);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    ApiRequest::forward(api, method, path, query, headers, body)
}

/// Sends it, and once more to the other spelling of its path where dbt Cloud asks for that.
async fn sent(call: &Call, operation: RequestType, request: ApiRequest) -> Result<ApiAnswer, ApiError> {
    let may_repeat = operation.effect() == Effect::Read && [Method::GET, Method::HEAD].contains(request.method());
    let send = async |request: &ApiRequest, why| {
        call.forward(operation, why, may_repeat, move |api, to| {
            api.forward(to, request.clone())
        })
        .await
    };
    let answer = send(&request, Why::Asked).await?;
    let Some(redirect) = call.redirect(&request, &answer) else {
        return Ok(answer);
    };
    let Redirect::OtherSlash(request) = redirect else {
        return Err(elsewhere(&answer));
    };
    let answer = send(&request, Why::OtherSlash).await?;
    match call.redirect(&request, &answer) {
        None => Ok(answer),
        Some(_) => Err(elsewhere(&answer)),
    }
}

fn elsewhere(answer: &ApiAnswer) -> ApiError {
    ApiError::UnexpectedStatus {
        status: answer.status,
        message: "a redirect to another address, which is not followed".to_owned(),
        retry_after: None,
    }
}

/// Whether the answer is the run that the request started.
fn starts_run(request_type: RequestType) -> bool {
    ["trigger_job", "rerun_job", "retry_run"].contains(&request_type.as_str())
}

#[derive(Deserialize)]
struct StartedWire {
    data: RunWire,
}

#[derive(Deserialize)]
struct RunWire {
    id: RunId,
}

/// Notes the run for the row, where the answer can be read; it is handed on as it is in any case.
async fn about_its_run(call: &Call, answer: ApiAnswer, max_bytes: usize) -> Result<ApiAnswer, ApiError> {
    let (status, headers) = (answer.status, answer.headers.clone());
    Ok(match read_beginning(answer.into_body(), max_bytes).await? {
        Beginning::Whole(body) => {
            if let Ok(started) = serde_json::from_slice::<StartedWire>(&body) {
                call.set_run(started.data.id);
            }
            ApiAnswer::new(status, headers, stream::iter([Ok(body)]))
        }
        Beginning::Longer(pieces, rest) => {
            use futures::StreamExt as _;
            ApiAnswer::new(status, headers, stream::iter(pieces).map(Ok).chain(rest))
        }
    })
}
