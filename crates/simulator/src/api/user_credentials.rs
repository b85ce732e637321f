//! A user's own credentials for development in a project; the path names no account.

use serde_json::{Value, json};

use super::accounts::as_doc;
use super::fields::{Field, accept};
use crate::call::Call;
use crate::reply::{Answer, Page, Refusal, Reply};
use crate::routing::Route;
use crate::stamp;
use crate::world::{Account, Doc, Kind, World};

const LIST: &str = "/api/v3/users/{user_id}/credentials/";
const ONE: &str = "/api/v3/users/{user_id}/credentials/{id}/";

pub(crate) const ROUTES: &[Route] = &[
    Route::get(LIST, list),
    Route::post(LIST, create),
    Route::get(ONE, get),
    Route::post(ONE, update),
    Route::delete(ONE, delete),
];

const FIELDS: [Field; 4] = [
    Field::int("account_id"),
    Field::int("project_id").required(),
    Field::int("credentials_id").required(),
    Field::int("state"),
];

/// The account of the user in the path, among those of the caller.
fn account<'a>(world: &'a mut World, call: &Call) -> Result<(&'a mut Account, i64), Refusal> {
    let user_id = call.id("user_id")?;
    let mut accounts = world
        .accounts
        .values_mut()
        .filter(|account| call.caller.accounts.contains(&account.id));
    let account = accounts.find(|account| account.get(Kind::Users, user_id).is_some());
    Ok((account.ok_or_else(Refusal::not_found)?, user_id))
}

fn shown(account: &Account, doc: &Doc) -> Value {
    let mut shown = doc.clone();
    shown.insert(
        "credentials".to_owned(),
        account.pointed(doc, Kind::Credentials, "credentials_id"),
    );
    shown.insert("project".to_owned(), account.pointed(doc, Kind::Projects, "project_id"));
    Value::Object(shown)
}

fn of_user(account: &Account, user_id: i64) -> Vec<Value> {
    let rows = account.rows(Kind::UserCredentials);
    rows.filter(|row| row.get("user_id") == Some(&json!(user_id)))
        .map(|row| shown(account, row))
        .collect()
}

fn list(world: &mut World, call: &Call) -> Answer {
    let (account, user_id) = account(world, call)?;
    Ok(Reply::List(Page::whole(
        of_user(account, user_id),
        json!({ "user_id": user_id }),
    )))
}

fn create(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, true, call)?;
    let (account, user_id) = account(world, call)?;
    let mut doc = as_doc(json!({
        "id": account.ids.next(),
        "account_id": account.id,
        "user_id": user_id,
        "state": 1,
        "created_at": stamp::spaced(call.now),
        "updated_at": stamp::spaced(call.now),
    }));
    doc.extend(fields);
    account.check_pointer(&doc, "project_id", Kind::Projects)?;
    account.check_pointer(&doc, "credentials_id", Kind::Credentials)?;
    account.audit(Kind::UserCredentials, "added", &doc, call);
    account.put(Kind::UserCredentials, doc.clone());
    Ok(Reply::One(shown(account, &doc)))
}

/// The specification answers a list here, and so do we.
fn get(world: &mut World, call: &Call) -> Answer {
    let (account, user_id) = account(world, call)?;
    let id = call.id("id")?;
    account.find(Kind::UserCredentials, id)?;
    let mut data = of_user(account, user_id);
    data.retain(|row| row.get("id") == Some(&json!(id)));
    Ok(Reply::List(Page::whole(data, json!({ "user_id": user_id, "pk": id }))))
}

fn update(world: &mut World, call: &Call) -> Answer {
    let fields = accept(&call.object()?, &FIELDS, false, call)?;
    let (account, _) = account(world, call)?;
    let doc = account.find_mut(Kind::UserCredentials, call.id("id")?)?;
    doc.extend(fields);
    doc.insert("updated_at".to_owned(), json!(stamp::spaced(call.now)));
    let doc = doc.clone();
    Ok(Reply::One(shown(account, &doc)))
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let (account, _) = account(world, call)?;
    let id = call.id("id")?;
    let doc = account.find(Kind::UserCredentials, id)?.clone();
    account.audit(Kind::UserCredentials, "removed", &doc, call);
    account.remove(Kind::UserCredentials, id);
    Ok(Reply::Empty(http::StatusCode::NO_CONTENT))
}
