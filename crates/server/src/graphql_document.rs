//! Checks GraphQL documents before they are sent to dbt Cloud: syntax and limits.

use apollo_parser::Parser;

use crate::problem::{Kind, Problem};

/// The limits of a document.
#[derive(Debug, Clone, Copy)]
pub struct GraphqlLimits {
    /// Maximum nesting of selections, values and types, from 1.
    pub max_depth: usize,
    /// Maximum number of tokens, from 1.
    pub max_tokens: usize,
}

impl GraphqlLimits {
    /// Checks a document.
    pub(crate) fn check(&self, document: &str) -> Result<(), Problem> {
        let parsed = Parser::new(document)
            .recursion_limit(self.max_depth)
            .token_limit(self.max_tokens)
            .parse();
        let Some(error) = parsed.errors().next() else {
            return Ok(());
        };
        let why = if error.is_limit() {
            format!(
                "it nests deeper than {} (graphql.max_depth) or has more than {} words and signs (graphql.max_tokens)",
                self.max_depth, self.max_tokens
            )
        } else {
            format!("at character {}: {}", error.index(), error.message())
        };
        Err(Problem::new(
            Kind::INVALID_REQUEST,
            format!("In the body: `query` is no GraphQL: {why}."),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GraphqlLimits = GraphqlLimits {
        max_depth: 10,
        max_tokens: 200,
    };

    #[test]
    fn documents_within_the_limits_pass() {
        let document = "query ($id: BigInt!) { environment(id: $id) { applied { models(first: 1) { edges { node { name } } } } } }";
        assert!(LIMITS.check(document).is_ok());
    }

    #[test]
    fn documents_that_are_too_deep_too_long_or_not_graphql_are_refused() {
        let deep = format!("query {}{}", "{ a ".repeat(50), "}".repeat(50));
        let long = format!("query {{ {} }}", "a ".repeat(500));
        for document in ["", "query {", "select 1", &deep, &long] {
            assert!(LIMITS.check(document).is_err(), "{document}");
        }
    }
}
