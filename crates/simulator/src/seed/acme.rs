//! The accounts Acme Retail Group and Globex.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::objects::{credentials, project_connection, user};
use super::{acme_jobs, acme_warehouse};
use crate::api::{accounts, environments, jobs, projects, repositories};
use crate::document::with;
use crate::timing::RunTiming;
use crate::world::{Account, Kind, World};
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

fn grow_acme(world: &mut World, now: DateTime<Utc>, timing: &RunTiming) {
    let born = now - TimeDelta::days(900);
    let doc = accounts::blank(acme::ACCOUNT_ID, "Acme Retail Group", born);
    let subdomain = json!({ "billing_email_address": "data-platform@acme.example", "static_subdomain": "ac123", "identifier": "acme-retail" });
    let mut account = Account::new(with(doc, subdomain), world.ids.clone());
    for (index, (id, name, description, subdirectory)) in PROJECTS.into_iter().enumerate() {
        let created_at = born + TimeDelta::days(60 * i64::try_from(index).unwrap_or_default());
        let serial = i64::try_from(index).unwrap_or_default() + 1;
        let connection_id = 70_403_103_960_000 + serial;
        let repository_id = 70_403_103_961_000 + serial;
        account.put(
            Kind::Connections,
            project_connection(connection_id, acme::ACCOUNT_ID, id, created_at),
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
            with(projects::blank(id, acme::ACCOUNT_ID, name, created_at), fields),
        );
    }
    grow_environments(&mut account, born);
    acme_jobs::grow_jobs(&mut account, born);
    acme_jobs::grow_history(&mut account, now, timing);
    acme_warehouse::grow_connections(&mut account, born);
    acme_warehouse::grow_variables(&mut account, born);
    for (id, first, last) in [
        (acme::USER_ID, "Ada", "Marlow"),
        (acme::USER_ID + 1, "Jun", "Okafor"),
        (acme::USER_ID + 2, "Mira", "Lindqvist"),
    ] {
        account.put(Kind::Users, user(id, first, last, born, acme::ACCOUNT_ID));
    }
    world.give_token(acme::TOKEN, acme::ACCOUNT_ID, None);
    world.give_token(acme::USER_TOKEN, acme::ACCOUNT_ID, Some(acme::USER_ID));
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
            with(environments::blank(id, account.id, project_id, name, born), fields),
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
        with(environment, json!({ "deployment_type": "production" })),
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
    world.give_token(globex::TOKEN, globex::ACCOUNT_ID, None);
    world.accounts.insert(globex::ACCOUNT_ID, account);
}
