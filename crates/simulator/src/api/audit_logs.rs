//! Audit logs: every change made through the API is in them.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::call::Call;
use crate::listing::window;
use crate::listing::{ACTIVE, Listing};
use crate::reply::{Answer, Page, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, World};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/v3/accounts/{account_id}/audit-logs/", list),
    Route::get("/api/v3/accounts/{account_id}/audit-logs/download/", download),
    Route::get("/api/v3/accounts/{account_id}/audit-logs/export/", export_status),
    Route::post("/api/v3/accounts/{account_id}/audit-logs/export/", start_export),
    Route::get(
        "/api/v3/accounts/{account_id}/audit-logs/export/{job_identifier}/download/",
        download_export,
    ),
];

/// Newest first; the bounds are days that two clients send, though no specification lists them.
fn chosen<'a>(account: &'a Account, call: &Call) -> Vec<&'a Doc> {
    let bound = |name: &str| call.query.get(name).and_then(stamp::parse);
    let (from, to) = (
        bound("logged_at_start"),
        bound("logged_at_end").map(|day| day + TimeDelta::days(1)),
    );
    let at = |doc: &Doc| doc.get("created_at").and_then(Value::as_str).and_then(stamp::parse);
    let fits = |doc: &&Doc| at(doc).is_some_and(|at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to));
    account.audit_log.iter().rev().filter(fits).collect()
}

fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let chosen = chosen(account, call);
    let (limit, offset) = window(&call.query, &Listing { filters: &[], ..ACTIVE }, &call.switches)?;
    let data = chosen
        .iter()
        .skip(offset)
        .take(limit)
        .map(|doc| Value::Object((*doc).clone()))
        .collect();
    let filters = json!({ "account_id": account.id, "limit": limit, "offset": offset });
    Ok(Reply::List(Page {
        data,
        filters,
        order_by: json!("-created_at"),
        total: chosen.len(),
    }))
}

fn download(world: &mut World, call: &Call) -> Answer {
    const COLUMNS: [&str; 6] = ["id", "created_at", "event_type", "event_label", "source", "service"];
    let account = world.account(call)?;
    let mut csv = COLUMNS.join(",") + "\r\n";
    for doc in chosen(account, call) {
        let cells = COLUMNS.map(|name| doc.get(name).and_then(Value::as_str).unwrap_or_default());
        csv.push_str(&cells.join(","));
        csv.push_str("\r\n");
    }
    Ok(Reply::Text("text/csv", csv))
}

fn export_status(world: &mut World, call: &Call) -> Answer {
    world.account(call)?;
    Ok(Reply::One(json!({ "is_running": false })))
}

fn start_export(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    Ok(Reply::One(
        json!({ "job_id": format!("export-{}", account.ids.next()) }),
    ))
}

fn download_export(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    if !call.param("job_identifier").starts_with("export-") {
        return Err(Refusal::not_found());
    }
    let url = format!("{}/api/v3/accounts/{}/audit-logs/download/", call.origin, account.id);
    Ok(Reply::One(json!({ "download_url": url })))
}
