//! Absolute links to the previous and the next page.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme, Uri};
use ipnet::IpNet;
use model::PageQuery;
use url::form_urlencoded;

use crate::forwarded;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The request's own address, as its caller uses it.
pub(crate) struct PageLinks {
    /// Scheme, host and path.
    address: String,
    query: String,
}

impl PageLinks {
    /// The same request for another page; all other parameters stay.
    pub(crate) fn to(&self, page: PageQuery) -> String {
        self.with("page", &page.page().to_string())
    }

    /// The same request with that parameter replaced.
    pub(crate) fn with(&self, parameter: &str, value: &str) -> String {
        let others = form_urlencoded::parse(self.query.as_bytes()).filter(|(name, _)| name != parameter);
        let start = self.address.len() + 1;
        form_urlencoded::Serializer::for_suffix(format!("{}?", self.address), start)
            .extend_pairs(others)
            .append_pair(parameter, value)
            .finish()
    }
}

impl FromRequestParts<Shared> for PageLinks {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let base = match &state.settings.public_url {
            Some(base) => base.clone(),
            None => of_request(parts, &state.settings.trusted_proxies)?,
        };
        Ok(Self {
            address: format!("{}{}", base.to_string().trim_end_matches('/'), parts.uri.path()),
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}

fn of_request(parts: &Parts, trusted: &[IpNet]) -> Result<Uri, Problem> {
    if let Some((scheme, authority)) = forwarded::by_proxy(parts, trusted) {
        return origin(scheme, authority);
    }
    let named = parts
        .headers
        .get(header::HOST)
        .map(|host| host.to_str().ok().and_then(|host| host.parse().ok()));
    let authority: Authority = match (named, parts.uri.authority()) {
        (Some(host), _) => host.ok_or_else(bad_host)?,
        (None, Some(authority)) => authority.clone(),
        (None, None) => return Err(bad_host()),
    };
    origin(Scheme::HTTP, authority)
}

fn origin(scheme: Scheme, authority: Authority) -> Result<Uri, Problem> {
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()
        .map_err(|_| bad_host())
}

fn bad_host() -> Problem {
    Problem::new(Kind::INVALID_REQUEST, "The header Host is missing or not a host name.")
}
