//! The seed that reads like a company: Acme Retail Group, and Globex beside it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::give_token;
use super::history::{self, Ending, Past};
use crate::api::{accounts, connections, environments, jobs, projects, repositories};
use crate::config::RunTiming;
use crate::stamp;
use crate::world::{Account, Doc, JobOutcome, JobScript, Kind, World};
use crate::{acme, globex};

/// Id, name, description, subdirectory.
const PROJECTS: [(i64, &str, Option<&str>, Option<&str>); 7] = [
    (
        acme::PROJECT_ID,
        "Customer 360",
        Some("One view of a customer across shops and web"),
        None,
    ),
    (
        acme::FINANCE_PROJECT_ID,
        "Finance Marts",
        Some("Ledger, month-end close, board reporting"),
        Some("dbt/finance"),
    ),
    (
        acme::BIG_PROJECT_ID,
        "Store Operations",
        Some("One refresh job a store"),
        None,
    ),
    (70_403_103_920_004, "Supply Chain", None, None),
    (70_403_103_920_005, "Marketing Attribution", None, Some("transform")),
    (
        70_403_103_920_006,
        "Loyalty Programme",
        Some("Points, tiers and vouchers"),
        None,
    ),
    (acme::DELETED_PROJECT_ID, "Sandbox 2023", None, None),
];

pub(super) fn grow(world: &mut World, now: DateTime<Utc>, timing: &RunTiming) {
    grow_acme(world, now, timing);
    grow_globex(world, now);
}

fn set(mut doc: Doc, fields: Value) -> Doc {
    if let Value::Object(fields) = fields {
        doc.extend(fields);
    }
    doc
}

fn grow_acme(world: &mut World, now: DateTime<Utc>, timing: &RunTiming) {
    let born = now - TimeDelta::days(900);
    let doc = accounts::blank(acme::ACCOUNT_ID, "Acme Retail Group", born);
    let subdomain = json!({ "billing_email_address": "data-platform@acme.example", "static_subdomain": "ac123", "identifier": "acme-retail" });
    let mut account = Account::new(set(doc, subdomain), world.ids.clone());
    for (index, (id, name, description, subdirectory)) in PROJECTS.into_iter().enumerate() {
        let created_at = born + TimeDelta::days(60 * i64::try_from(index).unwrap_or_default());
        let serial = i64::try_from(index).unwrap_or_default() + 1;
        let connection_id = 70_403_103_960_000 + serial;
        let repository_id = 70_403_103_961_000 + serial;
        account.put(
            Kind::Connections,
            connection(connection_id, acme::ACCOUNT_ID, id, created_at),
        );
        let at = stamp::zulu(created_at);
        account.put(
            Kind::AccountConnections,
            connections::account_connection(connection_id, acme::ACCOUNT_ID, &at),
        );
        let full_name = format!("acme-retail/{}", name.to_lowercase().replace(' ', "-"));
        account.put(
            Kind::Repositories,
            repositories::blank(repository_id, acme::ACCOUNT_ID, Some(id), &full_name, created_at),
        );
        let deleted = id == acme::DELETED_PROJECT_ID;
        let fields = json!({
            "description": description,
            "dbt_project_subdirectory": subdirectory,
            "connection_id": connection_id,
            "repository_id": repository_id,
            "state": if deleted { 2 } else { 1 },
        });
        account.put(
            Kind::Projects,
            set(projects::blank(id, acme::ACCOUNT_ID, name, created_at), fields),
        );
    }
    grow_environments(&mut account, born);
    grow_jobs(&mut account, born);
    grow_history(&mut account, now, timing);
    account.put(
        Kind::Users,
        user(
            acme::USER_ID,
            "Ada",
            "Marlow",
            "ada.marlow@acme.example",
            born,
            acme::ACCOUNT_ID,
        ),
    );
    account.put(
        Kind::Users,
        user(
            acme::USER_ID + 1,
            "Jun",
            "Okafor",
            "jun.okafor@acme.example",
            born,
            acme::ACCOUNT_ID,
        ),
    );
    account.put(
        Kind::Users,
        user(
            acme::USER_ID + 2,
            "Mira",
            "Lindqvist",
            "mira.lindqvist@acme.example",
            born,
            acme::ACCOUNT_ID,
        ),
    );
    give_token(world, acme::TOKEN, acme::ACCOUNT_ID, None);
    give_token(world, acme::USER_TOKEN, acme::ACCOUNT_ID, Some(acme::USER_ID));
    world.accounts.insert(acme::ACCOUNT_ID, account);
}

