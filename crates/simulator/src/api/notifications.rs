//! Who is told about the end of a job's runs.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, Holds};
use super::resource::{New, Resource, Verb};
use crate::call::Call;
use crate::listing::Listing;
use crate::reply::{Answer, Reply};
use crate::routing::Route;
use crate::world::{Account, Doc, Kind, World};

const LIST: &str = "/api/v2/accounts/{account_id}/notifications/";
const ONE: &str = "/api/v2/accounts/{account_id}/notifications/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::usual("GET", LIST, Verb::List, &NOTIFICATIONS),
    Route::usual("POST", LIST, Verb::Create, &NOTIFICATIONS),
    Route::usual("GET", ONE, Verb::Get, &NOTIFICATIONS),
    Route::usual("POST", ONE, Verb::Update, &NOTIFICATIONS),
    Route::usual("DELETE", ONE, Verb::Delete, &NOTIFICATIONS),
    Route::post("/api/v2/notifications/unsubscribe/", unsubscribe),
];

static NOTIFICATIONS: Resource = Resource {
    listing: Listing {
        filters: &["pk", "state", "type", "user_id", "external_email", "slack_channel_id"],
        default_state: Some(1),
        default_limit: 100,
    },
    render: with_user,
    ..Resource::plain(
        Kind::Notifications,
        &[
            Field::int("user_id").required(),
            Field::int("type").required(),
            Field::text("external_email"),
            Field::text("slack_channel_id"),
            Field::text("slack_channel_name"),
            Field::new("on_cancel", Holds::Ints),
            Field::new("on_failure", Holds::Ints),
            Field::new("on_success", Holds::Ints),
            Field::new("on_warning", Holds::Ints),
            Field::int("state"),
        ],
        |new: &New<'_>| {
            as_doc(json!({
                "id": new.id,
                "account_id": new.account_id,
                "external_email": null,
                "slack_channel_id": null,
                "slack_channel_name": null,
                "on_cancel": [],
                "on_failure": [],
                "on_success": [],
                "on_warning": [],
                "state": 1,
            }))
        },
    )
};

fn with_user(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.insert("user".to_owned(), account.pointed(doc, Kind::Users, "user_id"));
    Value::Object(shown)
}

#[expect(clippy::unnecessary_wraps, reason = "a handler like the others")]
fn unsubscribe(_: &mut World, _: &Call) -> Answer {
    Ok(Reply::Empty(http::StatusCode::OK))
}
