//! The API keys of a company. For its admins.

mod view;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use client::CreateApiKey;
use garde::Validate;
use model::{AccountId, ApiKeyId, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{ApiKey, NewApiKey};
use crate::extract::{Dbt, Id, Idempotency, JsonBody, NoQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_api_keys, create_api_key))
        .routes(routes!(get_api_key, revoke_api_key))
}

/// A key to create.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "orders frontend", "role": "viewer", "accounts": [70_403_103_900_001_i64]}))]
struct CreateApiKeyBody {
    /// A name for people.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\x00]+$")]
    name: String,
    /// Not higher than that of the key that creates it.
    #[garde(skip)]
    role: Role,
    /// The accounts it may use. Absent: every account that the creating key may use.
    #[garde(length(max = 1000), inner(inner(range(min = 1))))]
    #[schema(max_items = 1000)]
    accounts: Option<Vec<i64>>,
    /// The account of a request that names none.
    #[garde(inner(range(min = 1)))]
    #[schema(minimum = 1)]
    default_account_id: Option<i64>,
    /// The names of the credentials it may use. Absent: those that the creating key may use, and for a key with `accounts`
    /// the default of each account alone.
    #[garde(length(max = 100), inner(inner(length(chars, min = 1, max = 100))))]
    #[schema(schema_with = credential_names)]
    credentials: Option<Vec<String>>,
    /// The time from which it is refused. Absent: never.
    #[garde(skip)]
    expires_at: Option<DateTime<Utc>>,
}

/// Names of credentials, or null.
fn credential_names() -> RefOr<Schema> {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(100));
    let list = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(name)
        .max_items(Some(100));
    let description = "The names of the credentials it may use. Absent: those that the creating key may use, and for a key \
                       with `accounts` the default of each account alone.";
    list.description(Some(description)).build().into()
}

/// All keys of the company.
#[derive(Debug, Serialize, ToSchema)]
struct ApiKeyList {
    /// The number of keys.
    #[schema(example = 1)]
    count: usize,
    /// By id, revoked ones included.
    results: Vec<ApiKey>,
}

/// List the company's keys
///
/// Without their texts, revoked ones included.
#[utoipa::path(get, path = "/api-keys", tag = "api keys",
    responses((status = 200, body = ApiKeyList)))]
async fn list_api_keys(Dbt(client): Dbt, _: NoQuery) -> Result<Json<ApiKeyList>, Problem> {
    let results: Vec<_> = client.api_keys().list().await?.into_iter().map(ApiKey::from).collect();
    Ok(Json(ApiKeyList {
        count: results.len(),
        results,
    }))
}

/// Create a key
///
/// The answer holds its text, which is shown nowhere else. It has no more rights than the key that creates it.
///
/// A repeat with the same `Idempotency-Key` makes no second key and gets 409
/// `idempotency-not-replayable` with the address of the first.
#[utoipa::path(post, path = "/api-keys", tag = "api keys",
    params(Idempotency),
    request_body = CreateApiKeyBody,
    responses(
        (status = 201, body = NewApiKey, headers(("location" = String, description = "The address of the key.")))))]
async fn create_api_key(
    Dbt(client): Dbt,
    Idempotency(idempotency_key): Idempotency,
    _: NoQuery,
    JsonBody(body): JsonBody<CreateApiKeyBody>,
) -> Result<Response, Problem> {
    let input = CreateApiKey {
        name: body.name,
        role: body.role,
        accounts: body
            .accounts
            .map(|accounts| accounts.into_iter().map(AccountId).collect()),
        default_account: body.default_account_id.map(AccountId),
        credentials: body.credentials,
        expires_at: body.expires_at,
    };
    let (new, info) = client.api_keys().create(input, idempotency_key).await?;
    let location = format!("/api-keys/{}", new.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(NewApiKey::of(&new, info)),
    )
        .into_response())
}

/// Get a key, without its text
///
/// Its role, its accounts, and when it was last used.
#[utoipa::path(get, path = "/api-keys/{api_key_id}", tag = "api keys",
    params(Id<ApiKeyId>),
    responses((status = 200, body = ApiKey)))]
async fn get_api_key(Dbt(client): Dbt, Id(id): Id<ApiKeyId>, _: NoQuery) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(client.api_keys().get(id).await?.into()))
}

/// Revoke a key permanently
///
/// Takes effect within 5 seconds in every replica. May be repeated.
#[utoipa::path(delete, path = "/api-keys/{api_key_id}", tag = "api keys",
    params(Id<ApiKeyId>),
    responses((status = 204)))]
async fn revoke_api_key(Dbt(client): Dbt, Id(id): Id<ApiKeyId>, _: NoQuery) -> Result<StatusCode, Problem> {
    client.api_keys().revoke(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