fn grow_environments(account: &mut Account, born: DateTime<Utc>) {
    const ENVIRONMENTS: [(i64, i64, &str, &str, Option<&str>); 9] = [
        (
            acme::PRODUCTION_ENVIRONMENT_ID,
            acme::PROJECT_ID,
            "Production",
            "deployment",
            Some("production"),
        ),
        (
            acme::STAGING_ENVIRONMENT_ID,
            acme::PROJECT_ID,
            "Staging",
            "deployment",
            Some("staging"),
        ),
        (
            acme::DEVELOPMENT_ENVIRONMENT_ID,
            acme::PROJECT_ID,
            "Development",
            "development",
            None,
        ),
        (
            acme::FINANCE_ENVIRONMENT_ID,
            acme::FINANCE_PROJECT_ID,
            "Production",
            "deployment",
            Some("production"),
        ),
        (
            70_403_103_930_005,
            acme::FINANCE_PROJECT_ID,
            "Development",
            "development",
            None,
        ),
        (
            70_403_103_930_006,
            acme::BIG_PROJECT_ID,
            "Production",
            "deployment",
            Some("production"),
        ),
        (
            70_403_103_930_007,
            70_403_103_920_004,
            "Production",
            "deployment",
            Some("production"),
        ),
        (
            70_403_103_930_008,
            70_403_103_920_005,
            "Production",
            "deployment",
            Some("production"),
        ),
        (
            70_403_103_930_009,
            70_403_103_920_006,
            "Production",
            "deployment",
            Some("production"),
        ),
    ];
    for (id, project_id, name, kind, deployment) in ENVIRONMENTS {
        let connection_id = 70_403_103_960_000 + project_id % 100;
        let credentials_id = 70_403_103_962_000 + id % 1_000;
        account.put(
            Kind::Credentials,
            credentials(credentials_id, account.id, project_id, name),
        );
        let fields = json!({
            "type": kind,
            "deployment_type": deployment,
            "connection_id": connection_id,
            "repository_id": 70_403_103_961_000 + project_id % 100,
            "credentials_id": credentials_id,
            "dbt_version": if project_id == acme::FINANCE_PROJECT_ID { "1.9.0-latest" } else { "latest" },
            "raw_dbt_version": if project_id == acme::FINANCE_PROJECT_ID { "1.9.0-latest" } else { "latest" },
        });
        account.put(
            Kind::Environments,
            set(environments::blank(id, account.id, project_id, name, born), fields),
        );
    }
}

