//! The metrics of this layer: answered requests, problems, and requests in flight.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metric_families::{Counters, Durations, Register as _, count, durations};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::registry::Registry;

use crate::problem::{Kind, Problem};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The template of the route, on either surface; `none` for an unknown path.
    route: Arc<str>,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: Arc<str>,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemKind {
    kind: &'static str,
}

/// The metric families of this layer. `Default` builds unregistered families, for tests.
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    requests: Counters<RequestLabels>,
    durations: Durations<RouteLabels>,
    problems: Counters<ProblemKind>,
    no_route: Arc<str>,
}

impl Default for ServerMetrics {
    fn default() -> Self {
        let problems = Counters::default();
        for kind in Kind::ALL {
            drop(problems.get_or_create(&ProblemKind {
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
    /// Registers the families.
    pub fn register(registry: &mut Registry) -> Self {
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
        metrics
    }

    /// Counts an answered request.
    pub(crate) fn answered(
        &self,
        template: Option<&Arc<str>>,
        method: &'static str,
        status: StatusCode,
        duration: Duration,
    ) {
        let route = template.unwrap_or(&self.no_route);
        let answered = RequestLabels {
            route: Arc::clone(route),
            method,
            status: status.as_u16(),
        };
        count(&self.requests, &answered);
        let RequestLabels { route, method, .. } = answered;
        self.durations
            .get_or_create(&RouteLabels { route, method })
            .observe(duration.as_secs_f64());
    }

    /// Counts a problem.
    pub(crate) fn problem(&self, problem: &Problem) {
        let kind = spelled(problem.kind());
        count(&self.problems, &ProblemKind { kind });
    }
}

/// The method as a label; unknown methods share one.
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
