//! Files of a crate that all reach each other: none, except the listed ones.

use std::collections::BTreeSet;

use devtools::structure::read_workspace;

use crate::workspace;

/// The circles that exist today. A circle that is cut leaves this list; none is added.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("bench", &["exercise.rs", "main.rs", "report.rs", "targets.rs"]),
    ("client", &["clients.rs", "dbt_client.rs", "health.rs"]),
    ("embedded-postgres", &["binaries.rs", "error.rs"]),
    ("gateway", &["settings/layers.rs", "settings/load.rs"]),
    ("model", &["lenient.rs", "run.rs"]),
    (
        "provider",
        &[
            "call.rs",
            "dbt_provider.rs",
            "graphql/gather.rs",
            "graphql/mod.rs",
            "graphql/table.rs",
            "just_started.rs",
            "pump.rs",
            "relay/account.rs",
            "relay/args.rs",
            "relay/mod.rs",
            "request.rs",
            "run_failure/mod.rs",
            "run_failure/nodes.rs",
            "streamed.rs",
        ],
    ),
    ("server", &["browser.rs", "edge.rs"]),
    (
        "simulator",
        &[
            "api/accounts.rs",
            "api/artifacts.rs",
            "api/audit_logs.rs",
            "api/connections.rs",
            "api/credentials.rs",
            "api/env_vars.rs",
            "api/environments.rs",
            "api/fields.rs",
            "api/groups.rs",
            "api/jobs.rs",
            "api/mod.rs",
            "api/notifications.rs",
            "api/projects.rs",
            "api/repositories.rs",
            "api/resource.rs",
            "api/retry.rs",
            "api/runs.rs",
            "api/steps.rs",
            "api/tokens.rs",
            "api/trigger.rs",
            "api/user_credentials.rs",
            "api/users.rs",
            "api/webhooks.rs",
            "artifacts/files.rs",
            "call.rs",
            "config.rs",
            "edge.rs",
            "graphql/discovery.rs",
            "graphql/execute.rs",
            "graphql/lineage.rs",
            "graphql/mod.rs",
            "graphql/semantic_layer.rs",
            "limiter.rs",
            "logs.rs",
            "routing.rs",
            "runs/humanized.rs",
            "runs/plan.rs",
            "runs/render.rs",
            "runs/retry.rs",
            "runs/run.rs",
            "runs/steps.rs",
            "seed/acme.rs",
            "seed/acme_jobs.rs",
            "seed/history.rs",
            "seed/mod.rs",
            "seed/objects.rs",
            "seed/plan.rs",
            "state.rs",
            "strike.rs",
            "webhooks/deliver.rs",
            "webhooks/mod.rs",
            "webhooks/payload.rs",
            "world/account.rs",
            "world/mod.rs",
        ],
    ),
    (
        "storage",
        &[
            "database.rs",
            "metrics.rs",
            "request_log/queue.rs",
            "request_log/reading/mod.rs",
            "request_log/writer.rs",
        ],
    ),
];

#[test]
fn no_crate_has_circles_of_files_except_the_listed_ones() {
    let allowed: BTreeSet<_> = ALLOWED
        .into_iter()
        .map(|(name, files)| (name.to_owned(), files.join(" ")))
        .collect();
    let mut existing = BTreeSet::new();
    for code in read_workspace(workspace()).unwrap() {
        existing.extend(
            code.circles()
                .into_iter()
                .map(|circle| (code.name.clone(), circle.join(" "))),
        );
    }
    let new: Vec<_> = existing.difference(&allowed).collect();
    let cut: Vec<_> = allowed.difference(&existing).collect();
    assert!(
        new.is_empty(),
        "new circles, `./dev structure --arrows` prints their lines: {new:#?}"
    );
    assert!(
        cut.is_empty(),
        "these circles exist no longer, take them from the list: {cut:#?}"
    );
}
