//! Query parameters. Each group of parameters is written once; the extractors here put groups together.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use client::WaitOptions;
use model::{AccountId, NoFilter, PageQuery, Target};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::waiting::WaitParams;
use crate::problem::{Kind, Problem};
use crate::state::Shared;

/// The account and the credential of a request to dbt Cloud.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Scope {
    /// The dbt Cloud account. Without it: the key's default account, else the only one it may use.
    #[param(value_type = Option<i64>)]
    account_id: Option<AccountId>,
    /// The credential to use, by name. Without it: the one in the header `X-Dbt-Credential`, else the account's default.
    credential: Option<String>,
}

impl Scope {
    const NAMES: &'static [&'static str] = &["account_id", "credential"];

    /// The address of a new thing: its path, with the account and the credential of this request.
    pub(crate) fn location(&self, path: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(account) = self.account_id {
            query.append_pair("account_id", &account.to_string());
        }
        if let Some(credential) = &self.credential {
            query.append_pair("credential", credential);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{path}{mark}{query}")
    }
}

impl From<Scope> for Target {
    fn from(scope: Scope) -> Self {
        Self {
            account: scope.account_id,
            credential: scope.credential,
        }
    }
}

/// The page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageParams {
    /// The page, from 1.
    #[param(minimum = 1, maximum = 400_000, default = 1)]
    page: Option<u32>,
    /// Entries per page.
    #[param(minimum = 1, maximum = 10_000, default = 1000)]
    page_size: Option<u32>,
}

impl PageParams {
    const NAMES: &'static [&'static str] = &["page", "page_size"];

    fn checked(&self) -> Result<PageQuery, Problem> {
        let query = PageQuery::new(
            self.page.unwrap_or(1),
            self.page_size.unwrap_or(PageQuery::DEFAULT_SIZE),
        );
        query.ok_or_else(|| {
            let (pages, sizes) = (PageQuery::MAX_PAGE, PageQuery::MAX_SIZE);
            invalid(&format!("`page` goes from 1 to {pages}, `page_size` from 1 to {sizes}"))
        })
    }
}

/// A query without a scope: `T` lists every parameter (`deny_unknown_fields`).
pub(crate) struct QueryParams<T>(pub(crate) T);

/// The scope, and the parameters of `F`.
pub(crate) struct ScopedQuery<F = NoFilter> {
    pub(crate) scope: Scope,
    pub(crate) filter: F,
}

/// The page of a list, and the parameters of `F`.
pub(crate) struct PagedQuery<F> {
    pub(crate) page: PageQuery,
    pub(crate) filter: F,
}

/// The scope, the page of a list, and its filter.
pub(crate) struct ListQuery<F = NoFilter> {
    pub(crate) scope: Scope,
    pub(crate) page: PageQuery,
    pub(crate) filter: F,
}

/// The scope, how the caller waits for the run that it starts, and the parameters of `F`.
pub(crate) struct StartQuery<F = NoFilter> {
    pub(crate) scope: Scope,
    pub(crate) wait: Option<WaitOptions>,
    pub(crate) filter: F,
}

/// Implements extraction of a query from its groups of parameters, and its documentation in the order given last.
macro_rules! query {
    ($name:ident [$($part:ident: $group:ty),*] $make:expr, $($documented:ty)*) => {
        impl<F: DeserializeOwned + IntoParams> FromRequestParts<Shared> for $name<F> {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
                let query = parts.uri.query().unwrap_or_default();
                let [$($part,)* filter] = split(query, [$(<$group>::NAMES),*]);
                $(let $part: $group = parse(&$part, Self::into_params)?;)*
                let filter: F = parse(&filter, Self::into_params)?;
                #[allow(clippy::redundant_closure_call, reason = "the macro's parameter is a closure")]
                ($make)($($part,)* filter)
            }
        }

        impl<F: IntoParams> IntoParams for $name<F> {
            fn into_params(parameter_in: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                [$(<$documented>::into_params(&parameter_in)),*].concat()
            }
        }
    };
}

query!(QueryParams [] |filter| Ok(QueryParams(filter)), F);
query!(ScopedQuery [scope: Scope] |scope, filter| Ok(ScopedQuery { scope, filter }), Scope F);
query!(PagedQuery [page: PageParams] |page: PageParams, filter| {
    let page = page.checked()?;
    Ok(PagedQuery { page, filter })
}, F PageParams);
query!(ListQuery [scope: Scope, page: PageParams] |scope, page: PageParams, filter| {
    let page = page.checked()?;
    Ok(ListQuery { scope, page, filter })
}, Scope PageParams F);
query!(StartQuery [scope: Scope, wait: WaitParams] |scope, wait: WaitParams, filter| {
    let wait = wait.options()?;
    Ok(StartQuery { scope, wait, filter })
}, Scope F WaitParams);

/// The query without parameters: a misspelt one is an error too.
pub(crate) struct NoQuery;

impl FromRequestParts<Shared> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        QueryParams::<NoFilter>::from_request_parts(parts, state)
            .await
            .map(|_| Self)
    }
}

/// Splits a query into those of the groups and the rest.
fn split<const GROUPS: usize, const PARTS: usize>(query: &str, groups: [&[&str]; GROUPS]) -> [String; PARTS] {
    let mut parts = [const { String::new() }; PARTS];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = form_urlencoded::parse(pair.as_bytes()).next();
        let name = name.as_ref().map_or("", |(name, _)| name);
        let group = groups.iter().position(|names| names.contains(&name));
        let part = &mut parts[group.unwrap_or(GROUPS)];
        if !part.is_empty() {
            part.push('&');
        }
        part.push_str(pair);
    }
    parts
}

/// [`IntoParams::into_params`] of a query.
type DocumentedParameters = fn(fn() -> Option<ParameterIn>) -> Vec<Parameter>;

/// Deserializes a query; `parameters` are all that the request may have, for the error message.
fn parse<T: DeserializeOwned>(query: &str, parameters: DocumentedParameters) -> Result<T, Problem> {
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let unknown = error.inner().to_string();
        let unknown = unknown
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split('`').next());
        match unknown {
            Some(name) => invalid(&unknown_parameter(name, &parameters(|| None))),
            None => invalid(&error.to_string()),
        }
    })
}

/// In serde's own words.
fn unknown_parameter(name: &str, parameters: &[Parameter]) -> String {
    let names: Vec<_> = parameters.iter().map(|each| format!("`{}`", each.name)).collect();
    let expected = match &names[..] {
        [] => "there are no fields".to_owned(),
        [only] => format!("expected {only}"),
        [one, other] => format!("expected {one} or {other}"),
        several => format!("expected one of {}", several.join(", ")),
    };
    format!("{name}: unknown field `{name}`, {expected}")
}

fn invalid(what: &str) -> Problem {
    Problem::new(Kind::INVALID_REQUEST, format!("In the query: {what}."))
}
