//! Redirects: none is followed here. Which one only spells the path's end otherwise is told, for who may follow it.

use http::StatusCode;
use http::header::LOCATION;
use model::Upstream;

use crate::http::address;
use crate::{ApiAnswer, ApiRequest};

/// Where an answer sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// To the same address with the slash at the path's end added or taken away: the request as it is to be sent then.
    OtherSlash(Box<ApiRequest>),
    /// Anywhere else, or by a status that asks for another method.
    Elsewhere,
}

impl Redirect {
    /// `None` for an answer that is no redirect; 304 is none.
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
    let asked = address(to, request).ok()?;
    let mut locations = answer.headers.get_all(LOCATION).iter();
    let location = asked.join(locations.next()?.to_str().ok()?).ok()?;
    let path = match request.path().strip_suffix('/') {
        Some(path) => path.to_owned(),
        None => format!("{}/", request.path()),
    };
    let other = request.clone().at(path);
    let same = address(to, &other).ok()? == location;
    (same && locations.next().is_none()).then_some(other)
}
