//! Sends a relayed request, and follows a redirect that differs only by the trailing slash.

use dbt_api::{ApiAnswer, ApiError, ApiRequest, Redirect};
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use model::{ClientType, RequestType};

use super::forward_request::ForwardRequest;
use crate::engine::Call;
use crate::exchanges::Why;

/// The request to send. An answer that the gateway reads must be uncompressed and complete.
pub(super) fn api_request(request: ForwardRequest, reads_answer: bool) -> ApiRequest {
    let ForwardRequest {
        request,
        query,
        mut headers,
        body,
    } = request;
    if reads_answer {
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

/// Sends the request, and follows a redirect that differs only by the trailing slash. A repeatable one is sent again also
/// if its answer breaks off within `repeatable_bytes`.
pub(super) async fn send(
    call: &Call,
    operation: RequestType,
    repeatable_bytes: Option<usize>,
    request: ApiRequest,
) -> Result<ApiAnswer, ApiError> {
    let send_once = async |request: &ApiRequest, why| {
        call.forward(operation, why, repeatable_bytes, move |api, to| {
            api.forward(to, request.clone())
        })
        .await
    };
    let answer = send_once(&request, Why::Asked).await?;
    let Some(redirect) = call.redirect(&request, &answer) else {
        return Ok(answer);
    };
    let Redirect::OtherSlash(request) = redirect else {
        return Err(unexpected_redirect(&answer));
    };
    let answer = send_once(&request, Why::OtherSlash).await?;
    match call.redirect(&request, &answer) {
        None => Ok(answer),
        Some(_) => Err(unexpected_redirect(&answer)),
    }
}

fn unexpected_redirect(answer: &ApiAnswer) -> ApiError {
    ApiError::UnexpectedStatus {
        status: answer.status,
        message: "a redirect to another address, which is not followed".to_owned(),
        retry_after: None,
    }
}
