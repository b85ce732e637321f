//! Notifications about the end of a job's runs: stored, not sent.

use serde_json::{Value, json};

use super::fields::{Field, FieldType};
use super::resource::{ALL_VERBS, Resource};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::listing::Listing;
use crate::reply::{Answer, Reply};
use crate::world::{Account, Kind, World};

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = resource_routes(
        "/api/v2/accounts/{account_id}/notifications/",
        &NOTIFICATIONS,
        &ALL_VERBS,
    );
    routes.push(Route::post("/api/v2/notifications/unsubscribe/", unsubscribe));
    routes
}

static NOTIFICATIONS: Resource = Resource {
    listing: Listing::active(&["pk", "state", "type", "user_id", "external_email", "slack_channel_id"]),
    render: with_user,
    ..Resource::plain(
        Kind::Notifications,
        &[
            Field::int("user_id").required(),
            Field::int("type").required(),
            Field::text("external_email"),
            Field::text("slack_channel_id"),
            Field::text("slack_channel_name"),
            Field::new("on_cancel", FieldType::Ints),
            Field::new("on_failure", FieldType::Ints),
            Field::new("on_success", FieldType::Ints),
            Field::new("on_warning", FieldType::Ints),
            Field::int("state"),
        ],
        |_| {
            json!({
                "external_email": null,
                "slack_channel_id": null,
                "slack_channel_name": null,
                "on_cancel": [],
                "on_failure": [],
                "on_success": [],
                "on_warning": [],
            })
        },
    )
};

fn with_user(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.put("user", account.referenced(doc, Kind::Users, "user_id"));
    Value::Object(shown)
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a handler")]
fn unsubscribe(_: &mut World, _: &Call) -> Answer {
    Ok(Reply::Empty(http::StatusCode::OK))
}
