//! Accounts.

use serde_json::{Value, json};

use super::fields::{Field, accept};
use super::route::Route;
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Page;
use crate::reply::{Answer, Reply};
use crate::stamp;
use crate::world::World;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v2/accounts/", list_accounts),
        Route::get("/api/v3/accounts/", list_accounts),
        Route::get("/api/v2/accounts/{account_id}/", get_account),
        // Not in the specification.
        Route::get("/api/v3/accounts/{account_id}/", get_account),
        Route::post("/api/v2/accounts/{account_id}/", update_account),
        Route::patch("/api/v2/accounts/{account_id}/", update_account),
    ]
}

/// An account with every field dbt lists.
pub(crate) fn blank(id: i64, name: &str, created_at: chrono::DateTime<chrono::Utc>) -> Doc {
    as_doc(json!({
        "id": id,
        "name": name,
        "state": 1,
        "plan": "enterprise",
        "run_slots": 25,
        "developer_seats": 40,
        "it_seats": 5,
        "explorer_seats": 0,
        "analyst_seats": 0,
        "read_only_seats": 200,
        "locked": false,
        "lock_reason": null,
        "lock_cause": null,
        "unlocked_at": null,
        "unlock_if_subscription_renewed": false,
        "pending_cancel": false,
        "billing_email_address": null,
        "pod_memory_request_mebibytes": 600,
        "develop_pod_memory_request_mebibytes": 600,
        "run_duration_limit_seconds": 86_400,
        "queue_limit": 50,
        "enterprise_authentication_method": null,
        "enterprise_login_slug": null,
        "enterprise_unique_identifier": null,
        "business_critical": false,
        "develop_file_system": true,
        "starter_repo_url": null,
        "sso_reauth": false,
        "git_auth_level": "personal",
        "identifier": format!("act_{id}"),
        "trial_end_date": null,
        "static_subdomain": null,
        "vanity_subdomain": null,
        "run_locked_until": null,
        "copilot_locked_until": null,
        "agent_credit_locked": false,
        "account_migration_events": [],
        "groups": [],
        "docs_job_id": null,
        "freshness_job_id": null,
        "docs_job": null,
        "freshness_job": null,
        "enterprise_login_url": "https://cloud.getdbt.com/enterprise-login/None/",
        "created_at": stamp::offset(created_at),
        "updated_at": stamp::offset(created_at),
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a handler")]
fn list_accounts(world: &mut World, call: &Call) -> Answer {
    let data: Vec<Value> = world
        .accounts_of(&call.caller)
        .map(|account| Value::Object(account.doc.clone()))
        .collect();
    Ok(Reply::List(Page::whole(
        data,
        json!({ "pk__in": call.caller.accounts }),
    )))
}

fn get_account(world: &mut World, call: &Call) -> Answer {
    Ok(Reply::One(Value::Object(world.account(call)?.doc.clone())))
}

fn update_account(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 4] = [
        Field::text("name").required(),
        Field::int("state"),
        Field::int("docs_job_id"),
        Field::int("freshness_job_id"),
    ];
    let changes = accept(&call.object()?, &FIELDS, call.method == "POST", call)?;
    let account = world.account(call)?;
    account.doc.extend(changes);
    account.doc.put("updated_at", stamp::offset(call.now));
    Ok(Reply::One(Value::Object(account.doc.clone())))
}
