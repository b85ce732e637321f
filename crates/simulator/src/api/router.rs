//! Finds the operation for a method and a path.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;

use super::route::Route;

/// Path parameters by name, decoded.
type Params = Vec<(&'static str, String)>;

pub(crate) enum Found {
    Operation {
        route: &'static Route,
        params: Params,
        /// Whether the path ends in a slash exactly where the template does.
        slash_is_right: bool,
    },
    /// The path exists with another method.
    WrongMethod,
    Nothing,
}

/// All operations. One table a method, so that a fixed path of one method does not hide a parameter of another.
pub(crate) struct Router {
    tables: BTreeMap<&'static str, matchit::Router<Route>>,
    operations: Vec<String>,
}

impl Router {
    pub(crate) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let mut tables: BTreeMap<_, matchit::Router<Route>> = BTreeMap::new();
        let mut operations = Vec::new();
        for route in routes {
            operations.push(format!("{} {}", route.method, route.template));
            let path = without_slash(&route.template).replace("{remainder}", "{*remainder}");
            if let Err(error) = tables.entry(route.method).or_default().insert(path, route) {
                panic!("{}: {error}", operations.last().map_or("", String::as_str));
            }
        }
        operations.sort();
        Self { tables, operations }
    }

    /// Every operation as `GET /api/v2/accounts/{account_id}/`, sorted.
    pub(crate) fn operations(&self) -> &[String] {
        &self.operations
    }

    /// Looks up a path as sent; a missing or additional slash at its end does not matter here.
    pub(crate) fn find(&'static self, method: &Method, path: &str) -> Found {
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let inner = without_slash(path);
        let table = self.tables.get(method);
        if let Some((route, params)) = table.and_then(|table| look_up(table, inner)) {
            return Found::Operation {
                route,
                params,
                slash_is_right: route.template.ends_with('/') == path.ends_with('/'),
            };
        }
        if self.tables.values().any(|table| look_up(table, inner).is_some()) {
            Found::WrongMethod
        } else {
            Found::Nothing
        }
    }
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn look_up(table: &'static matchit::Router<Route>, path: &str) -> Option<(&'static Route, Params)> {
    let found = table.at(path).ok()?;
    let params = found.params.iter().map(|(name, value)| Some((name, decode(value)?)));
    Some((found.value, params.collect::<Option<_>>()?))
}

/// A parameter, decoded segment by segment; `None` when a segment is empty, `..` or not UTF-8.
fn decode(parameter: &str) -> Option<String> {
    let segments = parameter.split('/').map(|segment| {
        let decoded = percent_decode_str(segment).decode_utf8().ok()?;
        (!decoded.is_empty() && decoded != "..").then_some(decoded)
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::call::Call;
    use crate::refusal::Refusal;
    use crate::reply::Answer;
    use crate::world::World;

    fn nothing(_: &mut World, _: &Call) -> Answer {
        Err(Refusal::not_found())
    }

    static ROUTER: LazyLock<Router> = LazyLock::new(|| {
        Router::new([
            Route::get("/a/{id}/", nothing),
            Route::get("/a/bulk/", nothing),
            Route::put("/a/bulk/", nothing),
            Route::delete("/a/{id}/", nothing),
            Route::get("/r/{run_id}/artifacts/", nothing),
            Route::get("/r/{run_id}/artifacts/{remainder}", nothing),
        ])
    });

    fn found(method: &Method, path: &str) -> String {
        match ROUTER.find(method, path) {
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
    fn a_fixed_path_has_precedence_over_a_parameter_of_the_same_method() {
        assert_eq!(found(&Method::GET, "/a/bulk/"), "/a/bulk/ [] true");
        assert_eq!(found(&Method::HEAD, "/a/bulk/"), "/a/bulk/ [] true");
        assert_eq!(found(&Method::DELETE, "/a/bulk/"), "/a/{id}/ [(\"id\", \"bulk\")] true");
        assert_eq!(found(&Method::GET, "/a/7"), "/a/{id}/ [(\"id\", \"7\")] false");
        assert_eq!(found(&Method::POST, "/a/7/"), "wrong method");
    }

    #[test]
    fn an_artifact_name_keeps_its_slashes_and_cannot_leave_its_folder() {
        let right =
            "/r/{run_id}/artifacts/{remainder} [(\"run_id\", \"1\"), (\"remainder\", \"compiled/a b.sql\")] true";
        assert_eq!(found(&Method::GET, "/r/1/artifacts/compiled/a%20b.sql"), right);
        assert_eq!(found(&Method::GET, "/r/1/artifacts/../secrets"), "nothing");
        assert_eq!(found(&Method::GET, "/r/1/artifacts/%2e%2e/secrets"), "nothing");
        assert_eq!(found(&Method::GET, "/r/1/artifacts//secrets"), "nothing");
    }

    #[test]
    fn a_doubled_slash_matches_nothing() {
        for path in ["//a/7/", "/a//", "/a/7//", "/r//artifacts/x"] {
            assert_eq!(found(&Method::GET, path), "nothing", "{path}");
        }
    }
}
