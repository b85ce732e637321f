//! `RelayRequest`: a request to one of dbt Cloud's own paths, parsed and classified.

use http::Method;

use model::{AccountId, Effect, Forwarded, GraphqlEffect, JobId, RelayedOperation, RequestType, RunId};

use crate::api::DbtApi;
use crate::path::{RefusedPath, RelayPath};
use crate::router::{find, parse_id};

/// The ids in the path of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelayTarget {
    /// The account, if the path contains one.
    pub account_id: Option<AccountId>,
    /// The job, if the path contains one.
    pub job_id: Option<JobId>,
    /// The run, if the path contains one.
    pub run_id: Option<RunId>,
}

/// A request to one of dbt Cloud's own paths. What is sent and how it is classified both follow from one checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayRequest {
    method: Method,
    api: DbtApi,
    path: RelayPath,
    operation: Option<RelayedOperation>,
    request_type: RequestType,
    template: &'static str,
    target: RelayTarget,
    may_be_repeated: bool,
}

impl RelayRequest {
    /// The template of a path that is not in the specifications.
    pub const OTHER: &'static str = "other";

    /// Parses and classifies a request. `None` for a path that dbt Cloud does not serve.
    ///
    /// # Errors
    /// [`RefusedPath`].
    pub fn new(method: Method, raw_path: &str) -> Result<Option<Self>, RefusedPath> {
        // The check comes first, so that an ambiguous path is refused even if dbt Cloud does not seem to serve it.
        let path = RelayPath::check(raw_path)?;
        match DbtApi::of(path.as_str()) {
            None => Ok(None),
            Some(DbtApi::Administrative) => Self::administrative(method, path).map(Some),
            Some(api) => Ok(Some(Self::graphql(method, path, api))),
        }
    }

    fn administrative(method: Method, path: RelayPath) -> Result<Self, RefusedPath> {
        let account_id = account_in(path.decoded())?;
        let Some((route, params)) = find(&method, path.decoded()) else {
            return Ok(Self {
                request_type: RequestType::Forward(forwarded(&method, path.decoded())),
                operation: None,
                template: Self::OTHER,
                target: RelayTarget {
                    account_id,
                    ..RelayTarget::default()
                },
                api: DbtApi::Administrative,
                may_be_repeated: reads(&method),
                method,
                path,
            });
        };
        let template = route.operation.template();
        let number = |name: &str, short: &str| {
            let name = if template.ends_with(short) { "id" } else { name };
            params.get(name).and_then(parse_id)
        };
        let target = RelayTarget {
            account_id,
            job_id: number("job_id", "/jobs/{id}/").map(JobId),
            run_id: number("run_id", "/runs/{id}/").map(RunId),
        };
        Ok(Self {
            request_type: route.request_type,
            operation: Some(route.operation),
            template,
            target,
            api: DbtApi::Administrative,
            may_be_repeated: reads(&method) && route.request_type.effect() == Effect::Read,
            method,
            path: match route.operation.used_by() {
                None => path.with_slash(template.ends_with('/')),
                Some(_) => path,
            },
        })
    }

    fn graphql(method: Method, path: RelayPath, api: DbtApi) -> Self {
        let path = path.with_slash(false);
        let (request_type, template) = match (api, path.as_str()) {
            (DbtApi::SemanticLayer, _) => (RequestType::QuerySemanticLayer, "/api/graphql"),
            (_, "/beta/graphql") => (RequestType::QueryMetadata, "/beta/graphql"),
            _ => (RequestType::QueryMetadata, "/graphql"),
        };
        Self {
            request_type,
            operation: None,
            template,
            target: RelayTarget::default(),
            may_be_repeated: reads(&method),
            method,
            api,
            path,
        }
    }

