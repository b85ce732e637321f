//! Repositories: those of a project in v3, those of the account in v2.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fields::Field;
use super::resource::{ALL_VERBS, IN_PROJECT, Resource, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Listing;
use crate::refusal::Refusal;
use crate::stamp;
use crate::world::{Account, Kind};

const OF_PROJECT_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/";
const OF_ACCOUNT_V2: &str = "/api/v2/accounts/{account_id}/repositories/";

pub(crate) fn routes() -> Vec<Route> {
    let without_update = [Verb::List, Verb::Create, Verb::Get, Verb::Delete];
    [
        resource_routes(OF_PROJECT_V3, &V3, &ALL_VERBS),
        resource_routes(OF_ACCOUNT_V2, &V2, &without_update),
    ]
    .concat()
}

const REPOSITORIES: Resource = Resource {
    listing: Listing::active(&["pk", "project_id", "project_id__in", "remote_url", "state"]),
    prepare: derive_names,
    ..Resource::plain(Kind::Repositories, FIELDS, |new| {
        Value::Object(blank(new.id, new.account_id, new.parent, "", new.call.now))
    })
};

static V2: Resource = REPOSITORIES;

static V3: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..REPOSITORIES
};

const FIELDS: &[Field] = &[
    Field::int("project_id"),
    Field::text("remote_url"),
    Field::text("full_name"),
    Field::text("remote_backend"),
    Field::text("git_clone_strategy"),
    Field::int("deploy_key_id"),
    Field::int("repository_credentials_id"),
    Field::int("github_installation_id"),
    Field::int("github_webhook_id"),
    Field::int("git_provider_id"),
    Field::text("private_link_endpoint_id"),
    Field::int("state"),
];

/// A repository with every field of dbt's.
pub(crate) fn blank(id: i64, account_id: i64, project_id: Option<i64>, full_name: &str, at: DateTime<Utc>) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "project_id": project_id,
        "full_name": full_name,
        "remote_url": format!("git@github.com:{full_name}.git"),
        "remote_backend": "github",
        "git_clone_strategy": "github_app",
        "deploy_key_id": id + 500,
        "deploy_key": { "id": id + 500, "account_id": account_id, "state": 1, "public_key": "ssh-rsa FAKE" },
        "repository_credentials_id": null,
        "github_installation_id": 4_711,
        "github_webhook_id": null,
        "pull_request_url_template": format!("https://github.com/{full_name}/compare/{{{{destination}}}}...{{{{source}}}}"),
        "state": 1,
        "git_provider_id": null,
        "git_provider": null,
        "gitlab": null,
        "private_link_endpoint_id": null,
        "is_private_link_enabled": false,
        "github_repo": full_name,
        "name": full_name.rsplit('/').next(),
        "web_url": format!("https://github.com/{full_name}"),
        "created_at": stamp::spaced(at),
        "updated_at": stamp::spaced(at),
    }))
}

/// The names of a new repository are parts of its remote address.
fn derive_names(account: &mut Account, doc: &mut Doc, old: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    account.check_reference(doc, "project_id", Kind::Projects)?;
    let url = doc.text("remote_url");
    let path = url
        .rsplit_once(':')
        .map_or(url, |(_, path)| path)
        .trim_end_matches(".git")
        .to_owned();
    if old.is_none() && !path.is_empty() {
        doc.put("name", path.rsplit('/').next());
        doc.put("web_url", format!("https://github.com/{path}"));
        doc.put("github_repo", path.clone());
        doc.put("full_name", path);
    }
    Ok(())
}
