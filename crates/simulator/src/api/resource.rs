//! What all configuration objects have in common: listing, creating, reading, updating, deleting. A resource says what
//! is its own; handlers of the usual verbs stand here once.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::{Field, accept};
use crate::call::Call;
use crate::listing::{ACTIVE, Listing, select};
use crate::reply::{self, Answer, Refusal, Reply};
use crate::stamp;
use crate::switches::DeleteAnswer;
use crate::world::{Account, Doc, Kind, World};

/// The usual verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Create,
    Get,
    /// Keeps what the body does not name.
    Update,
    Delete,
}

/// Which envelope a resource comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Classic,
    /// The one with `error_code`.
    ErrorCode,
}

/// The object that a resource belongs to besides its account.
#[derive(Clone, Copy)]
pub(crate) struct Parent {
    /// Path parameter, and the field that holds it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// The project in the path.
pub(crate) const IN_PROJECT: Parent = Parent {
    name: "project_id",
    kind: Kind::Projects,
};

/// What a new row is made from.
pub(crate) struct New<'a> {
    pub(crate) id: i64,
    pub(crate) account_id: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) call: &'a Call,
}

/// One kind of configuration object.
#[derive(Clone, Copy)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) listing: Listing,
    pub(crate) parent: Option<Parent>,
    pub(crate) fields: &'static [Field],
    /// A row with every field at its default.
    pub(crate) blank: fn(&New<'_>) -> Doc,
    /// As it is shown.
    pub(crate) render: fn(&Account, &Doc, &Call) -> Value,
    /// What `include_related` may name; nothing when it is not looked at.
    pub(crate) related: &'static [&'static str],
    /// Last changes before a row is stored; `old` is what it replaces.
    pub(crate) prepare: fn(&mut Account, &mut Doc, Option<&Doc>, &Call) -> Result<(), Refusal>,
    /// How its times are spelled.
    pub(crate) time: fn(DateTime<Utc>) -> String,
    /// Whether it has a `state`, and so is deleted by state 2.
    pub(crate) has_state: bool,
}

impl Resource {
    /// A resource of the account with nothing special.
    pub(crate) const fn plain(kind: Kind, fields: &'static [Field], blank: fn(&New<'_>) -> Doc) -> Self {
        Self {
            kind,
            shape: Shape::Classic,
            listing: ACTIVE,
            parent: None,
            fields,
            blank,
            render: as_stored,
            related: &[],
            prepare: unchanged,
            time: stamp::spaced,
            has_state: true,
        }
    }
}

/// The row itself.
pub(crate) fn as_stored(_: &Account, doc: &Doc, _: &Call) -> Value {
    Value::Object(doc.clone())
}

#[expect(clippy::unnecessary_wraps, reason = "stands where others may refuse")]
fn unchanged(_: &mut Account, _: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    Ok(())
}

/// Carries out a verb.
pub(crate) fn perform(verb: Verb, resource: &Resource, world: &mut World, call: &Call) -> Answer {
    let account = world.account(call)?;
    if !resource.related.is_empty() {
        call.query.related(resource.related, &call.switches)?;
    }
    let parent = match resource.parent {
        Some(parent) => {
            let id = call.id(parent.name)?;
            account.find(parent.kind, id)?;
            Some(id)
        }
        None => None,
    };
    match verb {
        Verb::List => list(resource, account, parent, call),
        Verb::Create => create(resource, account, parent, call),
        Verb::Get => {
            let doc = find(resource, account, parent, call)?;
            Ok(one(resource, (resource.render)(account, doc, call)))
        }
        Verb::Update => update(resource, account, parent, call),
        Verb::Delete => delete(resource, account, parent, call),
    }
}

fn one(resource: &Resource, data: Value) -> Reply {
    match resource.shape {
        Shape::Classic => Reply::One(data),
        Shape::ErrorCode => reply::error_code_envelope(data),
    }
}

fn belongs(resource: &Resource, doc: &Doc, parent: Option<i64>) -> bool {
    match (resource.parent, parent) {
        (Some(Parent { name, .. }), Some(id)) => doc.get(name) == Some(&json!(id)),
        _ => true,
    }
}

fn list(resource: &Resource, account: &Account, parent: Option<i64>, call: &Call) -> Answer {
    let rows = account.rows(resource.kind).filter(|doc| belongs(resource, doc, parent));
    let listing = Listing {
        default_state: resource.listing.default_state.filter(|_| resource.has_state),
        ..resource.listing
    };
    let page = select(rows, account.id, &call.query, &listing, &call.switches)?;
    let page = page.page(|doc| (resource.render)(account, doc, call));
    Ok(match resource.shape {
        Shape::Classic => Reply::List(page),
        Shape::ErrorCode => reply::error_code_page(&page),
    })
}

/// The row that the last parameter of the path names.
fn find<'a>(resource: &Resource, account: &'a Account, parent: Option<i64>, call: &Call) -> Result<&'a Doc, Refusal> {
    let doc = account.find(resource.kind, last_id(call)?)?;
    if belongs(resource, doc, parent) {
        Ok(doc)
    } else {
        Err(Refusal::not_found())
    }
}

fn last_id(call: &Call) -> Result<i64, Refusal> {
    let name = call.params.last().map_or("", |(name, _)| name);
    call.id(name)
}

fn create(resource: &Resource, account: &mut Account, parent: Option<i64>, call: &Call) -> Answer {
    let accepted = accept(&call.object()?, resource.fields, true, call)?;
    let new = New {
        id: account.ids.next(),
        account_id: account.id,
        parent,
        call,
    };
    let mut doc = (resource.blank)(&new);
    doc.extend(accepted);
    if let (Some(Parent { name, .. }), Some(id)) = (resource.parent, parent) {
        doc.insert(name.to_owned(), json!(id));
    }
    let now = (resource.time)(call.now);
    doc.insert("created_at".to_owned(), json!(now));
    store(resource, account, doc, None, call)
}

fn update(resource: &Resource, account: &mut Account, parent: Option<i64>, call: &Call) -> Answer {
    let accepted = accept(&call.object()?, resource.fields, false, call)?;
    let old = find(resource, account, parent, call)?.clone();
    let mut doc = old.clone();
    doc.extend(accepted);
    store(resource, account, doc, Some(&old), call)
}

fn store(resource: &Resource, account: &mut Account, mut doc: Doc, old: Option<&Doc>, call: &Call) -> Answer {
    doc.insert("updated_at".to_owned(), json!((resource.time)(call.now)));
    (resource.prepare)(account, &mut doc, old, call)?;
    let shown = (resource.render)(account, &doc, call);
    let verb = if old.is_some() { "updated" } else { "added" };
    account.audit(resource.kind, verb, &doc, call);
    account.put(resource.kind, doc);
    Ok(one(resource, shown))
}

fn delete(resource: &Resource, account: &mut Account, parent: Option<i64>, call: &Call) -> Answer {
    let mut doc = find(resource, account, parent, call)?.clone();
    let id = last_id(call)?;
    account.audit(resource.kind, "removed", &doc, call);
    if resource.has_state {
        doc.insert("state".to_owned(), json!(2));
        doc.insert("updated_at".to_owned(), json!((resource.time)(call.now)));
        account.put(resource.kind, doc.clone());
    } else {
        account.remove(resource.kind, id);
    }
    Ok(deleted(resource, Value::Object(doc), call))
}

fn deleted(resource: &Resource, doc: Value, call: &Call) -> Reply {
    match call.switches.delete_answer {
        DeleteAnswer::NoContent => Reply::Empty(StatusCode::NO_CONTENT),
        DeleteAnswer::Body => one(resource, doc),
    }
}
