//! Service tokens and personal tokens. A new token gives access immediately; only the answer to its creation has it in full.

use serde_json::{Value, json};

use super::fields::{Field, FieldType, accept};
use super::resource::{Parent, Resource, Shape, Verb};
use super::route::{Route, resource_routes};
use crate::call::{Call, Caller};
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::{Listing, Page};
use crate::refusal::Refusal;
use crate::reply::{self, Answer, Reply};
use crate::stamp;
use crate::world::{Account, Kind, World};

const SERVICE: &str = "/api/v3/accounts/{account_id}/service-tokens/";
const PERSONAL: &str = "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/";

pub(crate) fn routes() -> Vec<Route> {
    let (service, personal) = (format!("{SERVICE}{{id}}/"), format!("{PERSONAL}{{id}}/"));
    let permissions = format!("{SERVICE}{{service_token_id}}/permissions/");
    let own = vec![
        Route::post(SERVICE, create_service_token),
        Route::put(&service, rename_service_token),
        // The specification has PUT, but one client sends POST.
        Route::post(&service, rename_service_token),
        Route::delete(&service, |world, call| delete(world, Kind::ServiceTokens, call)),
        Route::get(&permissions, list_permissions),
        Route::post(PERSONAL, create_personal),
        Route::post(&personal, rotate_personal),
        Route::delete(&personal, |world, call| delete(world, Kind::PersonalTokens, call)),
    ];
    [
        resource_routes(SERVICE, &SERVICE_TOKENS, &[Verb::List, Verb::Get]),
        resource_routes(PERSONAL, &PERSONAL_TOKENS, &[Verb::List, Verb::Get]),
        own,
    ]
    .concat()
}

static SERVICE_TOKENS: Resource = Resource {
    shape: Shape::ErrorCode,
    listing: Listing::active(&["pk", "state"]),
    render: |_, doc, _| slim(doc),
    ..Resource::plain(Kind::ServiceTokens, &FIELDS, |_| json!({}))
};

static PERSONAL_TOKENS: Resource = Resource {
    listing: Listing::active(&["pk", "state"]),
    parent: Some(Parent {
        name: "user_id",
        kind: Kind::Users,
    }),
    render: masked_token,
    ..Resource::plain(Kind::PersonalTokens, &FIELDS, |_| json!({}))
};

const FIELDS: [Field; 4] = [
    Field::text("name").required(),
    Field::new("permission_grants", FieldType::Anything),
    Field::flag("metadata_only"),
    Field::flag("webhooks_only"),
];

fn made_up(prefix: &str, id: i64) -> String {
    format!("{prefix}_FAKE_{id:x}")
}

fn masked(token: &str) -> String {
    format!("{}****", &token[..token.len().min(10)])
}

fn token_doc(id: i64, account_id: i64, user_id: Option<i64>, kind: i64, token: &str, call: &Call) -> Doc {
    as_doc(json!({
        "id": id,
        "account_id": account_id,
        "user_id": user_id,
        "uid": format!("tok_{id:x}"),
        "type": kind,
        "state": 1,
        "token": token,
        "token_string": masked(token),
        "permission_grants": [],
        "metadata_only": false,
        "webhooks_only": false,
        "last_used": null,
        "last_identify": null,
        "expires_at": null,
        "user": null,
        "semantic_layer_credentials": [],
        "service_token_permissions": [],
        "created_at": stamp::zulu(call.now),
        "updated_at": stamp::zulu(call.now),
    }))
}

fn masked_token(_: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.put("token", doc.value("token_string"));
    Value::Object(shown)
}

fn slim(doc: &Doc) -> Value {
    const NAMES: [&str; 12] = [
        "id",
        "created_at",
        "updated_at",
        "account_id",
        "uid",
        "name",
        "state",
        "permission_grants",
        "last_used",
        "semantic_layer_credentials",
        "metadata_only",
        "webhooks_only",
    ];
    Value::Object(
        NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), doc.get(*name)?.clone())))
            .collect(),
    )
}

fn create_service_token(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let account = world.account(call)?;
    let id = account.ids.next();
    let token = made_up("dbtc", id);
    let mut doc = token_doc(id, account.id, None, 2, &token, call);
    doc.extend(fields);
    account.audit(Kind::ServiceTokens, "added", &doc, call);
    account.put(Kind::ServiceTokens, doc.clone());
    let caller = Caller {
        accounts: vec![account.id],
        user_id: None,
        service_token_id: Some(id),
    };
    world.tokens.insert(token, caller);
    Ok(reply::error_code_envelope(Value::Object(doc)))
}

fn rename_service_token(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let id = call.id("id")?;
    let account = world.account(call)?;
    let doc = account.find_mut(Kind::ServiceTokens, id)?;
    doc.extend(fields);
    doc.put("updated_at", stamp::zulu(call.now));
    Ok(reply::error_code_envelope(slim(doc)))
}

/// Deletes the row and revokes the token.
fn delete(world: &mut World, kind: Kind, call: &Call) -> Answer {
    let id = call.id("id")?;
    let account = world.account(call)?;
    account.find(kind, id)?;
    let doc = account.remove(kind, id).unwrap_or_default();
    account.audit(kind, "removed", &doc, call);
    world.tokens.remove(doc.text("token"));
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}

fn list_permissions(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let token_id = call.id("service_token_id")?;
    let doc = account.find(Kind::ServiceTokens, token_id)?;
    let data = doc.items("permission_grants").iter().zip(1..).map(|(grant, index)| {
        json!({
            "id": token_id * 100 + index,
            "account_id": account.id,
            "service_token_id": token_id,
            "project_id": grant.get("project_id"),
            "all_projects": grant.get("project_id").is_none_or(Value::is_null),
            "permission_set": grant.get("permission_set"),
            "state": 1,
            "writable_environment_categories": grant.get("writable_environment_categories").cloned().unwrap_or_else(|| json!([])),
            "created_at": doc.get("created_at"),
            "updated_at": doc.get("updated_at"),
        })
    });
    Ok(Reply::List(Page::whole(
        data.collect(),
        json!({ "account_id": account.id, "service_token_id": token_id }),
    )))
}

fn create_personal(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS[..1], true, call)?;
    let account = world.account(call)?;
    let user_id = call.id("user_id")?;
    account.find(Kind::Users, user_id)?;
    let id = account.ids.next();
    let token = made_up("dbtu", id);
    let mut doc = token_doc(id, account.id, Some(user_id), 1, &token, call);
    doc.extend(fields);
    doc.put("user", account.referenced(&doc, Kind::Users, "user_id"));
    account.audit(Kind::PersonalTokens, "added", &doc, call);
    account.put(Kind::PersonalTokens, doc.clone());
    let caller = Caller {
        accounts: vec![account.id],
        user_id: Some(user_id),
        service_token_id: None,
    };
    world.tokens.insert(token, caller);
    Ok(reply::error_code_envelope(Value::Object(doc)))
}

/// Replaces the token of a row and revokes the old one.
fn rotate_personal(world: &mut World, call: &Call) -> Answer {
    let id = call.id("id")?;
    let account = world.account(call)?;
    let fresh = made_up("dbtu", account.ids.next());
    let doc = account.find_mut(Kind::PersonalTokens, id)?;
    let old = doc.insert("token".to_owned(), json!(fresh));
    doc.put("token_string", masked(&fresh));
    doc.put("updated_at", stamp::zulu(call.now));
    let answer = reply::error_code_envelope(Value::Object(doc.clone()));
    let caller = old
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|old| world.tokens.remove(old));
    world.tokens.insert(fresh, caller.ok_or_else(Refusal::not_found)?);
    Ok(answer)
}
