//! Callers' keys of a company. For its admins.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use client::CreateApiKey;
use garde::Validate;
use model::{AccountId, ApiKeyId, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::extract::{Dbt, Id, JsonBody, NoQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::views::{ApiKeyView, NewApiKeyView};

/// A key to make.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "orders frontend", "role": "viewer", "accounts": [70_403_100_000_001_i64]}))]
pub(crate) struct CreateApiKeyBody {
    /// What people call it.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// `viewer`, `operator` or `admin`; not more than the key that makes it.
    #[garde(skip)]
    #[schema(value_type = String)]
    role: Role,
    /// The accounts it may use. Absent: every account that the key that makes it may use.
    #[garde(length(max = 1000), inner(inner(range(min = 1))))]
    #[schema(max_items = 1000)]
    accounts: Option<Vec<i64>>,
    /// The account of a request that names none.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    default_account_id: Option<i64>,
    /// From when on it is refused. Absent: never.
    #[garde(skip)]
    expires_at: Option<DateTime<Utc>>,
}

/// All keys of the company.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiKeyList {
    /// How many there are.
    #[schema(example = 1)]
    count: usize,
    /// By id, revoked ones included.
    results: Vec<ApiKeyView>,
}

/// List the company's keys
#[utoipa::path(get, path = "/api-keys", operation_id = "list_api_keys", tag = "api keys",
    responses((status = 200, body = ApiKeyList)))]
pub(crate) async fn list_api_keys(Dbt(client): Dbt, _: NoQuery) -> Result<Json<ApiKeyList>, Problem> {
    let results: Vec<_> = client
        .api_keys()
        .list()
        .await?
        .into_iter()
        .map(ApiKeyView::from)
        .collect();
    Ok(Json(ApiKeyList {
        count: results.len(),
        results,
    }))
}

/// Make a key
#[utoipa::path(post, path = "/api-keys", operation_id = "create_api_key", tag = "api keys",
    request_body = CreateApiKeyBody,
    responses(
        (status = 201, body = NewApiKeyView, headers(("location" = String, description = "Where it can be read."))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "An account that this key may not use.")))]
pub(crate) async fn create_api_key(
    Dbt(client): Dbt,
    _: NoQuery,
    JsonBody(body): JsonBody<CreateApiKeyBody>,
) -> Result<Response, Problem> {
    let order = CreateApiKey {
        name: body.name,
        role: body.role,
        accounts: body
            .accounts
            .map(|accounts| accounts.into_iter().map(AccountId).collect()),
        default_account: body.default_account_id.map(AccountId),
        expires_at: body.expires_at,
    };
    let (new, info) = client.api_keys().create(order).await?;
    let location = format!("/api-keys/{}", new.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(NewApiKeyView::of(&new, info)),
    )
        .into_response())
}

/// Get a key, without its text
#[utoipa::path(get, path = "/api-keys/{api_key_id}", operation_id = "get_api_key", tag = "api keys",
    params(("api_key_id" = i64, Path, description = "The key's id.")),
    responses((status = 200, body = ApiKeyView)))]
pub(crate) async fn get_api_key(
    Dbt(client): Dbt,
    Id(id): Id<ApiKeyId>,
    _: NoQuery,
) -> Result<Json<ApiKeyView>, Problem> {
    Ok(Json(client.api_keys().get(id).await?.into()))
}

/// Revoke a key, for good
///
/// Holds within 5 seconds in every replica. Revoking again is fine.
#[utoipa::path(delete, path = "/api-keys/{api_key_id}", operation_id = "revoke_api_key", tag = "api keys",
    params(("api_key_id" = i64, Path, description = "The key's id.")),
    responses((status = 204)))]
pub(crate) async fn revoke_api_key(Dbt(client): Dbt, Id(id): Id<ApiKeyId>, _: NoQuery) -> Result<StatusCode, Problem> {
    client.api_keys().revoke(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
