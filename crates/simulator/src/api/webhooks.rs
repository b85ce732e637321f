//! Webhook subscriptions and their logs. The envelope is one of its own: `status` holds a code alone.

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fields::{Field, Holds, accept};
use crate::call::Call;
use crate::listing::{ACTIVE, Listing, window};
use crate::reply::{Answer, Refusal, Reply};
use crate::routing::Route;
use crate::webhooks::{EventKind, Hooks, Subscription, micros, post};
use crate::world::{Doc, World};

const LIST: &str = "/api/v3/accounts/{account_id}/webhooks/subscriptions";
const ONE: &str = "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}";

pub(crate) const ROUTES: &[Route] = &[
    Route::get(LIST, list),
    Route::post(LIST, create),
    Route::get(ONE, get),
    Route::put(ONE, update),
    Route::delete(ONE, delete),
    Route::get(
        "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/test",
        test,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/events",
        list_events,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}/event/{event_id}/receipt",
        receipts_of_event,
    ),
    Route::get("/api/v3/accounts/{account_id}/webhooks/event/{event_id}", get_event),
    Route::get(
        "/api/v3/accounts/{account_id}/webhooks/event/{event_id}/receipts",
        receipts_of_event,
    ),
    Route::get(
        "/api/v3/accounts/{account_id}/webhooks/receipt/{receipt_id}",
        get_receipt,
    ),
];

const KINDS: [EventKind; 3] = [EventKind::Started, EventKind::Completed, EventKind::Errored];

const FIELDS: [Field; 6] = [
    Field::text("name").required(),
    Field::text("description"),
    Field::new("event_types", Holds::Texts).required(),
    Field::text("client_url").required(),
    Field::flag("active").required(),
    // Numbers by the specification, texts in the samples: both are taken.
    Field::new("job_ids", Holds::Anything),
];

/// Lists are ten long unless asked otherwise.
const LISTING: Listing = Listing {
    default_limit: 10,
    ..ACTIVE
};

fn answer(status: StatusCode, data: impl Into<Value>) -> Reply {
    let data = data.into();
    Reply::Bare(status, json!({ "data": data, "status": { "code": status.as_u16() } }))
}

fn shown(subscription: &Subscription, call: &Call, account_id: i64) -> Value {
    let as_text = call.switches.webhook_ids_as_strings;
    let id = |id: i64| if as_text { json!(id.to_string()) } else { json!(id) };
    json!({
        "id": subscription.id,
        "name": subscription.name,
        "description": subscription.description,
        "event_types": subscription.event_types,
        "job_ids": subscription.job_ids.iter().map(|job| id(*job)).collect::<Vec<_>>(),
        "client_url": subscription.client_url,
        "active": subscription.active,
        "created_at": micros(subscription.created_at),
        "http_status_code": subscription.last_status,
        "dispatched_at": subscription.last_dispatch,
        "deactivate_reason": subscription.deactivate_reason,
        "account_id": id(account_id),
        "account_identifier": format!("act_{account_id}"),
    })
}

/// One page of a log, with the `extra` that webhooks have.
fn page(call: &Call, all: Vec<Value>) -> Answer {
    let (limit, offset) = window(&call.query, &LISTING, &call.switches)?;
    let total = all.len();
    let data: Vec<Value> = all.into_iter().skip(offset).take(limit).collect();
    let pagination = json!({ "total_count": total, "count": data.len() });
    let extra = json!({ "pagination": pagination, "filters": { "offset": offset, "limit": limit } });
    Ok(Reply::Bare(
        StatusCode::OK,
        json!({ "data": data, "status": { "code": 200 }, "extra": extra }),
    ))
}

fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let all = account
        .hooks
        .subscriptions
        .values()
        .map(|subscription| shown(subscription, call, account.id));
    page(call, all.collect())
}

fn text(fields: &Doc, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(ToOwned::to_owned)
}

/// What a body says of events and jobs, checked.
fn wanted(fields: &Doc, call: &Call) -> Result<(Vec<String>, Vec<i64>), Refusal> {
    let texts = |name: &str| fields.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let kinds: Vec<String> = texts("event_types")
        .iter()
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect();
    if let Some(strange) = kinds.iter().find(|name| !KINDS.iter().any(|kind| kind.name() == *name)) {
        return Err(call.invalid(json!({ "event_types": format!("\"{strange}\" is not a valid choice.") })));
    }
    let jobs = texts("job_ids")
        .iter()
        .map(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()))
        .collect::<Option<Vec<_>>>();
    Ok((
        kinds,
        jobs.ok_or_else(|| call.invalid(json!({ "job_ids": "Expected a list of integers." })))?,
    ))
}

