//! Groups, what they may do, and who is in them; licence maps; OAuth configurations.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds, accept};
use super::resource::{New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::reply::{Answer, Page, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

const LIST: &str = "/api/v3/accounts/{account_id}/groups/";
const ONE: &str = "/api/v3/accounts/{account_id}/groups/{id}/";
const MAPS: &str = "/api/v3/accounts/{account_id}/license-maps/";
const MAP: &str = "/api/v3/accounts/{account_id}/license-maps/{id}/";
const CONFIGURATIONS: &str = "/api/v3/accounts/{account_id}/oauth-configurations/";
const CONFIGURATION: &str = "/api/v3/accounts/{account_id}/oauth-configurations/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST, Verb::List, &GROUPS),
    Route::usual("POST", LIST, Verb::Create, &GROUPS),
    Route::usual("GET", ONE, Verb::Get, &GROUPS),
    // There is no DELETE: clients write `state: 2`.
    Route::usual("POST", ONE, Verb::Update, &GROUPS),
    Route::post(
        "/api/v3/accounts/{account_id}/group-permissions/{group_id}/",
        assign_permissions,
    ),
    Route::post("/api/v3/accounts/{account_id}/assign-groups/", assign_groups),
    Route::usual("GET", MAPS, Verb::List, &LICENSE_MAPS),
    Route::usual("POST", MAPS, Verb::Create, &LICENSE_MAPS),
    Route::usual("GET", MAP, Verb::Get, &LICENSE_MAPS),
    Route::usual("POST", MAP, Verb::Update, &LICENSE_MAPS),
    Route::usual("DELETE", MAP, Verb::Delete, &LICENSE_MAPS),
    Route::usual("GET", CONFIGURATIONS, Verb::List, &OAUTH_CONFIGURATIONS),
    Route::usual("POST", CONFIGURATIONS, Verb::Create, &OAUTH_CONFIGURATIONS),
    Route::usual("GET", CONFIGURATION, Verb::Get, &OAUTH_CONFIGURATIONS),
    Route::usual("POST", CONFIGURATION, Verb::Update, &OAUTH_CONFIGURATIONS),
    Route::usual("DELETE", CONFIGURATION, Verb::Delete, &OAUTH_CONFIGURATIONS),
];

static GROUPS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "pk__in", "name", "name__icontains", "state"],
        default_state: Some(1),
        default_limit: 100,
    },
    render: with_permissions,
    ..Resource::plain(
        Kind::Groups,
        &[
            Field::text("name").required(),
            Field::int("state"),
            Field::flag("assign_by_default"),
            Field::new("sso_mapping_groups", Holds::Texts),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "state": 1,
                "assign_by_default": false,
                "sso_mapping_groups": [],
                "scim_managed": false,
            }))
        },
    )
};

fn with_permissions(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    let id = doc.get("id").cloned().unwrap_or(Value::Null);
    let permissions = account
        .rows(Kind::GroupPermissions)
        .filter(|row| row.get("group_id") == Some(&id));
    shown.insert(
        "group_permissions".to_owned(),
        permissions.map(|row| Value::Object(row.clone())).collect(),
    );
    let members = account
        .rows(Kind::Users)
        .filter(|user| groups_of(user).contains(&id))
        .count();
    shown.insert("member_count".to_owned(), json!(members));
    Value::Object(shown)
}

fn groups_of(user: &Doc) -> &[Value] {
    user.get("group_ids")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Replaces all permissions of a group.
fn assign_permissions(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 5] = [
        Field::int("project_id"),
        Field::flag("all_projects").required(),
        Field::text("permission_set").required(),
        Field::int("permission_level"),
        Field::new("writable_environment_categories", Holds::Texts),
    ];
    let wanted: Vec<Doc> = serde_json::from_slice(&call.body)
        .map_err(|_| call.invalid(json!({ "non_field_errors": "Expected a list of items." })))?;
    let account = world.account(call)?;
    let group_id = call.id("group_id")?;
    account.find(Kind::Groups, group_id)?;
    let accepted: Vec<Doc> = wanted
        .iter()
        .map(|body| accept(body, &FIELDS, true, call))
        .collect::<Result<_, _>>()?;
    let old: Vec<i64> = account
        .rows(Kind::GroupPermissions)
        .filter(|row| row.get("group_id") == Some(&json!(group_id)))
        .filter_map(|row| row.get("id")?.as_i64())
        .collect();
    for id in old {
        account.remove(Kind::GroupPermissions, id);
    }
    let mut made = Vec::new();
    for fields in accepted {
        let mut doc = as_doc(json!({
            "id": account.ids.next(),
            "account_id": account.id,
            "group_id": group_id,
            "project_id": null,
            "permission_level": null,
            "state": 1,
            "writable_environment_categories": [],
            "created_at": stamp::spaced(call.now),
            "updated_at": stamp::spaced(call.now),
        }));
        doc.extend(fields);
        account.audit(Kind::GroupPermissions, "added", &doc, call);
        account.put(Kind::GroupPermissions, doc.clone());
        made.push(Value::Object(doc));
    }
    Ok(Reply::List(Page::whole(
        made,
        json!({ "account_id": account.id, "group_id": group_id }),
    )))
}

/// Puts a user into exactly these groups.
fn assign_groups(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 2] = [
        Field::int("user_id").required(),
        Field::new("desired_group_ids", Holds::Ints).required(),
    ];
    let body = accept(&call.object()?, &FIELDS, true, call)?;
    let account = world.account(call)?;
    let groups = body.get("desired_group_ids").cloned().unwrap_or_default();
    let ids: Vec<i64> = groups
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    for id in &ids {
        account
            .find(Kind::Groups, *id)
            .map_err(|_| Refusal::field("desired_group_ids", format!("Group {id} does not exist.")))?;
    }
    let user_id = body.get("user_id").and_then(Value::as_i64).unwrap_or_default();
    account
        .find_mut(Kind::Users, user_id)?
        .insert("group_ids".to_owned(), groups);
    let rows = ids.iter().filter_map(|id| account.get(Kind::Groups, *id));
    let data = rows.map(|row| with_permissions(account, row, call)).collect();
    Ok(Reply::List(Page::whole(data, json!({ "account_id": account.id }))))
}

static LICENSE_MAPS: Resource = Resource::plain(
    Kind::LicenseMaps,
    &[
        Field::new(
            "license_type",
            Holds::Choice(&["developer", "read_only", "analyst", "it"]),
        )
        .required(),
        Field::int("state"),
        Field::new("sso_license_mapping_groups", Holds::Texts),
    ],
    |new: &New<'_>| {
        as_doc(json!({
            "id": new.id,
            "account_id": new.account_id,
            "state": 1,
            "sso_license_mapping_groups": [],
        }))
    },
);

static OAUTH_CONFIGURATIONS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "client_id", "type"],
        default_state: None,
        default_limit: 100,
    },
    has_state: false,
    render: without_secret,
    ..Resource::plain(
        Kind::OauthConfigurations,
        &[
            Field::text("type").required(),
            Field::text("name"),
            Field::new("extra_data", Holds::Object),
            Field::text("client_id"),
            Field::text("client_secret"),
            Field::text("authorize_url"),
            Field::text("token_url"),
            Field::text("redirect_uri"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "name": null,
                "extra_data": null,
                "client_id": null,
                "authorize_url": null,
                "token_url": null,
                "redirect_uri": null,
            }))
        },
    )
};

fn without_secret(_: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("client_secret");
    Value::Object(shown)
}
