//! Groups with their permissions and members; licence maps; OAuth configurations.

use serde_json::{Value, json};

use super::fields::{Field, FieldType, accept};
use super::resource::{ALL_VERBS, Resource};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::{Listing, Page};
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::stamp;
use crate::world::{Account, Kind, World};

pub(crate) fn routes() -> Vec<Route> {
    let below = |path: &str| format!("/api/v3/accounts/{{account_id}}/{path}");
    [
        // There is no DELETE of a group: clients write `state: 2`.
        resource_routes(&below("groups/"), &GROUPS, &ALL_VERBS[..4]),
        resource_routes(&below("license-maps/"), &LICENSE_MAPS, &ALL_VERBS),
        resource_routes(&below("oauth-configurations/"), &OAUTH_CONFIGURATIONS, &ALL_VERBS),
        vec![
            Route::post(&below("group-permissions/{group_id}/"), assign_permissions),
            Route::post(&below("assign-groups/"), assign_groups),
        ],
    ]
    .concat()
}

static GROUPS: Resource = Resource {
    listing: Listing::active(&["pk", "pk__in", "name", "name__icontains", "state"]),
    render: with_permissions,
    ..Resource::plain(
        Kind::Groups,
        &[
            Field::text("name").required(),
            Field::int("state"),
            Field::flag("assign_by_default"),
            Field::new("sso_mapping_groups", FieldType::Texts),
        ],
        |_| json!({ "assign_by_default": false, "sso_mapping_groups": [], "scim_managed": false }),
    )
};

fn with_permissions(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    let id = doc.value("id");
    let permissions = account.rows(Kind::GroupPermissions);
    let permissions = permissions.filter(|row| row.has("group_id", id.clone()));
    shown.put(
        "group_permissions",
        permissions.cloned().map(Value::Object).collect::<Value>(),
    );
    let members = account.rows(Kind::Users);
    let members = members.filter(|user| user.items("group_ids").contains(&id)).count();
    shown.put("member_count", members);
    Value::Object(shown)
}

fn assign_permissions(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 5] = [
        Field::int("project_id"),
        Field::flag("all_projects").required(),
        Field::text("permission_set").required(),
        Field::int("permission_level"),
        Field::new("writable_environment_categories", FieldType::Texts),
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
    let old = account.rows(Kind::GroupPermissions);
    let old = old
        .filter(|row| row.has("group_id", group_id))
        .filter_map(|row| row.int("id"));
    let old: Vec<i64> = old.collect();
    for id in old {
        account.remove(Kind::GroupPermissions, id);
    }
    let mut created = Vec::new();
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
        created.push(Value::Object(doc));
    }
    Ok(Reply::List(Page::whole(
        created,
        json!({ "account_id": account.id, "group_id": group_id }),
    )))
}

fn assign_groups(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 2] = [
        Field::int("user_id").required(),
        Field::new("desired_group_ids", FieldType::Ints).required(),
    ];
    let body = accept(&call.object()?, &FIELDS, true, call)?;
    let account = world.account(call)?;
    let ids: Vec<i64> = body
        .items("desired_group_ids")
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    for id in &ids {
        account
            .find(Kind::Groups, *id)
            .map_err(|_| Refusal::field("desired_group_ids", format!("Group {id} does not exist.")))?;
    }
    let user_id = body.int("user_id").unwrap_or_default();
    let user = account.find_mut(Kind::Users, user_id)?;
    user.put("group_ids", body.value("desired_group_ids"));
    let rows = ids.iter().filter_map(|id| account.get(Kind::Groups, *id));
    let data = rows.map(|row| with_permissions(account, row, call)).collect();
    Ok(Reply::List(Page::whole(data, json!({ "account_id": account.id }))))
}

static LICENSE_MAPS: Resource = Resource::plain(
    Kind::LicenseMaps,
    &[
        Field::new(
            "license_type",
            FieldType::Choice(&["developer", "read_only", "analyst", "it"]),
        )
        .required(),
        Field::int("state"),
        Field::new("sso_license_mapping_groups", FieldType::Texts),
    ],
    |_| json!({ "sso_license_mapping_groups": [] }),
);

static OAUTH_CONFIGURATIONS: Resource = Resource {
    listing: Listing::all(&["pk", "client_id", "type"]),
    has_state: false,
    render: without_secret,
    ..Resource::plain(
        Kind::OauthConfigurations,
        &[
            Field::text("type").required(),
            Field::text("name"),
            Field::new("extra_data", FieldType::Object),
            Field::text("client_id"),
            Field::text("client_secret"),
            Field::text("authorize_url"),
            Field::text("token_url"),
            Field::text("redirect_uri"),
        ],
        |_| {
            json!({
                "name": null,
                "extra_data": null,
                "client_id": null,
                "authorize_url": null,
                "token_url": null,
                "redirect_uri": null,
            })
        },
    )
};

fn without_secret(_: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.remove("client_secret");
    Value::Object(shown)
}
