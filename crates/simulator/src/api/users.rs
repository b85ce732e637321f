//! Users, their licences and invitations, and who is behind a token.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds, accept};
use super::resource::{New, Resource, Verb};
use crate::call::Call;
use crate::listing::{ACTIVE, select};
use crate::reply::{self, Answer, Page, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/v2/accounts/{account_id}/users/", list_users),
    Route::get("/api/v3/accounts/{account_id}/users/", list_users),
    Route::get("/api/v3/accounts/{account_id}/users/{id}/", get_account_user),
    // Not in the specification, but two clients read it.
    Route::get("/api/v2/accounts/{account_id}/users/{id}/", get_user_of_account),
    Route::get("/api/v2/users/{id}/", get_user),
    Route::post("/api/v2/users/{id}/", update_user),
    Route::get("/api/v2/whoami/", whoami),
    Route::get("/api/v2/accounts/{account_id}/licenses/", list_licenses),
    Route::post("/api/v2/accounts/{account_id}/permissions/{id}/", update_license),
    Route::usual("GET", "/api/v2/accounts/{account_id}/invites/", Verb::List, &INVITES),
    Route::usual(
        "GET",
        "/api/v2/accounts/{account_id}/invites/{id}/",
        Verb::Get,
        &INVITES,
    ),
    Route::post("/api/v3/accounts/{account_id}/invites/", invite),
];

static INVITES: Resource = Resource {
    has_state: false,
    time: stamp::offset,
    ..Resource::plain(Kind::Invites, &[], |_: &New<'_>| Doc::new())
};

fn list_users(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let rows = select(
        account.rows(Kind::Users),
        account.id,
        &call.query,
        &ACTIVE,
        &call.switches,
    )?;
    Ok(Reply::List(rows.page(|row| Value::Object(row.clone()))))
}

fn get_user_of_account(world: &mut World, call: &Call) -> Answer {
    let user = world.account(call)?.find(Kind::Users, call.id("id")?)?;
    Ok(Reply::One(Value::Object(user.clone())))
}

/// The slim form of v3.
fn get_account_user(world: &mut World, call: &Call) -> Answer {
    let user = world.account(call)?.find(Kind::Users, call.id("id")?)?;
    let field = |name: &str| user.get(name).cloned().unwrap_or(Value::Null);
    let name = |name: &str| user.get(name).and_then(Value::as_str).unwrap_or_default();
    let license = user.get("permissions").and_then(|list| list.get(0));
    Ok(reply::error_code_envelope(json!({
        "id": field("id"),
        "created_at": field("created_at"),
        "updated_at": field("created_at"),
        "email": field("email"),
        "first_name": field("first_name"),
        "last_name": field("last_name"),
        "fullname": format!("{} {}", name("first_name"), name("last_name")),
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

/// The account in which a user is known, among those of the caller.
fn account_of_user<'a>(world: &'a mut World, call: &Call, id: i64) -> Result<&'a mut Account, Refusal> {
    let accounts = world
        .accounts
        .values_mut()
        .filter(|account| call.caller.accounts.contains(&account.id));
    accounts
        .into_iter()
        .find(|account| account.get(Kind::Users, id).is_some())
        .ok_or_else(Refusal::not_found)
}

fn get_user(world: &mut World, call: &Call) -> Answer {
    let id = call.id("id")?;
    let user = account_of_user(world, call, id)?.find(Kind::Users, id)?;
    Ok(Reply::One(Value::Object(user.clone())))
}

fn update_user(world: &mut World, call: &Call) -> Answer {
    const NAMES: [Field; 2] = [
        Field::text("first_name").required(),
        Field::text("last_name").required(),
    ];
    let id = call.id("id")?;
    let changes = accept(&call.object()?, &NAMES, false, call)?;
    let account = account_of_user(world, call, id)?;
    let user = account.find_mut(Kind::Users, id)?;
    user.extend(changes);
    Ok(Reply::One(Value::Object(user.clone())))
}

/// Not in the specification; the best test of a connection that there is.
fn whoami(world: &mut World, call: &Call) -> Answer {
    match call.caller.user_id {
        Some(id) => {
            let user = account_of_user(world, call, id)?.find(Kind::Users, id)?;
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
    let seats = |field: &str| account.doc.get(field).and_then(Value::as_i64).unwrap_or_default();
    let detail = |license: &str, total: i64| {
        let holds = |user: &&Doc| {
            user.get("permissions")
                .and_then(|list| list.get(0))
                .and_then(|row| row.get("license_type"))
                == Some(&json!(license))
        };
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
    let data = json!({
        "developer": detail("developer", seats("developer_seats")),
        "explorer": detail("explorer", seats("explorer_seats")),
        "read_only": detail("read_only", seats("read_only_seats")),
        "it": detail("it", seats("it_seats")),
        "analyst": detail("analyst", seats("analyst_seats")),
    });
    Ok(Reply::List(Page::whole(
        vec![data],
        json!({ "account_id": account.id }),
    )))
}

fn update_license(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 2] = [
        Field::new(
            "license_type",
            Holds::Choice(&["developer", "read_only", "analyst", "it"]),
        )
        .required(),
        Field::int("state"),
    ];
    let changes = accept(&call.object()?, &FIELDS, true, call)?;
    let id = call.id("id")?;
    let account = world.account(call)?;
    let of_license = |row: &&Doc| {
        row.get("permissions")
            .and_then(|list| list.get(0))
            .and_then(|row| row.get("id"))
            == Some(&json!(id))
    };
    let user = account
        .rows(Kind::Users)
        .find(of_license)
        .and_then(|row| row.get("id"))
        .and_then(Value::as_i64);
    let user = account.find_mut(Kind::Users, user.ok_or_else(Refusal::not_found)?)?;
    let license = user
        .get_mut("permissions")
        .and_then(|list| list.get_mut(0))
        .and_then(Value::as_object_mut);
    let license = license.ok_or_else(Refusal::not_found)?;
    license.extend(changes);
    license.insert("updated_at".to_owned(), json!(stamp::offset(call.now)));
    Ok(Reply::One(Value::Object(license.clone())))
}

fn invite(world: &mut World, call: &Call) -> Answer {
    const FIELDS: [Field; 3] = [
        Field::new("email_addresses", Holds::Texts).required(),
        Field::new(
            "license_type",
            Holds::Choice(&["developer", "read_only", "analyst", "it"]),
        )
        .required(),
        Field::new("group_ids", Holds::Ints),
    ];
    let body = accept(&call.object()?, &FIELDS, true, call)?;
    let account = world.account(call)?;
    let addresses = body.get("email_addresses").cloned().unwrap_or_default();
    for address in addresses.as_array().into_iter().flatten() {
        let id = account.ids.next();
        let doc = as_doc(json!({
            "id": id,
            "account_id": account.id,
            "email_address": address,
            "license_type": body.get("license_type"),
            "status": 1,
            "type": "standard",
            "group_ids": body.get("group_ids").cloned().unwrap_or_else(|| json!([])),
            "redeemed_at": null,
            "created_at": stamp::offset(call.now),
            "account": { "id": account.id, "name": account.doc.get("name"), "state": 1 },
            "groups": [],
        }));
        account.audit(Kind::Invites, "added", &doc, call);
        account.put(Kind::Invites, doc);
    }
    Ok(Reply::One(json!({ "sent": addresses })))
}
