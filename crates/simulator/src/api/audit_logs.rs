//! Audit logs, with every change made through the API.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::route::Route;
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::listing::{Listing, Page, window};
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::stamp;
use crate::world::{Account, World};

pub(crate) fn routes() -> Vec<Route> {
    let below = |path: &str| format!("/api/v3/accounts/{{account_id}}/audit-logs/{path}");
    vec![
        Route::get(&below(""), list),
        Route::get(&below("download/"), download),
        Route::get(&below("export/"), export_status),
        Route::post(&below("export/"), start_export),
        Route::get(&below("export/{job_identifier}/download/"), download_export),
    ]
}

/// The entries between two days, newest first. The days are not in the specification, but two clients send them.
fn chosen<'a>(account: &'a Account, call: &Call) -> Vec<&'a Doc> {
    let bound = |name: &str| call.query.get(name).and_then(stamp::parse);
    let (from, to) = (
        bound("logged_at_start"),
        bound("logged_at_end").map(|day| day + TimeDelta::days(1)),
    );
    let at = |doc: &Doc| stamp::parse(doc.text("created_at"));
    let fits = |doc: &&Doc| at(doc).is_some_and(|at| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to));
    account.audit_log.iter().rev().filter(fits).collect()
}

fn list(world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    let chosen = chosen(account, call);
    let (limit, offset) = window(&call.query, &Listing::all(&[]), &call.switches)?;
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
        let cells = COLUMNS.map(|name| doc.text(name));
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