    /// The same request to a GraphQL API, whose documents do this.
    #[must_use]
    pub fn with_graphql_effect(mut self, effect: GraphqlEffect) -> Self {
        self.request_type = graphql_request_type(effect.effect(), self.api);
        self.may_be_repeated = effect.may_be_repeated() && (reads(&self.method) || self.method == Method::POST);
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The API it is for.
    pub fn api(&self) -> DbtApi {
        self.api
    }

    /// The path below the base address of its API.
    pub fn path(&self) -> &str {
        let path = self.path.as_str();
        match self.api {
            DbtApi::Administrative => path.strip_prefix("/api").unwrap_or(path),
            DbtApi::Metadata | DbtApi::SemanticLayer => path,
        }
    }

    /// The operation; `None` for GraphQL and for what is not in the specifications.
    pub fn operation(&self) -> Option<RelayedOperation> {
        self.operation
    }

    /// What the gate checks and the request log records.
    pub fn request_type(&self) -> RequestType {
        self.request_type
    }

    /// The path without ids, for logs and metrics; [`Self::OTHER`] for a path that is not in the specifications.
    pub fn template(&self) -> &'static str {
        self.template
    }

    /// Whether it may be sent again after a transient failure: a GET or HEAD request that reads, or a query of GraphQL.
    pub fn may_be_repeated(&self) -> bool {
        self.may_be_repeated
    }

    /// Whether the path is that of an account itself, whatever the method and the version.
    pub fn is_account(&self) -> bool {
        let mut below = self.path.decoded().split('/').skip(3);
        let is_accounts = below.next().is_some_and(|name| name.eq_ignore_ascii_case("accounts"));
        is_accounts && self.target.account_id.is_some() && below.count() == 1
    }

    /// The ids in the path.
    pub fn target(&self) -> &RelayTarget {
        &self.target
    }
}

/// The operation of a GraphQL API that has this effect.
fn graphql_request_type(effect: Effect, api: DbtApi) -> RequestType {
    match (api, effect) {
        (DbtApi::SemanticLayer, Effect::Read) => RequestType::QuerySemanticLayer,
        (DbtApi::SemanticLayer, Effect::Change) => RequestType::MutateSemanticLayer,
        (_, Effect::Read) => RequestType::QueryMetadata,
        (_, Effect::Change) => RequestType::MutateMetadata,
    }
}

fn reads(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// The account in a path: the segment after `accounts`.
fn account_in(decoded: &str) -> Result<Option<AccountId>, RefusedPath> {
    let mut segments = decoded
        .split('/')
        .skip_while(|segment| !segment.eq_ignore_ascii_case("accounts"));
    match segments.nth(1) {
        None => Ok(None),
        Some(account) => parse_id(account).map(AccountId).map(Some).ok_or(RefusedPath::Account),
    }
}

/// Classifies a request that is not in the specifications. One that might create a token counts as one that does.
fn forwarded(method: &Method, decoded: &str) -> Forwarded {
    const TOKENS: [&str; 5] = ["service-tokens", "account-apikeys", "apikeys", "apikey", "tokens"];
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return Forwarded::Read;
    }
    let names_tokens = |segment: &str| TOKENS.iter().any(|token| segment.eq_ignore_ascii_case(token));
    let of_tokens = decoded.split('/').any(names_tokens);
    if of_tokens && method != Method::DELETE && !decoded.ends_with("/permissions") {
        Forwarded::MintsToken
    } else {
        Forwarded::Change
    }
}

#[cfg(test)]
mod tests {
    use model::Role;

    use super::*;

    fn request(method: &str, path: &str) -> RelayRequest {
        RelayRequest::new(method.parse().unwrap(), path).unwrap().unwrap()
    }

