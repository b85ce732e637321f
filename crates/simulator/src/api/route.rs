//! One operation: method, path template as in dbt's specification, and what carries it out.

use super::resource::{Resource, Verb, perform};
use crate::call::Call;
use crate::reply::Answer;
use crate::world::World;

type Handler = fn(&mut World, &Call) -> Answer;

#[derive(Clone, Copy)]
enum Action {
    Handler(Handler),
    Verb(Verb, &'static Resource),
}

#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: String,
    action: Action,
}

impl Route {
    fn new(method: &'static str, template: &str, action: Action) -> Self {
        Self {
            method,
            template: template.to_owned(),
            action,
        }
    }

    pub(crate) fn get(template: &str, handler: Handler) -> Self {
        Self::new("GET", template, Action::Handler(handler))
    }

    pub(crate) fn post(template: &str, handler: Handler) -> Self {
        Self::new("POST", template, Action::Handler(handler))
    }

    pub(crate) fn put(template: &str, handler: Handler) -> Self {
        Self::new("PUT", template, Action::Handler(handler))
    }

    pub(crate) fn patch(template: &str, handler: Handler) -> Self {
        Self::new("PATCH", template, Action::Handler(handler))
    }

    pub(crate) fn delete(template: &str, handler: Handler) -> Self {
        Self::new("DELETE", template, Action::Handler(handler))
    }

    pub(crate) fn handle(&self, world: &mut World, call: &Call) -> Answer {
        match self.action {
            Action::Handler(handler) => handler(world, call),
            Action::Verb(verb, resource) => perform(verb, resource, world, call),
        }
    }
}

/// The routes of a resource: `list` is the path of its list, below which each row has the path `{id}/`.
pub(crate) fn resource_routes(list: &str, resource: &'static Resource, verbs: &[Verb]) -> Vec<Route> {
    let route = |verb: &Verb| {
        let template = match verb {
            Verb::List | Verb::Create => list.to_owned(),
            Verb::Get | Verb::Update(_) | Verb::Delete => format!("{list}{{id}}/"),
        };
        Route::new(verb.method(), &template, Action::Verb(*verb, resource))
    };
    verbs.iter().map(route).collect()
}