fn grow_jobs(account: &mut Account, born: DateTime<Utc>) {
    let nightly = json!({ "cron": "0 2 * * *", "date": { "type": "every_day" }, "time": { "type": "at_exact_hours", "hours": [2] } });
    let scheduled = json!({ "github_webhook": false, "git_provider_webhook": false, "schedule": true, "on_merge": false, "custom_branch_only": true });
    let on_pull_request = json!({ "github_webhook": true, "git_provider_webhook": null, "schedule": false, "on_merge": false, "custom_branch_only": true });
    let (p, f) = (acme::PROJECT_ID, acme::FINANCE_PROJECT_ID);
    let (production, staging, finance) = (
        acme::PRODUCTION_ENVIRONMENT_ID,
        acme::STAGING_ENVIRONMENT_ID,
        acme::FINANCE_ENVIRONMENT_ID,
    );
    let plain = json!({});
    let jobs = [
        (
            acme::NIGHTLY_JOB_ID,
            p,
            production,
            "Nightly build",
            json!({ "execute_steps": ["dbt seed", "dbt build"], "triggers": scheduled, "schedule": nightly, "job_type": "scheduled" }),
        ),
        (
            acme::HOURLY_JOB_ID,
            p,
            production,
            "Hourly orders",
            json!({ "execute_steps": ["dbt build --select tag:hourly"], "triggers": scheduled, "job_type": "scheduled" }),
        ),
        (
            acme::DOCS_JOB_ID,
            p,
            production,
            "Build and document",
            json!({ "generate_docs": true, "run_generate_sources": false }),
        ),
        (
            acme::CI_JOB_ID,
            p,
            staging,
            "CI on pull requests",
            json!({ "execute_steps": ["dbt build --select state:modified+"], "triggers": on_pull_request, "job_type": "ci", "deferring_environment_id": production }),
        ),
        (
            acme::FAILING_JOB_ID,
            f,
            finance,
            "Month-end close",
            json!({ "execute_steps": ["dbt build --select marts", "dbt test --select marts"], "description": "Owned by the controlling team" }),
        ),
        (acme::FLAKY_JOB_ID, f, finance, "Ledger reconciliation", plain.clone()),
        (
            acme::SLOW_JOB_ID,
            p,
            production,
            "Full refresh",
            json!({ "execute_steps": ["dbt build --full-refresh"], "execution": { "timeout_seconds": 14_400 } }),
        ),
        (acme::BROKEN_JOB_ID, f, finance, "Legacy extract", plain),
    ];
    for (id, project_id, environment_id, name, fields) in jobs {
        let new = jobs::NewJob {
            id,
            account_id: account.id,
            project_id,
            environment_id,
            name,
            created_at: born,
        };
        account.put(Kind::Jobs, set(jobs::blank(&new), fields));
    }
    for store in 0..acme::BIG_PROJECT_JOBS {
        let id = acme::FIRST_STORE_JOB_ID + i64::try_from(store).unwrap_or_default();
        let name = format!("Refresh store {:03}", store + 1);
        let new = jobs::NewJob {
            id,
            account_id: account.id,
            project_id: acme::BIG_PROJECT_ID,
            environment_id: 70_403_103_930_006,
            name: &name,
            created_at: born,
        };
        let command = format!("dbt build --select tag:store_{:03}", store + 1);
        account.put(
            Kind::Jobs,
            set(jobs::blank(&new), json!({ "execute_steps": [command] })),
        );
    }
    let mut script = |id, outcome, command_secs| account.scripts.insert(id, JobScript { command_secs, outcome });
    script(acme::FAILING_JOB_ID, JobOutcome::Fail { command: 1, runs: None }, None);
    script(
        acme::FLAKY_JOB_ID,
        JobOutcome::Fail {
            command: 1,
            runs: Some(1),
        },
        None,
    );
    script(acme::SLOW_JOB_ID, JobOutcome::Succeed, Some(3_600));
    script(acme::BROKEN_JOB_ID, JobOutcome::FailEarly, None);
}

/// A month of nights, two days of hours, some month-end closes that failed, and the runs with names of their own.
fn grow_history(account: &mut Account, now: DateTime<Utc>, timing: &RunTiming) {
    let mut past: Vec<(TimeDelta, i64, Ending)> = Vec::new();
    for night in 1..=30 {
        let ending = if night % 11 == 0 {
            Ending::Error
        } else {
            Ending::Success
        };
        past.push((
            TimeDelta::days(night) + TimeDelta::hours(7),
            acme::NIGHTLY_JOB_ID,
            ending,
        ));
    }
    for hour in 1..=72 {
        past.push((
            TimeDelta::hours(hour) + TimeDelta::minutes(31),
            acme::HOURLY_JOB_ID,
            Ending::Success,
        ));
    }
    for day in 1..=16 {
        past.push((
            TimeDelta::days(day) + TimeDelta::hours(3),
            acme::FAILING_JOB_ID,
            Ending::Error,
        ));
    }
    for week in 1..=8 {
        past.push((TimeDelta::weeks(week), acme::BROKEN_JOB_ID, Ending::EarlyError));
    }
    past.sort_by_key(|(age, _, _)| std::cmp::Reverse(*age));
    for (index, (age, job_id, ending)) in past.into_iter().enumerate() {
        let id = 70_403_104_000_001 + i64::try_from(index).unwrap_or_default();
        history::add(
            account,
            &Past {
                id,
                job_id,
                created_at: now - age,
                ending,
            },
            timing,
        );
    }
    let named = [
        (acme::SUCCEEDED_RUN_ID, 31, acme::NIGHTLY_JOB_ID, Ending::Success),
        (acme::FAILED_RUN_ID, 26, acme::FAILING_JOB_ID, Ending::Error),
        (acme::CANCELLED_RUN_ID, 21, acme::HOURLY_JOB_ID, Ending::Cancelled),
        (acme::DOCS_RUN_ID, 16, acme::DOCS_JOB_ID, Ending::Success),
    ];
    for (id, minutes, job_id, ending) in named {
        history::add(
            account,
            &Past {
                id,
                job_id,
                created_at: now - TimeDelta::minutes(minutes),
                ending,
            },
            timing,
        );
    }
}

