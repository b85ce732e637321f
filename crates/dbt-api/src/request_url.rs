//! The URL of a request, for sending (`http.rs`) and for comparing with a redirect (`redirect.rs`).

use model::Upstream;
use url::Url;

use crate::{ApiError, ApiRequest};

#[derive(Debug, thiserror::Error)]
#[error("the path {0} would not be sent as it is written")]
struct PathChanged(String);

/// The base URL's host and path, followed by the path and query of the request. User and password of the base URL are
/// dropped, because `reqwest` would send them as an `Authorization` header.
pub(crate) fn request_url(to: &Upstream, request: &ApiRequest) -> Result<Url, ApiError> {
    let mut url = to.base_url(request.api()).clone();
    let path = format!("{}{}", url.path().trim_end_matches('/'), request.path());
    // Fails only for a URL without a host, which has neither.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_fragment(None);
    url.set_path(&path);
    match request.raw_query() {
        Some(query) => url.set_query(Some(query)),
        None if request.query_pairs().is_empty() => url.set_query(None),
        None => drop(url.query_pairs_mut().clear().extend_pairs(request.query_pairs())),
    }
    // `Url` resolves `..` and encodes illegal characters, neither of which is in a path made of ids. A changed path could
    // name another resource, so it is not sent.
    if url.path() != path || url.fragment().is_some() {
        return Err(ApiError::Unsendable(PathChanged(request.path().to_owned()).into()));
    }
    Ok(url)
}
