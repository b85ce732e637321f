//! dbt Cloud's APIs, by their paths.

/// Which of dbt Cloud's APIs a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DbtApi {
    /// `/api/v2/…` and `/api/v3/…`.
    Administrative,
    /// `/graphql` and `/beta/graphql`.
    Metadata,
    /// `/api/graphql`.
    SemanticLayer,
}

impl DbtApi {
    /// The API that a path belongs to; `None` for a path that dbt Cloud does not serve. The path alone decides, because
    /// clients derive different hosts for the GraphQL APIs.
    pub fn of(path: &str) -> Option<Self> {
        match path.strip_suffix('/').unwrap_or(path) {
            "/graphql" | "/beta/graphql" => Some(Self::Metadata),
            "/api/graphql" => Some(Self::SemanticLayer),
            _ if path.starts_with("/api/v2/") || path.starts_with("/api/v3/") => Some(Self::Administrative),
            _ => None,
        }
    }

    /// Whether it is a GraphQL API.
    pub fn is_graphql(self) -> bool {
        self != Self::Administrative
    }
}