/// The secret is in this answer and in no other.
fn create(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let (event_types, job_ids) = wanted(&fields, call)?;
    let account = world.account(call)?;
    let number = account.ids.next();
    let subscription = Subscription {
        id: format!("wsu_{number:x}"),
        name: text(&fields, "name").unwrap_or_default(),
        description: text(&fields, "description").unwrap_or_default(),
        event_types,
        job_ids,
        client_url: text(&fields, "client_url").unwrap_or_default(),
        active: fields.get("active") == Some(&json!(true)),
        secret: hex::encode(Sha256::digest(number.to_be_bytes())),
        created_at: call.now,
        last_status: String::new(),
        last_dispatch: String::new(),
        deactivate_reason: String::new(),
        failed_in_a_row: 0,
    };
    let mut data = shown(&subscription, call, account.id);
    data["hmac_secret"] = json!(subscription.secret);
    account
        .hooks
        .subscriptions
        .insert(subscription.id.clone(), subscription);
    Ok(answer(StatusCode::CREATED, data))
}

fn find<'a>(hooks: &'a mut Hooks, call: &Call) -> Result<&'a mut Subscription, Refusal> {
    hooks
        .subscriptions
        .get_mut(call.param("subscription_id"))
        .ok_or_else(Refusal::not_found)
}

fn get(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let id = account.id;
    Ok(answer(StatusCode::OK, shown(find(&mut account.hooks, call)?, call, id)))
}

/// Another address makes an inactive subscription active again.
fn update(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let (event_types, job_ids) = wanted(&fields, call)?;
    let account = world.account(call)?;
    let id = account.id;
    let subscription = find(&mut account.hooks, call)?;
    let url = text(&fields, "client_url").unwrap_or_default();
    let revived = !subscription.active && url != subscription.client_url;
    subscription.active = revived || fields.get("active") == Some(&json!(true));
    if subscription.active {
        subscription.failed_in_a_row = 0;
        subscription.deactivate_reason.clear();
    }
    subscription.client_url = url;
    subscription.event_types = event_types;
    subscription.job_ids = job_ids;
    subscription.name = text(&fields, "name").unwrap_or_default();
    subscription.description = text(&fields, "description").unwrap_or_default();
    Ok(answer(StatusCode::OK, shown(subscription, call, id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let gone = account
        .hooks
        .subscriptions
        .remove(call.param("subscription_id"))
        .ok_or_else(Refusal::not_found)?;
    let status = json!({ "code": 200, "is_success": true });
    Ok(Reply::Bare(
        StatusCode::OK,
        json!({ "data": { "id": gone.id }, "status": status }),
    ))
}

/// Calls the client's address at once and says what it answered.
fn test(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let event_id = format!("wev_{:x}", account.ids.next());
    let account_id = account.id;
    let subscription = find(&mut account.hooks, call)?;
    let (url, secret) = (subscription.client_url.clone(), subscription.secret.clone());
    let payload = json!({
        "accountId": account_id,
        "webhooksID": subscription.id,
        "eventId": event_id,
        "timestamp": crate::stamp::zulu(call.now),
        "eventType": "webhook.test",
        "webhookName": subscription.name,
        "data": {},
    });
    let (client, limit) = (call.http.clone(), call.webhook_timeout);
    Ok(Reply::Later(Box::pin(async move {
        let sent = post(&client, &url, &secret, payload.to_string(), limit).await;
        let error = (!sent.error.is_empty()).then_some(sent.error);
        answer(
            StatusCode::OK,
            json!({
                "event_id": event_id,
                "verification_error": error,
                "verification_status_code": sent.status.map(|status| status.to_string()),
            }),
        )
    })))
}

fn list_events(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let id = find(&mut account.hooks, call)?.id.clone();
    let events = account
        .hooks
        .events
        .iter()
        .rev()
        .filter(|event| event.subscription_id == id);
    page(call, events.map(crate::webhooks::Event::to_json).collect())
}

fn get_event(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let event = account
        .hooks
        .events
        .iter()
        .find(|event| event.id == call.param("event_id"));
    Ok(answer(StatusCode::OK, event.ok_or_else(Refusal::not_found)?.to_json()))
}

fn receipts_of_event(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let id = call.param("event_id");
    if !account.hooks.events.iter().any(|event| event.id == id) {
        return Err(Refusal::not_found());
    }
    let receipts = account.hooks.receipts.iter().filter(|receipt| receipt.event_id == id);
    Ok(answer(
        StatusCode::OK,
        receipts.map(crate::webhooks::Receipt::to_json).collect::<Value>(),
    ))
}

fn get_receipt(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let receipt = account
        .hooks
        .receipts
        .iter()
        .find(|receipt| receipt.id == call.param("receipt_id"));
    Ok(answer(
        StatusCode::OK,
        receipt.ok_or_else(Refusal::not_found)?.to_json(),
    ))
}
