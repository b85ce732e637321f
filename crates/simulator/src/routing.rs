//! Which operation a method and path mean. The table of every operation served stands here, put together from the
//! resource modules; each template is spelled as in dbt's specification, trailing slash included.

use http::Method;

use crate::api::resource::{Resource, Verb, perform};
use crate::call::Call;
use crate::reply::Answer;
use crate::world::World;

/// What carries an operation out. The world is locked while it runs.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// A function of its own.
    Own(fn(&mut World, &Call) -> Answer),
    /// A usual verb on a resource.
    Usual(Verb, &'static Resource),
}

impl Handler {
    pub(crate) fn handle(self, world: &mut World, call: &Call) -> Answer {
        match self {
            Self::Own(handler) => handler(world, call),
            Self::Usual(verb, resource) => perform(verb, resource, world, call),
        }
    }
}

type Own = fn(&mut World, &Call) -> Answer;

/// One operation.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    pub(crate) handler: Handler,
}

impl Route {
    const fn own(method: &'static str, template: &'static str, handler: Own) -> Self {
        Self {
            method,
            template,
            handler: Handler::Own(handler),
        }
    }
    pub(crate) const fn get(template: &'static str, handler: Own) -> Self {
        Self::own("GET", template, handler)
    }
    pub(crate) const fn post(template: &'static str, handler: Own) -> Self {
        Self::own("POST", template, handler)
    }
    pub(crate) const fn put(template: &'static str, handler: Own) -> Self {
        Self::own("PUT", template, handler)
    }
    pub(crate) const fn patch(template: &'static str, handler: Own) -> Self {
        Self::own("PATCH", template, handler)
    }
    pub(crate) const fn delete(template: &'static str, handler: Own) -> Self {
        Self::own("DELETE", template, handler)
    }
    /// A usual verb; updating is spelled POST, PATCH or PUT, depending on the age of the resource.
    pub(crate) const fn usual(
        method: &'static str,
        template: &'static str,
        verb: Verb,
        resource: &'static Resource,
    ) -> Self {
        Self {
            method,
            template,
            handler: Handler::Usual(verb, resource),
        }
    }

    fn segments(&self) -> Vec<&'static str> {
        self.template.trim_matches('/').split('/').collect()
    }
}

/// The result of a look-up.
pub(crate) enum Found {
    Operation {
        route: Route,
        params: Vec<(&'static str, String)>,
        slash_is_right: bool,
    },
    /// Served, but not with this method.
    WrongMethod,
    Nothing,
}

/// All operations, ready for look-up.
pub(crate) struct Router {
    routes: Vec<(Vec<&'static str>, Route)>,
}

impl Router {
    pub(crate) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut routes: Vec<_> = routes.into_iter().map(|route| (route.segments(), route)).collect();
        // Fixed words before parameters, so that `bulk/` is not taken for an id.
        routes.sort_by_key(|(segments, _)| {
            let place = |segment: &&str| {
                if *segment == "{remainder}" {
                    2
                } else {
                    u8::from(segment.starts_with('{'))
                }
            };
            segments.iter().map(place).collect::<Vec<_>>()
        });
        Self { routes }
    }

    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|(_, route)| route)
    }

    /// Looks up a raw path. A doubled slash means nothing is there.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found {
        let inner = path.strip_prefix('/').unwrap_or(path);
        let ends_with_slash = inner.ends_with('/');
        let asked: Vec<&str> = inner.strip_suffix('/').unwrap_or(inner).split('/').collect();
        let mut wrong_method = false;
        for (segments, route) in &self.routes {
            let Some(params) = match_segments(segments, &asked) else {
                continue;
            };
            if route.method == method.as_str() || (*method == Method::HEAD && route.method == "GET") {
                let wants_slash = route.template.ends_with('/');
                return Found::Operation {
                    route: *route,
                    params,
                    slash_is_right: wants_slash == ends_with_slash,
                };
            }
            wrong_method = true;
        }
        if wrong_method {
            Found::WrongMethod
        } else {
            Found::Nothing
        }
    }
}

fn match_segments(segments: &[&'static str], asked: &[&str]) -> Option<Vec<(&'static str, String)>> {
    let takes_rest = segments.last() == Some(&"{remainder}");
    if asked.len() < segments.len() || (asked.len() > segments.len() && !takes_rest) {
        return None;
    }
    let mut params = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some("remainder") => {
                let parts: Option<Vec<String>> = asked[index..].iter().map(|part| decode(part)).collect();
                let parts = parts?;
                if parts.iter().any(|part| part.is_empty() || part == "..") {
                    return None;
                }
                params.push(("remainder", parts.join("/")));
            }
            Some(name) => {
                let value = decode(asked[index])?;
                if value.is_empty() {
                    return None;
                }
                params.push((name, value));
            }
            None if *segment == asked[index] => {}
            None => return None,
        }
    }
    Some(params)
}

/// Percent-decoding of one path segment; `None` when it is not UTF-8 or badly encoded.
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &mut World, _: &Call) -> Answer {
        Err(crate::reply::Refusal::not_found())
    }

    fn found(method: &Method, path: &str) -> String {
        let router = Router::new([
            Route::get("/a/{id}/", nothing),
            Route::get("/a/bulk/", nothing),
            Route::get("/r/{run_id}/artifacts/{remainder}", nothing),
        ]);
        match router.find(method, path) {
            Found::Operation {
                route,
                params,
                slash_is_right,
            } => format!("{} {params:?} {slash_is_right}", route.template),
            Found::WrongMethod => "wrong method".to_owned(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn fixed_words_win_over_parameters() {
        assert_eq!(found(&Method::GET, "/a/bulk/"), "/a/bulk/ [] true");
        assert_eq!(found(&Method::GET, "/a/7"), "/a/{id}/ [(\"id\", \"7\")] false");
        assert_eq!(found(&Method::POST, "/a/7/"), "wrong method");
    }

    #[test]
    fn an_artifact_name_keeps_its_slashes_and_may_not_climb() {
        let right =
            "/r/{run_id}/artifacts/{remainder} [(\"run_id\", \"1\"), (\"remainder\", \"compiled/a b.sql\")] true";
        assert_eq!(found(&Method::GET, "/r/1/artifacts/compiled/a%20b.sql"), right);
        assert_eq!(found(&Method::GET, "/r/1/artifacts/../secrets"), "nothing");
        assert_eq!(found(&Method::GET, "/r/1/artifacts/%2e%2e/secrets"), "nothing");
        assert_eq!(found(&Method::GET, "//a/7/"), "nothing");
    }
}
