//! Service tokens and personal tokens. A token made here opens the account at once; it is shown only when it is made.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds, accept};
use crate::call::{Call, Caller};
use crate::listing::{ACTIVE, Listing, select};
use crate::reply::{self, Answer, Page, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Doc, Kind, World};

const LIST: &str = "/api/v3/accounts/{account_id}/service-tokens/";
const ONE: &str = "/api/v3/accounts/{account_id}/service-tokens/{id}/";
const PERSONAL: &str = "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/";
const PERSONAL_ONE: &str = "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::get(LIST, list_service_tokens),
    Route::post(LIST, create_service_token),
    Route::get(ONE, get_service_token),
    Route::put(ONE, rename_service_token),
    // The specification has PUT, one client still sends POST.
    Route::post(ONE, rename_service_token),
    Route::delete(ONE, delete_service_token),
    Route::get(
        "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions/",
        list_permissions,
    ),
    Route::get(PERSONAL, list_personal),
    Route::post(PERSONAL, create_personal),
    Route::get(PERSONAL_ONE, get_personal),
    Route::post(PERSONAL_ONE, rotate_personal),
    Route::delete(PERSONAL_ONE, delete_personal),
];

const FIELDS: [Field; 4] = [
    Field::text("name").required(),
    Field::new("permission_grants", Holds::Anything),
    Field::flag("metadata_only"),
    Field::flag("webhooks_only"),
];

const LISTING: Listing = Listing {
    filters: &["pk", "state"],
    ..ACTIVE
};

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

/// As it is read back: the token itself never leaves again.
fn shown(doc: &Doc) -> Value {
    let mut shown = doc.clone();
    let mask = doc.get("token_string").cloned().unwrap_or(Value::Null);
    shown.insert("token".to_owned(), mask);
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

fn list_service_tokens(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let rows = select(
        account.rows(Kind::ServiceTokens),
        account.id,
        &call.query,
        &LISTING,
        &call.switches,
    )?;
    Ok(reply::error_code_page(&rows.page(slim)))
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
    let accounts = vec![account.id];
    world.tokens.insert(
        token,
        Caller {
            accounts,
            user_id: None,
            service_token_id: Some(id),
        },
    );
    Ok(reply::error_code_envelope(Value::Object(doc)))
}

fn get_service_token(world: &mut World, call: &Call) -> Answer {
    let doc = world.account(call)?.find(Kind::ServiceTokens, call.id("id")?)?;
    Ok(reply::error_code_envelope(slim(doc)))
}

fn rename_service_token(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let id = call.id("id")?;
    let account = world.account(call)?;
    let doc = account.find_mut(Kind::ServiceTokens, id)?;
    doc.extend(fields);
    doc.insert("updated_at".to_owned(), json!(stamp::zulu(call.now)));
    Ok(reply::error_code_envelope(slim(doc)))
}

fn delete_service_token(world: &mut World, call: &Call) -> Answer {
    delete(world, Kind::ServiceTokens, call)
}

/// Deletes the row and shuts the token out.
fn delete(world: &mut World, kind: Kind, call: &Call) -> Answer {
    let id = call.id("id")?;
    let account = world.account(call)?;
    account.find(kind, id)?;
    let doc = account.remove(kind, id).unwrap_or_default();
    account.audit(kind, "removed", &doc, call);
    if let Some(token) = doc.get("token").and_then(Value::as_str) {
        world.tokens.remove(token);
    }
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}

fn list_permissions(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let token_id = call.id("service_token_id")?;
    let doc = account.find(Kind::ServiceTokens, token_id)?;
    let grants = doc
        .get("permission_grants")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let data = grants.iter().zip(1..).map(|(grant, index)| {
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

fn list_personal(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let user_id = call.id("user_id")?;
    account.find(Kind::Users, user_id)?;
    let rows = account
        .rows(Kind::PersonalTokens)
        .filter(|row| row.get("user_id") == Some(&json!(user_id)));
    Ok(Reply::List(
        select(rows, account.id, &call.query, &LISTING, &call.switches)?.page(shown),
    ))
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
    doc.insert("user".to_owned(), account.pointed(&doc, Kind::Users, "user_id"));
    account.audit(Kind::PersonalTokens, "added", &doc, call);
    account.put(Kind::PersonalTokens, doc.clone());
    let accounts = vec![account.id];
    world.tokens.insert(
        token,
        Caller {
            accounts,
            user_id: Some(user_id),
            service_token_id: None,
        },
    );
    Ok(reply::error_code_envelope(Value::Object(doc)))
}

fn get_personal(world: &mut World, call: &Call) -> Answer {
    Ok(Reply::One(shown(
        world.account(call)?.find(Kind::PersonalTokens, call.id("id")?)?,
    )))
}

/// The old token stops working, the row gets a new one.
fn rotate_personal(world: &mut World, call: &Call) -> Answer {
    let id = call.id("id")?;
    let account = world.account(call)?;
    let fresh = made_up("dbtu", account.ids.next());
    let doc = account.find_mut(Kind::PersonalTokens, id)?;
    let old = doc.insert("token".to_owned(), json!(fresh));
    doc.insert("token_string".to_owned(), json!(masked(&fresh)));
    doc.insert("updated_at".to_owned(), json!(stamp::zulu(call.now)));
    let answer = reply::error_code_envelope(Value::Object(doc.clone()));
    let caller = old
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|old| world.tokens.remove(old));
    world.tokens.insert(fresh, caller.ok_or_else(Refusal::not_found)?);
    Ok(answer)
}

fn delete_personal(world: &mut World, call: &Call) -> Answer {
    delete(world, Kind::PersonalTokens, call)
}
