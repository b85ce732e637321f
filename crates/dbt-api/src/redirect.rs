//! Classifies redirects. None is followed here; `provider` follows those that only add or remove a trailing slash.

use http::StatusCode;
use http::header::LOCATION;
use model::Upstream;

use crate::request_url::request_url;
use crate::{ApiAnswer, ApiRequest};

/// The target of a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// The same URL with a trailing slash added or removed; holds the request for it.
    OtherSlash(Box<ApiRequest>),
    /// Any other target, or a status that changes the method.
    Elsewhere,
}

impl Redirect {
    /// `None` for an answer that is not a redirect; 304 is not.
    pub fn of(to: &Upstream, request: &ApiRequest, answer: &ApiAnswer) -> Option<Self> {
        let status = answer.status;
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return None;
        }
        let keeps_method = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        let other = keeps_method.contains(&status).then(|| other_slash(to, request, answer));
        Some(
            other
                .flatten()
                .map_or(Self::Elsewhere, |request| Self::OtherSlash(Box::new(request))),
        )
    }
}

fn other_slash(to: &Upstream, request: &ApiRequest, answer: &ApiAnswer) -> Option<ApiRequest> {
    let requested = request_url(to, request).ok()?;
    let mut locations = answer.headers.get_all(LOCATION).iter();
    let location = requested.join(locations.next()?.to_str().ok()?).ok()?;
    let path = match request.path().strip_suffix('/') {
        Some(path) => path.to_owned(),
        None => format!("{}/", request.path()),
    };
    let other = request.clone().with_path(path);
    let same = request_url(to, &other).ok()? == location;
    (same && locations.next().is_none()).then_some(other)
}
