//! What this floor counts: requests as they are answered, whatever became of them; refusals that leave no row; what is
//! under way.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use model::metrics::{Counters, Durations, Register as _, count, durations};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;

use crate::limits::Limits;
use crate::problem::{Kind, Problem};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The template of a route of ours or of dbt Cloud's; `none` for a path that neither has.
    route: Arc<str>,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: Arc<str>,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

/// The families of this floor. The default ones are in no registry: they count, and nobody reads them.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    requests: Counters<Answered>,
    durations: Durations<Asked>,
    problems: Counters<OfKind>,
    no_route: Arc<str>,
}

impl Default for ServerMetrics {
    fn default() -> Self {
        let problems = Counters::default();
        for kind in Kind::ALL {
            drop(problems.get_or_create(&OfKind {
                kind: spelled(kind.path()),
            }));
        }
        Self {
            requests: Counters::default(),
            durations: Durations::new_with_constructor(durations),
            problems,
            no_route: "none".into(),
        }
    }
}

impl ServerMetrics {
    /// The families, in that registry, and what is under way of `limits`.
    pub fn register(registry: &mut Registry, limits: &Arc<Limits>) -> Self {
        let metrics = Self::default();
        registry.register_metric("http_requests", "HTTP requests that were answered", &metrics.requests);
        registry.register_seconds(
            "http_request_duration",
            "From a request's arrival to the head of its answer",
            &metrics.durations,
        );
        registry.register_metric(
            "problems",
            "Answers that say what is wrong, by the kind of problem",
            &metrics.problems,
        );
        let limits = Arc::clone(limits);
        registry.collected(move |gauges| {
            let (under_way, limit) = limits.places();
            gauges.gauge("http_requests_under_way", "HTTP requests under way", whole(under_way))?;
            gauges.gauge(
                "http_requests_under_way_limit",
                "How many may be under way: one beyond them is refused",
                whole(limit),
            )
        });
        metrics
    }

    /// A request is answered.
    pub(crate) fn answered(
        &self,
        template: Option<&Arc<str>>,
        method: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let route = template.unwrap_or(&self.no_route);
        let answered = Answered {
            route: Arc::clone(route),
            method,
            status: status.as_u16(),
        };
        count(&self.requests, &answered);
        let Answered { route, method, .. } = answered;
        self.durations
            .get_or_create(&Asked { route, method })
            .observe(took.as_secs_f64());
    }

    /// A caller is told of a problem.
    pub(crate) fn problem(&self, problem: &Problem) {
        let kind = spelled(problem.kind());
        count(&self.problems, &OfKind { kind });
    }
}

/// The method as a label; callers may make up their own.
pub(crate) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}

fn spelled(path: &'static str) -> &'static str {
    path.strip_prefix("/problems/").unwrap_or(path)
}

fn whole(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}
