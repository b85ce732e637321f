//! Repositories: project-wise in v3, account-wide in v2.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::accounts::as_doc;
use super::fields::Field;
use super::resource::{IN_PROJECT, New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::reply::Refusal;
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind};

const LIST_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/";
const ONE_V3: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/repositories/{id}/";
const LIST_V2: &str = "/api/v2/accounts/{account_id}/repositories/";
const ONE_V2: &str = "/api/v2/accounts/{account_id}/repositories/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST_V3, Verb::List, &V3),
    Route::usual("POST", LIST_V3, Verb::Create, &V3),
    Route::usual("GET", ONE_V3, Verb::Get, &V3),
    Route::usual("POST", ONE_V3, Verb::Update, &V3),
    Route::usual("DELETE", ONE_V3, Verb::Delete, &V3),
    Route::usual("GET", LIST_V2, Verb::List, &V2),
    Route::usual("POST", LIST_V2, Verb::Create, &V2),
    Route::usual("GET", ONE_V2, Verb::Get, &V2),
    Route::usual("DELETE", ONE_V2, Verb::Delete, &V2),
];

const LISTING: Listing = Listing {
    filters: &["pk", "project_id", "project_id__in", "remote_url", "state"],
    default_state: Some(1),
    default_limit: 100,
};

const PLAIN: Resource = Resource {
    listing: LISTING,
    prepare: name_it,
    ..Resource::plain(Kind::Repositories, FIELDS, |new: &New<'_>| {
        blank(new.id, new.account_id, new.parent, "", new.call.now)
    })
};
static V2: Resource = PLAIN;
static V3: Resource = Resource {
    parent: Some(IN_PROJECT),
    ..PLAIN
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

/// A repository with every field dbt lists.
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

/// The names follow the remote address.
fn name_it(account: &mut Account, doc: &mut Doc, old: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    account.check_pointer(doc, "project_id", Kind::Projects)?;
    let url = doc.get("remote_url").and_then(|url| url.as_str()).unwrap_or_default();
    let path = url
        .rsplit_once(':')
        .map_or(url, |(_, path)| path)
        .trim_end_matches(".git")
        .to_owned();
    if old.is_none() && !path.is_empty() {
        doc.insert("full_name".to_owned(), json!(path));
        doc.insert("github_repo".to_owned(), json!(path));
        doc.insert("name".to_owned(), json!(path.rsplit('/').next()));
        doc.insert("web_url".to_owned(), json!(format!("https://github.com/{path}")));
    }
    Ok(())
}