fn grow_globex(world: &mut World, now: DateTime<Utc>) {
    let born = now - TimeDelta::days(300);
    let mut account = Account::new(accounts::blank(globex::ACCOUNT_ID, "Globex", born), world.ids.clone());
    account.put(
        Kind::Projects,
        projects::blank(globex::PROJECT_ID, globex::ACCOUNT_ID, "Logistics", born),
    );
    let environment = environments::blank(
        globex::ENVIRONMENT_ID,
        globex::ACCOUNT_ID,
        globex::PROJECT_ID,
        "Production",
        born,
    );
    account.put(
        Kind::Environments,
        set(environment, json!({ "deployment_type": "production" })),
    );
    let new = jobs::NewJob {
        id: globex::JOB_ID,
        account_id: globex::ACCOUNT_ID,
        project_id: globex::PROJECT_ID,
        environment_id: globex::ENVIRONMENT_ID,
        name: "Daily shipments",
        created_at: born,
    };
    account.put(Kind::Jobs, jobs::blank(&new));
    give_token(world, globex::TOKEN, globex::ACCOUNT_ID, None);
    world.accounts.insert(globex::ACCOUNT_ID, account);
}

fn connection(id: i64, account_id: i64, project_id: i64, at: DateTime<Utc>) -> Doc {
    accounts::as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "dbt_project_id": project_id,
        "name": "Warehouse",
        "type": "postgres",
        "adapter_version": "postgres_v0",
        "created_by_id": acme::USER_ID,
        "created_by_service_token_id": null,
        "details": { "hostname": "warehouse.acme.example", "dbname": "analytics", "port": 5432, "tunnel_enabled": false },
        "hostname": "warehouse.acme.example",
        "dbname": "analytics",
        "port": 5432,
        "tunnel_enabled": false,
        "private_link_endpoint_id": null,
        "oauth_configuration_id": null,
        "oauth_redirect_uri": null,
        "state": 1,
        "created_at": stamp::spaced(at),
        "updated_at": stamp::spaced(at),
    }))
}

fn credentials(id: i64, account_id: i64, project_id: i64, environment: &str) -> Doc {
    let schema = if environment == "Production" {
        "analytics"
    } else {
        "analytics_staging"
    };
    accounts::as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "type": "postgres",
        "state": 1,
        "threads": 8,
        "username": "dbt_runner",
        "default_schema": schema,
        "target_name": "default",
        "adapter_version": "postgres_v0",
    }))
}

fn user(id: i64, first: &str, last: &str, email: &str, at: DateTime<Utc>, account_id: i64) -> Doc {
    accounts::as_doc(json!({
        "id": id,
        "first_name": first,
        "last_name": last,
        "email": email,
        "state": 1,
        "apitoken_last_used": null,
        "azure_active_directory_connected": false,
        "azure_active_directory_token_retrieval_failure": false,
        "azure_active_directory_username": null,
        "email_connected": false,
        "email_verified": true,
        "enterprise_connected": true,
        "enterprise_authentication_method": "saml",
        "github_connected": true,
        "github_username": first.to_lowercase(),
        "github_token_retrieval_failure": false,
        "gitlab_connected": false,
        "gitlab_username": null,
        "gitlab_token_retrieval_failure": false,
        "is_active": true,
        "is_staff": false,
        "last_login": stamp::offset(at + TimeDelta::days(40)),
        "sso_only_user": false,
        "created_at": stamp::offset(at),
        "permissions": [{
            "id": id + 500,
            "account_id": account_id,
            "user_id": id,
            "license_type": "developer",
            "state": 1,
            "groups": [],
            "scim_managed": false,
            "created_at": stamp::offset(at),
            "updated_at": stamp::offset(at),
        }],
        "auth_provider_infos": {},
        "licenses": { account_id.to_string(): { "license_type": "developer" } },
    }))
}
