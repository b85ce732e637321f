//! Every operation of dbt Cloud's specifications, v2 and v3, and those that released clients use besides (`used.rs`), one line
//! each, with the role that may call it.
//!
//! Viewers may read; operators may also start, retry and cancel runs; everything else is for admins, including reads of
//! people, licences, tokens, audit logs, SCIM and OAuth. An operation that the gateway's REST API has under the same name
//! needs the same role there. Names of v2 operations that the specification deprecates in favour of v3 end in `_v2`.

mod jobs;
mod people;
mod projects;
mod row;
mod scim;
mod settings;
mod used;
mod v2;

use model::{OperationRow, RelayedOperation};

static TABLE: [&[OperationRow]; 16] = [
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
    used::ELSEWHERE,
    used::OF_AN_ACCOUNT_V2,
    used::OF_AN_ACCOUNT,
    used::OF_A_PROJECT,
];

/// Every operation, in the order of `docs/roles.md`.
pub fn operations() -> impl Iterator<Item = RelayedOperation> {
    TABLE.into_iter().flatten().map(RelayedOperation::new)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::{Effect, Role};

    use super::*;

    /// `METHOD /path/` of every operation in dbt Cloud's OpenAPI documents v2 and v3.
    const SPECIFIED: &str = include_str!("operations.txt");

    #[test]
    fn the_table_has_exactly_the_operations_of_the_specifications() {
        let specified: BTreeSet<_> = SPECIFIED.lines().map(str::to_owned).collect();
        let table: BTreeSet<_> = operations()
            .filter(|each| each.used_by().is_none())
            .map(|each| format!("{} {}", each.method(), each.template()))
            .collect();
        let difference: Vec<_> = table.symmetric_difference(&specified).collect();
        assert!(difference.is_empty(), "{difference:#?}");
        assert_eq!(table.len(), 207);
    }

    #[test]
    fn what_released_clients_use_names_them_and_is_not_in_the_specifications() {
        let specified: BTreeSet<_> = SPECIFIED.lines().collect();
        let used: Vec<_> = operations().filter(|each| each.used_by().is_some()).collect();
        for operation in &used {
            let line = format!("{} {}", operation.method(), operation.template());
            assert!(!specified.contains(&*line), "{operation:?}");
            assert!(operation.used_by() != Some(""), "{operation:?}");
        }
        assert_eq!(used.len(), 54);
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
            "/auth-provider/",
            "/azure-ad-applications/",
            "/open-ai/",
            "-to-service-token-mapping/",
        ];
        for operation in operations().filter(|each| each.effect() == Effect::Read) {
            let is_private = private.iter().any(|part| operation.template().contains(part));
            assert_eq!(operation.needs() == Role::Admin, is_private, "{operation:?}");
        }
    }
}
