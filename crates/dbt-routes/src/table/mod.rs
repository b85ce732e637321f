//! Every operation of dbt Cloud's specifications, v2 and v3, one line each, with the role that may call it.
//!
//! Viewers may read; operators may also start, retry and cancel runs; everything else is for admins, including reads of
//! people, licences, tokens, audit logs, SCIM and OAuth. An operation that the gateway's REST API has under the same name
//! needs the same role there. Names of v2 operations that the specification deprecates in favour of v3 end in `_v2`.

mod jobs;
mod people;
mod projects;
mod scim;
mod settings;
mod v2;

use model::{Effect, OperationRow, RelayedOperation};

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads and changes nothing.
    Reads,
    /// Changes something. Includes the one GET that makes dbt Cloud call a webhook.
    Changes,
    /// Changes something, and its answer contains a new dbt token.
    MintsToken,
}

impl Kind {
    const fn effect(self) -> Effect {
        match self {
            Self::Reads => Effect::Read,
            Self::Changes | Self::MintsToken => Effect::Change,
        }
    }
}

/// Declares the operations below one path: `METHOD "/path/" name role kind;`.
macro_rules! table {
    ($(#[$doc:meta])* $table:ident below $prefix:literal: $($method:ident $path:literal $name:ident $needs:ident $kind:ident;)*) => {
        $(#[$doc])*
        pub(super) const $table: &[model::OperationRow] = &[$(model::OperationRow {
            name: stringify!($name),
            method: http::Method::$method,
            template: concat!($prefix, $path),
            needs: model::Role::$needs,
            effect: crate::table::Kind::$kind.effect(),
            mints_token: matches!(crate::table::Kind::$kind, crate::table::Kind::MintsToken),
        },)*];
    };
}
use table;

static TABLE: [&[OperationRow]; 12] = [
    v2::ACCOUNTS,
    v2::DEPRECATED,
    jobs::JOBS,
    jobs::RUNS,
    jobs::WEBHOOKS,
    projects::PROJECTS,
    projects::OF_A_PROJECT,
    settings::OF_AN_ACCOUNT,
    settings::ELSEWHERE,
    people::OF_AN_ACCOUNT,
    people::ELSEWHERE,
    scim::SCIM,
];

/// Every operation of the specifications, in the order of `docs/roles.md`.
pub fn operations() -> impl Iterator<Item = RelayedOperation> {
    TABLE.into_iter().flatten().map(RelayedOperation::new)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::{ClientType, RequestType, Role};

    use super::*;
    use crate::request_type_of;

    /// `METHOD /path/` of every operation in dbt Cloud's OpenAPI documents v2 and v3.
    const SPECIFIED: &str = include_str!("operations.txt");

    #[test]
    fn the_table_has_exactly_the_operations_of_the_specifications() {
        let specified: BTreeSet<_> = SPECIFIED.lines().map(str::to_owned).collect();
        let table: BTreeSet<_> = operations()
            .map(|each| format!("{} {}", each.method(), each.template()))
            .collect();
        let difference: Vec<_> = table.symmetric_difference(&specified).collect();
        assert!(difference.is_empty(), "{difference:#?}");
        assert_eq!(table.len(), 207);
    }

    #[test]
    fn names_are_unique_and_so_are_methods_with_their_templates() {
        let names: BTreeSet<_> = operations().map(RelayedOperation::as_str).collect();
        let routes: BTreeSet<_> = operations()
            .map(|each| (each.method().as_str(), each.template()))
            .collect();
        let all = operations().count();
        assert_eq!((names.len(), routes.len()), (all, all));
    }

    #[test]
    fn operators_may_start_retry_and_cancel_runs_and_only_admins_change_the_rest() {
        let operators: Vec<_> = operations()
            .filter(|each| each.needs() == Role::Operator)
            .map(RelayedOperation::as_str)
            .collect();
        assert_eq!(operators, ["trigger_job", "rerun_job", "cancel_run", "retry_run"]);
        for operation in operations() {
            assert!(
                operation.effect() == Effect::Read || operation.needs() >= Role::Operator,
                "{operation:?}"
            );
        }
        let minting: Vec<_> = operations()
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
        for operation in operations().filter(|each| each.effect() == Effect::Read) {
            let is_private = private.iter().any(|part| operation.template().contains(part));
            assert_eq!(operation.needs() == Role::Admin, is_private, "{operation:?}");
        }
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
