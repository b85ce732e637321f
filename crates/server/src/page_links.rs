//! Absolute links to the pages before and after.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::http::uri::{Authority, Scheme, Uri};
use ipnet::IpNet;
use model::PageQuery;
use url::Url;

use crate::forwarded;
use crate::problem::{Kind, Problem};
use crate::state::ServerState;

/// The request's own address, as its caller sees it.
pub(crate) struct PageLinks(Url);

impl PageLinks {
    /// The same request for another page: everything else the caller asked for stays.
    pub(crate) fn to(&self, page: PageQuery) -> String {
        self.with("page", &page.page().to_string())
    }

    /// The same request with that parameter in place of the one it has.
    pub(crate) fn with(&self, parameter: &str, value: &str) -> String {
        let mut link = self.0.clone();
        let others: Vec<(String, String)> = self
            .0
            .query_pairs()
            .filter(|(name, _)| name != parameter)
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        link.query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair(parameter, value);
        link.into()
    }
}

impl FromRequestParts<ServerState> for PageLinks {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, Problem> {
        let base = match &state.settings.public_url {
            Some(base) => base.clone(),
            None => of_request(parts, &state.settings.trusted_proxies)?,
        };
        let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let address = format!("{}{path_and_query}", base.to_string().trim_end_matches('/'));
        Url::parse(&address).map(Self).map_err(|_| bad_host())
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
