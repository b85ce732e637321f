//! The five usual verbs for every kind of configuration object: list, create, get, update, delete. A [`Resource`]
//! describes one kind.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use super::fields::{Field, accept};
use crate::call::Call;
use crate::document::{Doc, Fields as _, as_doc};
use crate::listing::{ACTIVE, Listing, select};
use crate::refusal::Refusal;
use crate::reply::{self, Answer, Reply};
use crate::stamp;
use crate::switches::DeleteAnswer;
use crate::world::{Account, Kind, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    List,
    Create,
    Get,
    /// Keeps the fields that are not in the body. The method is POST, PATCH or PUT, depending on the age of the resource.
    Update(&'static str),
    Delete,
}

/// All verbs, for a resource that is updated by POST.
pub(crate) const ALL_VERBS: [Verb; 5] = [Verb::List, Verb::Create, Verb::Get, Verb::Update("POST"), Verb::Delete];

impl Verb {
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::List | Self::Get => "GET",
            Self::Create => "POST",
            Self::Update(method) => method,
            Self::Delete => "DELETE",
        }
    }
}

/// The envelope of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Classic,
    /// With `error_code`.
    ErrorCode,
}

/// The object, besides the account, that a resource belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Parent {
    /// The path parameter and the field of its id.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// The project in the path.
pub(crate) const IN_PROJECT: Parent = Parent {
    name: "project_id",
    kind: Kind::Projects,
};

/// The ids and the request of a new row.
pub(crate) struct New<'a> {
    pub(crate) id: i64,
    pub(crate) account_id: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) call: &'a Call,
}

#[derive(Clone, Copy)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// The account of a request.
    pub(crate) account: for<'w> fn(&'w mut World, &Call) -> Result<&'w mut Account, Refusal>,
    pub(crate) shape: Shape,
    pub(crate) listing: Listing,
    pub(crate) parent: Option<Parent>,
    pub(crate) fields: &'static [Field],
    /// The fields of a new row; ids, `state` and times are added to them.
    pub(crate) defaults: fn(&New<'_>) -> Value,
    /// The row in an answer.
    pub(crate) render: fn(&Account, &Doc, &Call) -> Value,
    /// The values of `include_related`; not checked when empty.
    pub(crate) related: &'static [&'static str],
    /// Checks and completes a row before it is stored; the third argument is the row that it replaces.
    pub(crate) prepare: fn(&mut Account, &mut Doc, Option<&Doc>, &Call) -> Result<(), Refusal>,
    /// The format of its times.
    pub(crate) time: fn(DateTime<Utc>) -> String,
    /// Whether it has a `state`; deletion then sets it to 2.
    pub(crate) has_state: bool,
}

impl Resource {
    /// A resource of the account with the usual behaviour.
    pub(crate) const fn plain(kind: Kind, fields: &'static [Field], defaults: fn(&New<'_>) -> Value) -> Self {
        Self {
            kind,
            account: World::account,
            shape: Shape::Classic,
            listing: ACTIVE,
            parent: None,
            fields,
            defaults,
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

#[expect(clippy::unnecessary_wraps, reason = "the type of `Resource::prepare`")]
fn unchanged(_: &mut Account, _: &mut Doc, _: Option<&Doc>, _: &Call) -> Result<(), Refusal> {
    Ok(())
}

/// Carries out a verb.
pub(crate) fn perform(verb: Verb, resource: &Resource, world: &mut World, call: &Call) -> Answer {
    let account = (resource.account)(world, call)?;
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
        Verb::Update(_) => update(resource, account, parent, call),
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
        (Some(Parent { name, .. }), Some(id)) => doc.has(name, id),
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

/// The row whose id is the last parameter of the path.
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
    let mut doc = as_doc((resource.defaults)(&new));
    doc.put("id", new.id);
    doc.put("account_id", account.id);
    if resource.has_state {
        doc.put("state", 1);
    }
    doc.extend(accepted);
    if let (Some(Parent { name, .. }), Some(id)) = (resource.parent, parent) {
        doc.put(name, id);
    }
    doc.put("created_at", (resource.time)(call.now));
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
    doc.put("updated_at", (resource.time)(call.now));
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
        doc.put("state", 2);
        doc.put("updated_at", (resource.time)(call.now));
        account.put(resource.kind, doc.clone());
    } else {
        account.remove(resource.kind, id);
    }
    Ok(match call.switches.delete_answer {
        DeleteAnswer::NoContent => Reply::Empty(StatusCode::NO_CONTENT),
        DeleteAnswer::Body => one(resource, Value::Object(doc)),
    })
}
