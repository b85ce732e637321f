//! Users with their licences and invitations, and the user of a token.

use serde_json::{Value, json};

use super::fields::{Field, FieldType, accept};
use super::resource::{Resource, Verb};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::Page;
use crate::refusal::Refusal;
use crate::reply::{self, Answer, Reply};
use crate::stamp;
use crate::world::{Kind, World};

pub(crate) fn routes() -> Vec<Route> {
    let (v2, v3) = ("/api/v2/accounts/{account_id}", "/api/v3/accounts/{account_id}");
    let own = vec![
        Route::get(&format!("{v3}/users/{{id}}/"), get_account_user),
        Route::get("/api/v2/users/{id}/", get_user),
        Route::post("/api/v2/users/{id}/", update_user),
        Route::get("/api/v2/whoami/", whoami),
        Route::get(&format!("{v2}/licenses/"), list_licenses),
        Route::post(&format!("{v2}/permissions/{{id}}/"), update_license),
        Route::post(&format!("{v3}/invites/"), invite),
    ];
    [
        // The single user of v2 is not in the specification, but two clients read it.
        resource_routes(&format!("{v2}/users/"), &USERS, &[Verb::List, Verb::Get]),
        resource_routes(&format!("{v3}/users/"), &USERS, &[Verb::List]),
        resource_routes(&format!("{v2}/invites/"), &INVITES, &[Verb::List, Verb::Get]),
        own,
    ]
    .concat()
}

static USERS: Resource = Resource::plain(Kind::Users, &[], |_| json!({}));

static INVITES: Resource = Resource {
    has_state: false,
    ..Resource::plain(Kind::Invites, &[], |_| json!({}))
};

const LICENSE_TYPE: Field = Field::new(
    "license_type",
    FieldType::Choice(&["developer", "read_only", "analyst", "it"]),
)
.required();

fn license(user: &Doc) -> Option<&Value> {
    user.items("permissions").first()
}

/// The short form of v3.
fn get_account_user(world: &mut World, call: &Call) -> Answer {
    let user = world.account(call)?.find(Kind::Users, call.id("id")?)?;
    let field = |name: &str| user.get(name);
    let license = license(user);
    Ok(reply::error_code_envelope(json!({
        "id": field("id"),
        "created_at": field("created_at"),
        "updated_at": field("created_at"),
        "email": field("email"),
        "first_name": field("first_name"),
        "last_name": field("last_name"),
        "fullname": format!("{} {}", user.text("first_name"), user.text("last_name")),
        "email_verified": field("email_verified"),
        "license": {
            "id": license.and_then(|license| license.get("id")),
            "license_type": license.and_then(|license| license.get("license_type")),
        },
        "is_active": field("is_active"),
        "is_staff": field("is_staff"),
        "scim_managed": false,
    })))
}

fn get_user(world: &mut World, call: &Call) -> Answer {
    let id = call.id("id")?;
    let user = world.account_of_user(&call.caller, id)?.find(Kind::Users, id)?;
    Ok(Reply::One(Value::Object(user.clone())))
}

fn update_user(world: &mut World, call: &Call) -> Answer {
    const NAMES: [Field; 2] = [
        Field::text("first_name").required(),
        Field::text("last_name").required(),
    ];
    let id = call.id("id")?;
    let changes = accept(&call.object()?, &NAMES, false, call)?;
    let account = world.account_of_user(&call.caller, id)?;
    let user = account.find_mut(Kind::Users, id)?;
    user.extend(changes);
    Ok(Reply::One(Value::Object(user.clone())))
}

/// Not in the specification; clients use it to test a connection.
fn whoami(world: &mut World, call: &Call) -> Answer {
    match call.caller.user_id {
        Some(id) => {
            let user = world.account_of_user(&call.caller, id)?.find(Kind::Users, id)?;
            Ok(Reply::One(json!({ "user": user })))
        }
        None if call.switches.whoami_for_service_tokens => {
            let id = call.caller.service_token_id;
            Ok(Reply::One(
                json!({ "user": null, "service_token_id": id, "accounts": call.caller.accounts }),
            ))
        }
        None => Err(Refusal::forbidden(json!({ "is_service_token": true }))),
    }
}

fn list_licenses(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let detail = |license_type: &str| {
        let total = account.doc.int(&format!("{license_type}_seats")).unwrap_or_default();
        let holds = |user: &&Doc| license(user).is_some_and(|license| license["license_type"] == license_type);
        let used = i64::try_from(account.rows(Kind::Users).filter(holds).count()).unwrap_or(i64::MAX);
        json!({
            "limited": true,
            "over_limit": used > total,
            "total": total,
            "in_use": used,
            "available": (total - used).max(0),
            "assigned": used,
            "enterprise_plan": true,
        })
    };
    let types = ["developer", "explorer", "read_only", "it", "analyst"];
    let data = types.map(|license_type| (license_type.to_owned(), detail(license_type)));
    let data = Value::Object(data.into_iter().collect());
    Ok(Reply::List(Page::whole(
        vec![data],
        json!({ "account_id": account.id }),
    )))
}

fn update_license(world: &mut World, call: &Call) -> Answer {
    let changes = accept(&call.object()?, &[LICENSE_TYPE, Field::int("state")], true, call)?;
    let id = call.id("id")?;
    let account = world.account(call)?;
    let holder = account
        .rows(Kind::Users)
        .find(|user| license(user).is_some_and(|license| license["id"] == id));
    let holder = holder.and_then(|user| user.int("id")).ok_or_else(Refusal::not_found)?;
    let user = account.find_mut(Kind::Users, holder)?;
    let license = user
        .get_mut("permissions")
        .and_then(|list| list.get_mut(0)?.as_object_mut());
    let license = license.ok_or_else(Refusal::not_found)?;
    license.extend(changes);
    license.put("updated_at", stamp::offset(call.now));
    Ok(Reply::One(Value::Object(license.clone())))
}

fn invite(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 3] = [
        Field::new("email_addresses", FieldType::Texts).required(),
        LICENSE_TYPE,
        Field::new("group_ids", FieldType::Ints),
    ];
    let body = accept(&call.object()?, &FIELDS, true, call)?;
    let account = world.account(call)?;
    for address in body.items("email_addresses") {
        let id = account.ids.next();
        let doc = as_doc(json!({
            "id": id,
            "account_id": account.id,
            "email_address": address,
            "license_type": body.get("license_type"),
            "status": 1,
            "type": "standard",
            "group_ids": body.items("group_ids"),
            "redeemed_at": null,
            "created_at": stamp::offset(call.now),
            "account": { "id": account.id, "name": account.doc.get("name"), "state": 1 },
            "groups": [],
        }));
        account.audit(Kind::Invites, "added", &doc, call);
        account.put(Kind::Invites, doc);
    }
    Ok(Reply::One(json!({ "sent": body.get("email_addresses") })))
}
