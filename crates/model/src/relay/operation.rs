//! `RelayedOperation`: one line of the table, small enough to be copied.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use http::Method;
use matchit::{Params, Router};

use super::table::{Kind, ROWS, Row};
use crate::{Effect, Role};

/// An operation of dbt Cloud's specifications, v2 or v3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayedOperation(u16);

/// Templates by method, without the trailing slash.
static ROUTES: LazyLock<HashMap<Method, Router<RelayedOperation>>> = LazyLock::new(|| {
    let mut routes: HashMap<Method, Router<RelayedOperation>> = HashMap::new();
    for operation in RelayedOperation::all() {
        let pattern = operation
            .template()
            .trim_end_matches('/')
            .replace("{remainder}", "{*remainder}");
        let inserted = routes
            .entry(operation.method().clone())
            .or_default()
            .insert(pattern, operation);
        debug_assert!(inserted.is_ok(), "{operation:?}: {inserted:?}");
    }
    routes
});

impl RelayedOperation {
    /// Every operation of the specifications, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).map(Self).take(ROWS.len())
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|operation| operation.as_str() == name)
    }

    /// What a method and a decoded path, without a slash at its end, mean; and what stands in the template's braces.
    /// HEAD means what GET means.
    pub(super) fn find<'p>(method: &Method, decoded: &'p str) -> Option<(Self, Params<'static, 'p>)> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let found = ROUTES.get(method)?.at(decoded).ok()?;
        let fits = |(name, value): (&str, &str)| !found.value.is_number(name) || id(value).is_some();
        found.params.iter().all(fits).then_some((*found.value, found.params))
    }

    /// Whether that name in the template's braces stands for a whole number. Where it does, nothing else is taken.
    fn is_number(self, name: &str) -> bool {
        const TEXTS: [&str; 8] = [
            "remainder",
            "job_identifier",
            "pl_endpoint_ksuid",
            "collection_id",
            "subscription_id",
            "event_id",
            "receipt_id",
            "schema_uri",
        ];
        let scim = self.template().contains("/scim/v2/") && name != "account_id";
        !scim && !TEXTS.contains(&name)
    }

    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The method.
    pub fn method(self) -> &'static Method {
        &self.row().method
    }

    /// The path as the specification spells it, `/api/v2/accounts/{account_id}/jobs/`: with its trailing slash or without.
    pub fn template(self) -> &'static str {
        self.row().template
    }

    /// The weakest role that may ask for it.
    pub fn needs(self) -> Role {
        self.row().needs
    }

    /// Whether it changes something.
    pub fn effect(self) -> Effect {
        match self.row().kind {
            Kind::Reads => Effect::Read,
            Kind::Changes | Kind::MintsToken => Effect::Change,
        }
    }

    /// Whether its answer shows a new dbt token.
    pub fn mints_token(self) -> bool {
        self.row().kind == Kind::MintsToken
    }

    /// Where it stands among [`Self::all`].
    pub(crate) fn place(self) -> usize {
        usize::from(self.0)
    }

    fn row(self) -> &'static Row {
        ROWS[self.place()]
    }
}

impl fmt::Debug for RelayedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.as_str(), self.method(), self.template())
    }
}

/// An id as dbt Cloud writes it: a positive whole number, without sign or leading zero.
pub(super) fn id(text: &str) -> Option<i64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::RequestType;

    #[test]
    fn every_name_and_every_method_with_its_template_stands_once() {
        let names: BTreeSet<_> = RelayedOperation::all().map(RelayedOperation::as_str).collect();
        let places: BTreeSet<_> = RelayedOperation::all()
            .map(|each| (each.method().as_str(), each.template()))
            .collect();
        assert_eq!((names.len(), places.len()), (ROWS.len(), ROWS.len()));
        for operation in RelayedOperation::all() {
            assert_eq!(RelayedOperation::named(operation.as_str()), Some(operation));
        }
    }

    #[test]
    fn every_operation_is_found_by_a_path_made_of_its_template() {
        for operation in RelayedOperation::all() {
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
            let (found, _) = RelayedOperation::find(operation.method(), &path).unwrap();
            assert_eq!(found, operation, "{path}");
        }
    }

    #[test]
    fn a_text_where_an_id_belongs_is_no_operation() {
        for text in ["test", "+1", "01", "1 ", "9223372036854775808", "-1", "1e3", "١"] {
            let path = format!("/api/v2/accounts/1/jobs/{text}");
            assert!(RelayedOperation::find(&Method::GET, &path).is_none(), "{text}");
        }
        let webhook = "/api/v3/accounts/1/webhooks/subscription/wsu_12345abcde";
        assert_eq!(
            RelayedOperation::find(&Method::GET, webhook).unwrap().0.as_str(),
            "get_webhook"
        );
    }

    #[test]
    fn what_runs_may_be_started_by_operators_and_only_admins_change_the_rest() {
        let operators: Vec<_> = RelayedOperation::all()
            .filter(|each| each.needs() == Role::Operator)
            .map(RelayedOperation::as_str)
            .collect();
        assert_eq!(operators, ["trigger_job", "rerun_job", "cancel_run", "retry_run"]);
        for operation in RelayedOperation::all() {
            assert!(
                operation.effect() == Effect::Read || operation.needs() >= Role::Operator,
                "{operation:?}"
            );
        }
        let minting: Vec<_> = RelayedOperation::all()
            .filter(|each| each.mints_token())
            .map(RelayedOperation::as_str)
            .collect();
        assert_eq!(
            minting,
            [
                "create_service_token",
                "create_personal_token",
                "rotate_personal_token",
                "create_scim_token"
            ]
        );
    }

    #[test]
    fn reads_of_people_tokens_audit_logs_scim_and_oauth_are_for_admins() {
        let private = [
            "/users/",
            "/invites/",
            "/groups/",
            "/license",
            "/service-tokens/",
            "/account-apikeys/",
            "/audit-logs/",
            "/scim",
            "/oauth-configurations/",
        ];
        for operation in RelayedOperation::all().filter(|each| each.effect() == Effect::Read) {
            let is_private = private.iter().any(|part| operation.template().contains(part));
            assert_eq!(operation.needs() == Role::Admin, is_private, "{operation:?}");
        }
    }

    #[test]
    fn an_operation_that_has_a_route_of_ours_needs_the_same_there() {
        let mut shared = 0;
        for operation in RelayedOperation::all() {
            let request_type = RequestType::relayed(operation);
            assert_eq!(request_type.as_str(), operation.as_str());
            assert_eq!(request_type.needs(), operation.needs(), "{operation:?}");
            assert_eq!(request_type.effect(), operation.effect(), "{operation:?}");
            assert_eq!(
                request_type.client_type(),
                Some(crate::ClientType::DbtCloudAdministrative)
            );
            shared += usize::from(!matches!(request_type, RequestType::Relayed(_)));
        }
        assert!(shared >= 4, "list_projects, get_project, trigger_job, get_run");
    }
}
