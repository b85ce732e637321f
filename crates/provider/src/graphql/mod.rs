//! Questions to dbt Cloud's GraphQL APIs, and what takes several of them: gathered pages, tables of the Semantic Layer.

mod gather;
mod table;

use std::time::Duration;

use model::{ClientContext, GraphqlQuery, RequestType, SemanticQuery, Table};
use serde_json::Value;

use crate::call::Call;
use crate::exchanges::Why;
use crate::request::{Asked, args};
use crate::{DbtProvider, ProviderError};

/// What bounds questions that take several exchanges.
#[derive(Debug, Clone, Copy)]
pub struct GraphqlSettings {
    /// How many of dbt's pages one question gathers at most, from 1.
    pub max_pages: usize,
    /// The first pause before a query of the Semantic Layer is asked for its result; each further one is half as long
    /// again.
    pub poll_min: Duration,
    /// The longest such pause.
    pub poll_max: Duration,
    /// How long such a query may take.
    pub deadline: Duration,
}

impl DbtProvider {
    /// A question to the Discovery API. Where `gather` names a list in the answer (`environment.applied.models`), all
    /// its pages are read and joined: the list is whole or an error.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::Gathering`], [`ProviderError::TooMuch`].
    pub async fn query_metadata(
        &self,
        ctx: ClientContext,
        query: GraphqlQuery,
        gather: Option<String>,
    ) -> Result<Value, ProviderError> {
        let asked = Asked {
            args: args!(query, gather),
            ..Asked::default()
        };
        let max_pages = self.settings.graphql.max_pages;
        self.provider_request(ctx, asked, move |call| async move {
            match gather {
                None => call.ask_metadata(&query, Why::Asked).await,
                Some(list) => gather::all_pages(&call, query, &list, max_pages).await,
            }
        })
        .await
    }

    /// A question to the Semantic Layer API, as it is.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn query_semantic_layer(&self, ctx: ClientContext, query: GraphqlQuery) -> Result<Value, ProviderError> {
        let asked = Asked {
            args: args!(query),
            ..Asked::default()
        };
        self.provider_request(ctx, asked, move |call| async move {
            call.ask_semantic_layer(&query, Why::Asked).await
        })
        .await
    }

    /// A question to the Semantic Layer that a table answers: makes the query, waits for it, reads all its pages.
    ///
    /// # Errors
    /// [`ProviderError`]; [`ProviderError::TooMuch`].
    pub async fn query_semantic_layer_table(
        &self,
        ctx: ClientContext,
        query: SemanticQuery,
    ) -> Result<Table, ProviderError> {
        let asked = Asked {
            args: args!(query),
            ..Asked::default()
        };
        let settings = self.settings.graphql;
        self.provider_request(ctx, asked, move |call| async move {
            table::of(&call, &query, settings).await
        })
        .await
    }
}

impl Call {
    async fn ask_metadata(&self, query: &GraphqlQuery, why: Why) -> Result<Value, ProviderError> {
        let ask = self.exchange(RequestType::QueryMetadata, why, move |api, to| {
            api.query_metadata(to, query)
        });
        Ok(ask.await?)
    }

    async fn ask_semantic_layer(&self, query: &GraphqlQuery, why: Why) -> Result<Value, ProviderError> {
        let ask = self.exchange(RequestType::QuerySemanticLayer, why, move |api, to| {
            api.query_semantic_layer(to, query)
        });
        Ok(ask.await?)
    }
}
