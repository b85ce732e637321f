//! Webhook subscriptions, their events and receipts. In their envelope `status` is only a code.

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fields::{Field, FieldType, accept};
use super::route::Route;
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::listing::{Listing, window};
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::runs::EventKind;
use crate::stamp;
use crate::webhooks::{Event, Hooks, Receipt, Subscription, micros, post};
use crate::world::World;

const WEBHOOKS: &str = "/api/v3/accounts/{account_id}/webhooks";
const SUBSCRIPTION: &str = "/api/v3/accounts/{account_id}/webhooks/subscription/{subscription_id}";

pub(crate) fn routes() -> Vec<Route> {
    let subscriptions = format!("{WEBHOOKS}/subscriptions");
    let event = format!("{WEBHOOKS}/event/{{event_id}}");
    vec![
        Route::get(&subscriptions, list),
        Route::post(&subscriptions, create),
        Route::get(SUBSCRIPTION, get),
        Route::put(SUBSCRIPTION, update),
        Route::delete(SUBSCRIPTION, delete),
        Route::get(&format!("{SUBSCRIPTION}/test"), test),
        Route::get(&format!("{SUBSCRIPTION}/events"), list_events),
        Route::get(&format!("{SUBSCRIPTION}/event/{{event_id}}/receipt"), receipts_of_event),
        Route::get(&event, get_event),
        Route::get(&format!("{event}/receipts"), receipts_of_event),
        Route::get(&format!("{WEBHOOKS}/receipt/{{receipt_id}}"), get_receipt),
    ]
}

const FIELDS: [Field; 6] = [
    Field::text("name").required(),
    Field::text("description"),
    Field::new("event_types", FieldType::Texts).required(),
    Field::text("client_url").required(),
    Field::flag("active").required(),
    // Numbers in the specification, texts in dbt's samples; both are accepted.
    Field::new("job_ids", FieldType::Anything),
];

const LISTING: Listing = Listing {
    default_limit: 10,
    ..Listing::all(&[])
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

/// One page of a list, with the `extra` of webhooks.
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

/// The event types and jobs of a body.
fn events_and_jobs(fields: &Doc, call: &Call) -> Result<(Vec<String>, Vec<i64>), Refusal> {
    let types = fields.items("event_types").iter().filter_map(Value::as_str);
    let types: Vec<String> = types.map(ToOwned::to_owned).collect();
    if let Some(unknown) = types
        .iter()
        .find(|name| !EventKind::ALL.iter().any(|kind| kind.name() == *name))
    {
        return Err(call.invalid(json!({ "event_types": format!("\"{unknown}\" is not a valid choice.") })));
    }
    let jobs = fields.items("job_ids").iter();
    let jobs = jobs
        .map(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()))
        .collect::<Option<Vec<_>>>();
    Ok((
        types,
        jobs.ok_or_else(|| call.invalid(json!({ "job_ids": "Expected a list of integers." })))?,
    ))
}

/// Only this answer contains the secret.
fn create(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let (event_types, job_ids) = events_and_jobs(&fields, call)?;
    let account = world.account(call)?;
    let number = account.ids.next();
    let subscription = Subscription {
        id: format!("wsu_{number:x}"),
        name: fields.text("name").to_owned(),
        description: fields.text("description").to_owned(),
        event_types,
        job_ids,
        client_url: fields.text("client_url").to_owned(),
        active: fields.flag("active") == Some(true),
        secret: hex::encode(Sha256::digest(number.to_be_bytes())),
        created_at: call.now,
        last_status: String::new(),
        last_dispatch: String::new(),
        deactivate_reason: String::new(),
        failed_in_a_row: 0,
    };
    let mut data = shown(&subscription, call, account.id);
    data["hmac_secret"] = json!(subscription.secret);
    let id = subscription.id.clone();
    account.hooks.subscriptions.insert(id, subscription);
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

/// A new address reactivates an inactive subscription.
fn update(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let (event_types, job_ids) = events_and_jobs(&fields, call)?;
    let account = world.account(call)?;
    let id = account.id;
    let subscription = find(&mut account.hooks, call)?;
    let url = fields.text("client_url").to_owned();
    let revived = !subscription.active && url != subscription.client_url;
    subscription.active = revived || fields.flag("active") == Some(true);
    if subscription.active {
        subscription.failed_in_a_row = 0;
        subscription.deactivate_reason.clear();
    }
    subscription.client_url = url;
    subscription.event_types = event_types;
    subscription.job_ids = job_ids;
    fields.text("name").clone_into(&mut subscription.name);
    fields.text("description").clone_into(&mut subscription.description);
    Ok(answer(StatusCode::OK, shown(subscription, call, id)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let deleted = account
        .hooks
        .subscriptions
        .remove(call.param("subscription_id"))
        .ok_or_else(Refusal::not_found)?;
    let status = json!({ "code": 200, "is_success": true });
    Ok(Reply::Bare(
        StatusCode::OK,
        json!({ "data": { "id": deleted.id }, "status": status }),
    ))
}

/// Sends a test event to the client's address and answers with the result.
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
        "timestamp": stamp::zulu(call.now),
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
    page(call, events.map(Event::to_json).collect())
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
        receipts.map(Receipt::to_json).collect::<Value>(),
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