    #[test]
    fn a_known_operation_gets_its_name_its_ids_and_the_trailing_slash_of_the_specification() {
        for path in [
            "/api/v2/accounts/1/jobs/2/run/",
            "/api/v2/accounts/1/jobs/2/run",
            "/api/v2/%61ccounts/1/jobs/%32/run",
        ] {
            let request = request("POST", path);
            assert_eq!(request.request_type(), RequestType::TriggerJob);
            assert_eq!(request.template(), "/api/v2/accounts/{account_id}/jobs/{job_id}/run/");
            let target = RelayTarget {
                account_id: Some(AccountId(1)),
                job_id: Some(JobId(2)),
                run_id: None,
            };
            assert_eq!(request.target(), &target, "{path}");
            assert!(request.path().ends_with("/run/"), "{}", request.path());
            assert!(request.path().starts_with("/v2/"));
        }
        for path in [
            "/api/v3/accounts/1/webhooks/subscriptions",
            "/api/v3/accounts/1/webhooks/subscriptions/",
        ] {
            assert_eq!(request("GET", path).path(), "/v3/accounts/1/webhooks/subscriptions");
        }
        let run = request("GET", "/api/v2/accounts/1/runs/9");
        assert_eq!(
            (run.path(), run.target().run_id),
            ("/v2/accounts/1/runs/9/", Some(RunId(9)))
        );
        let job = request("HEAD", "/api/v2/accounts/1/jobs/7/");
        assert_eq!(
            (job.request_type().as_str(), job.target().job_id),
            ("get_job", Some(JobId(7)))
        );
    }

    #[test]
    fn the_path_of_an_artifact_is_kept_without_a_trailing_slash() {
        let file = request("GET", "/api/v2/accounts/1/runs/9/artifacts/compiled/a%20b/x.sql/");
        assert_eq!(file.path(), "/v2/accounts/1/runs/9/artifacts/compiled/a%20b/x.sql");
        assert_eq!(file.request_type().as_str(), "get_run_artifact");
        let list = request("GET", "/api/v2/accounts/1/runs/9/artifacts");
        assert_eq!(
            (list.path(), list.request_type().as_str()),
            ("/v2/accounts/1/runs/9/artifacts/", "list_run_artifacts")
        );
    }

