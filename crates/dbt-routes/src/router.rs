//! Finds the operation of a method and a path.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;
use matchit::{Params, Router};
use model::{RelayedOperation, RequestType};

use crate::table::operations;

/// An operation with its request type, so that the look-up by name happens once per operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) operation: RelayedOperation,
    pub(crate) request_type: RequestType,
}

/// By method; the templates are without their trailing slash.
static ROUTES: LazyLock<HashMap<Method, Router<Route>>> = LazyLock::new(|| {
    let mut routes: HashMap<Method, Router<Route>> = HashMap::new();
    for operation in operations() {
        let pattern = operation
            .template()
            .trim_end_matches('/')
            .replace("{remainder}", "{*remainder}");
        let route = Route {
            operation,
            request_type: request_type_of(operation),
        };
        let inserted = routes
            .entry(operation.method().clone())
            .or_default()
            .insert(pattern, route);
        debug_assert!(inserted.is_ok(), "{operation:?}: {inserted:?}");
    }
    routes
});

/// The request type of an operation: the one that the gateway's REST route of the same name has, else
/// [`RequestType::Relayed`].
pub fn request_type_of(operation: RelayedOperation) -> RequestType {
    RequestType::from_name(operation.as_str()).unwrap_or(RequestType::Relayed(operation))
}

/// The operation of a method and a decoded path without trailing slash, and the values of the template's parameters.
/// HEAD is routed as GET.
pub(crate) fn find<'p>(method: &Method, decoded: &'p str) -> Option<(Route, Params<'static, 'p>)> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let found = ROUTES.get(method)?.at(decoded).ok()?;
    let route = *found.value;
    let fits = |(name, value): (&str, &str)| !is_number(route.operation, name) || parse_id(value).is_some();
    found.params.iter().all(fits).then_some((route, found.params))
}

/// Whether a parameter of the template must be a whole number.
fn is_number(operation: RelayedOperation, parameter: &str) -> bool {
    const TEXTS: [&str; 9] = [
        "azure_project_id",
        "remainder",
        "job_identifier",
        "pl_endpoint_ksuid",
        "collection_id",
        "subscription_id",
        "event_id",
        "receipt_id",
        "schema_uri",
    ];
    let scim = operation.template().contains("/scim/v2/") && parameter != "account_id";
    !scim && !TEXTS.contains(&parameter)
}

/// An id as dbt Cloud writes it: a positive whole number, without sign or leading zero.
pub(crate) fn parse_id(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use model::ClientType;

    use super::*;

    #[test]
    fn every_operation_is_found_by_a_path_made_of_its_template() {
        for operation in operations() {
            let path: String = operation
                .template()
                .trim_end_matches('/')
                .split('/')
                .skip(1)
                .map(|part| match part {
                    "{remainder}" => "/compiled/shop/orders.sql".to_owned(),
                    part if part.starts_with('{') => "/70403103900001".to_owned(),
                    part => format!("/{part}"),
                })
                .collect();
            let (found, _) = find(operation.method(), &path).unwrap();
            assert_eq!(found.operation, operation, "{path}");
        }
    }

    #[test]
    fn a_text_in_place_of_an_id_matches_no_operation() {
        for text in ["test", "+1", "01", "1 ", "9223372036854775808", "-1", "1e3", "١"] {
            let path = format!("/api/v2/accounts/1/jobs/{text}");
            assert!(find(&Method::GET, &path).is_none(), "{text}");
        }
        let webhook = "/api/v3/accounts/1/webhooks/subscription/wsu_12345abcde";
        let (found, _) = find(&Method::GET, webhook).unwrap();
        assert_eq!(found.operation.as_str(), "get_webhook");
    }

    #[test]
    fn an_operation_with_a_rest_route_of_the_same_name_needs_the_same_role_there() {
        let mut shared = 0;
        for operation in operations() {
            let request_type = request_type_of(operation);
            assert_eq!(request_type.as_str(), operation.as_str());
            assert_eq!(request_type.needs(), operation.needs(), "{operation:?}");
            assert_eq!(request_type.effect(), operation.effect(), "{operation:?}");
            assert_eq!(request_type.client_type(), Some(ClientType::DbtCloudAdministrative));
            shared += usize::from(!matches!(request_type, RequestType::Relayed(_)));
        }
        assert!(shared >= 4, "list_projects, get_project, trigger_job, get_run");
    }
}
