//! A user's own credentials for development in a project; the path names no account.

use serde_json::{Value, json};

use super::fields::Field;
use super::resource::{ALL_VERBS, Parent, Resource, Verb, perform};
use super::route::{Route, resource_routes};
use crate::call::Call;
use crate::document::{Doc, Fields as _};
use crate::listing::Page;
use crate::refusal::Refusal;
use crate::reply::{Answer, Reply};
use crate::world::{Account, Kind, World};

const LIST: &str = "/api/v3/users/{user_id}/credentials/";

pub(crate) fn routes() -> Vec<Route> {
    let verbs: Vec<Verb> = ALL_VERBS.into_iter().filter(|verb| *verb != Verb::Get).collect();
    let mut routes = resource_routes(LIST, &USER_CREDENTIALS, &verbs);
    routes.push(Route::get(&format!("{LIST}{{id}}/"), get));
    routes
}

static USER_CREDENTIALS: Resource = Resource {
    account: |world, call| world.account_of_user(&call.caller, call.id("user_id")?),
    parent: Some(Parent {
        name: "user_id",
        kind: Kind::Users,
    }),
    prepare: check,
    render: with_objects,
    ..Resource::plain(
        Kind::UserCredentials,
        &[
            Field::int("account_id"),
            Field::int("project_id").required(),
            Field::int("credentials_id").required(),
            Field::int("state"),
        ],
        |_| json!({}),
    )
};

fn check(account: &mut Account, doc: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    account.check_reference(doc, "project_id", Kind::Projects)?;
    account.check_reference(doc, "credentials_id", Kind::Credentials)
}

fn with_objects(account: &Account, doc: &Doc, _: &Call) -> Value {
    let mut shown = doc.clone();
    shown.put(
        "credentials",
        account.referenced(doc, Kind::Credentials, "credentials_id"),
    );
    shown.put("project", account.referenced(doc, Kind::Projects, "project_id"));
    Value::Object(shown)
}

/// The answer is a list, as in the specification.
fn get(world: &mut World, call: &Call) -> Answer {
    let filters = json!({ "user_id": call.id("user_id")?, "pk": call.id("id")? });
    Ok(match perform(Verb::Get, &USER_CREDENTIALS, world, call)? {
        Reply::One(data) => Reply::List(Page::whole(vec![data], filters)),
        other => other,
    })
}