    #[test]
    fn requests_that_are_not_in_the_specifications_are_sent_unchanged_and_for_admins_only() {
        for (method, path, account) in [
            ("GET", "/api/v2/whereami", None),
            ("GET", "/api/v3/constants/", None),
            ("GET", "/api/v3/accounts/5/feature-flags/", Some(AccountId(5))),
            ("PUT", "/api/v2/accounts/5/jobs/6/", Some(AccountId(5))),
            ("POST", "/api/v2/accounts/5/jobs/6/run/now", Some(AccountId(5))),
            ("GET", "/api/v2/accounts/5/jobs/latest/", Some(AccountId(5))),
            ("GET", "/api/v2/ACCOUNTS/5/jobs/", Some(AccountId(5))),
            ("OPTIONS", "/api/v2/accounts/5/jobs/", Some(AccountId(5))),
        ] {
            let request = request(method, path);
            assert_eq!(request.request_type().as_str(), "forward", "{path}");
            assert_eq!(request.request_type().needs(), Role::Admin);
            assert_eq!(request.template(), RelayRequest::OTHER);
            assert_eq!(format!("/api{}", request.path()), path);
            assert_eq!(request.target().account_id, account);
            let reads = ["GET", "OPTIONS"].contains(&method);
            assert_eq!(
                request.request_type().effect() == Effect::Read,
                reads,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn operations_that_released_clients_use_have_a_name_and_are_sent_with_the_slash_of_the_caller() {
        for (path, name) in [
            ("/api/v2/whoami", "get_whoami"),
            ("/api/v2/whoami/", "get_whoami"),
            ("/api/v3/accounts/5", "get_account_v3"),
            ("/api/v3/accounts/5/", "get_account_v3"),
            ("/api/v3/accounts/5/environments/", "list_account_environments"),
            ("/api/v3/accounts/5/feature-flag", "list_feature_flags"),
            (
                "/api/v3/integrations/azure-ad/projects/0f-a/repositories/",
                "list_azure_repositories",
            ),
        ] {
            let request = request("GET", path);
            assert_eq!(
                (request.request_type().as_str(), request.request_type().needs()),
                (name, Role::Viewer)
            );
            assert_eq!(format!("/api{}", request.path()), path);
        }
        let timing = request("GET", "/api/v3/accounts/5/projects/6/runs/7/timing");
        assert_eq!(timing.target().run_id, Some(RunId(7)));
        assert_eq!(
            request("GET", "/api/v2/accounts/5/users/6").request_type().needs(),
            Role::Admin
        );
    }

    #[test]
    fn the_path_of_an_account_is_recognised_in_every_spelling() {
        for path in [
            "/api/v2/accounts/5",
            "/api/v3/accounts/5/",
            "/api/v3/%61ccounts/5",
            "/api/v2/Accounts/5/",
        ] {
            for method in ["GET", "HEAD", "POST", "PATCH", "PUT"] {
                assert!(request(method, path).is_account(), "{method} {path}");
            }
        }
        for path in [
            "/api/v2/accounts/",
            "/api/v3/accounts/5/jobs/",
            "/api/v2/users/5/",
            "/api/v2/x/accounts/5",
        ] {
            assert!(!request("GET", path).is_account(), "{path}");
        }
    }

    #[test]
    fn an_account_that_is_not_an_id_is_refused() {
        for account in ["x", "0", "01", "+1", "1.0", "%201", "99999999999999999999"] {
            let refused = RelayRequest::new(Method::GET, &format!("/api/v2/accounts/{account}/jobs/"));
            assert_eq!(refused, Err(RefusedPath::Account), "{account}");
        }
    }

    #[test]
    fn graphql_is_recognised_by_its_path() {
        for (path, sent, name) in [
            ("/graphql", "/graphql", "query_metadata"),
            ("/graphql/", "/graphql", "query_metadata"),
            ("/beta/graphql/", "/beta/graphql", "query_metadata"),
            ("/api/graphql", "/api/graphql", "query_semantic_layer"),
            ("/api/graphql/", "/api/graphql", "query_semantic_layer"),
        ] {
            let request = request("POST", path);
            assert_eq!(
                (request.path(), request.template(), request.request_type().as_str()),
                (sent, sent, name)
            );
            assert!(request.api().is_graphql());
        }
    }

    #[test]
    fn a_graphql_request_gets_its_operation_by_its_documents_and_only_queries_are_sent_again() {
        for (path, effect, name) in [
            ("/graphql", GraphqlEffect::Reads, "query_metadata"),
            ("/beta/graphql", GraphqlEffect::Changes, "mutate_metadata"),
            ("/api/graphql", GraphqlEffect::CreatesQuery, "query_semantic_layer"),
            ("/api/graphql", GraphqlEffect::Changes, "mutate_semantic_layer"),
        ] {
            for method in ["GET", "POST", "PUT"] {
                let judged = request(method, path).with_graphql_effect(effect);
                assert_eq!(judged.request_type().as_str(), name);
                let is_repeated = method != "PUT" && effect == GraphqlEffect::Reads;
                assert_eq!(judged.may_be_repeated(), is_repeated, "{method} {effect:?}");
            }
        }
    }

    #[test]
    fn paths_that_dbt_cloud_does_not_serve_give_none() {
        for path in [
            "/api",
            "/api/",
            "/api/v1/x",
            "/api/v2",
            "/api/private/accounts/1/",
            "/projects",
            "/graphql/x",
            "/api/v20/x",
        ] {
            assert_eq!(RelayRequest::new(Method::GET, path), Ok(None), "{path}");
        }
    }

    #[test]
    fn unspecified_requests_that_might_create_a_token_count_as_minting() {
        for path in [
            "/api/v2/accounts/1/service-tokens/",
            "/api/v3/accounts/1/service-tokens/7/",
            "/api/v3/accounts/1/Service-Tokens/7/regenerate/",
            "/api/v2/users/5/apiKey/",
            "/api/v3/accounts/1/scim-config/tokens/7/rotate/",
        ] {
            assert!(request("POST", path).request_type().mints_token(), "{path}");
            assert!(!request("DELETE", path).request_type().mints_token(), "{path}");
        }
        assert!(
            !request("POST", "/api/v3/accounts/1/service-tokens/7/permissions")
                .request_type()
                .mints_token()
        );
        assert!(
            !request("PUT", "/api/v3/accounts/1/service-tokens/7/")
                .request_type()
                .mints_token()
        );
    }
}
