//! What a request to a GraphQL API does: decided by its parsed documents, since every request is a POST to the same path.
//!
//! Several documents or operations count as the one with the strongest effect. What cannot be judged is refused.

mod document;
mod request;
#[cfg(test)]
mod tests;

pub use request::GraphqlRequest;

/// The limits of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphqlLimits {
    /// Maximum nesting of selections, values and types, from 1.
    pub max_depth: usize,
    /// Maximum number of tokens, from 1.
    pub max_tokens: usize,
}

/// Why a request cannot be judged. The text continues "In the request: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedGraphql {
    /// A syntax error.
    #[error("`query` is no GraphQL: at character {index}: {message}")]
    Syntax {
        /// Its position in the document.
        index: usize,
        /// The parser's message.
        message: String,
    },
    /// The document exceeds a limit.
    #[error(
        "`query` is too large: it nests deeper than {} (graphql.max_depth) or has more than {} words and signs \
         (graphql.max_tokens)",
        .0.max_depth, .0.max_tokens
    )]
    TooLarge(GraphqlLimits),
    /// The document has fragments or types alone.
    #[error("`query` has no operation")]
    NoOperation,
    /// The document has no operation of that name.
    #[error("`query` has no operation named `{0}`")]
    UnknownOperation(String),
    /// No API of dbt Cloud serves subscriptions.
    #[error("`query` is a subscription, which dbt Cloud does not serve")]
    Subscription,
    /// There is no document, such as for a persisted query.
    #[error("there is no `query`; a persisted query is not accepted, send its text")]
    NoDocument,
    /// The body is in a format that is not relayed.
    #[error("the body has to be JSON with `query`, `variables` and `operationName`, or a list of these ({0})")]
    Body(String),
}
