//! A company's credentials. For its admins.

mod view;

use axum::http::{StatusCode, header};
use axum::response::Response;
use client::{CreateCredential, UpdateCredential};
use garde::Validate;
use model::AccountId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::view::{Credential, Verification};
use crate::extract::{Dbt, Idempotency, JsonBody, Name, NoQuery};
use crate::json::Json;
use crate::problem::Problem;
use crate::routes::started::repeatable;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_credentials, create_credential))
        .routes(routes!(get_credential, update_credential, delete_credential))
        .routes(routes!(verify_credential))
}

/// A credential to store.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "second", "account_id": 70_403_103_900_001_i64, "token": "dbtc_example", "access_url": "ab123.us1.dbt.com",
    "is_default": false
}))]
struct CreateCredentialBody {
    /// Its name within the company: letters, digits, `.`, `_` and `-`, the first a letter or digit.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
    /// The account that the token is for.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    account_id: i64,
    /// dbt Cloud's token. Stored encrypted, never shown again.
    #[garde(custom(usable_token))]
    #[schema(value_type = String, min_length = 1, max_length = 4096, pattern = "^[!-~]+$")]
    token: SecretString,
    /// The access URL: a host or an https origin.
    #[garde(length(chars, min = 1, max = 300))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    #[serde(default = "default_access_url")]
    access_url: String,
    /// The origin of the Discovery API; derived from the access URL when absent.
    #[garde(inner(length(chars, min = 1, max = 300)))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    metadata_url: Option<String>,
    /// The origin of the Semantic Layer API; derived from the access URL when absent.
    #[garde(inner(length(chars, min = 1, max = 300)))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    semantic_layer_url: Option<String>,
    /// Whether it serves requests for its account that name no credential. The account's first always does.
    #[garde(skip)]
    is_default: Option<bool>,
}

/// What to change; fields left out stay.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dbtc_another_example"}))]
struct UpdateCredentialBody {
    /// A new name.
    #[garde(inner(length(chars, min = 1, max = 100)))]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: Option<String>,
    /// Another account.
    #[garde(inner(range(min = 1)))]
    account_id: Option<i64>,
    /// A new token.
    #[garde(inner(custom(usable_token)))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 4096, pattern = "^[!-~]+$")]
    token: Option<SecretString>,
    /// Another access URL; the other two addresses are then derived anew unless they are given as well.
    #[garde(inner(length(chars, min = 1, max = 300)))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    access_url: Option<String>,
    /// Another origin of the Discovery API.
    #[garde(inner(length(chars, min = 1, max = 300)))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    metadata_url: Option<String>,
    /// Another origin of the Semantic Layer API.
    #[garde(inner(length(chars, min = 1, max = 300)))]
    #[schema(min_length = 1, max_length = 300, format = "access-url")]
    semantic_layer_url: Option<String>,
    /// `true` makes it its account's default.
    #[garde(skip)]
    is_default: Option<bool>,
}

fn default_access_url() -> String {
    "cloud.getdbt.com".to_owned()
}

/// A token is sent in a header, so it is printable and without spaces.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that a custom check has")]
fn usable_token(token: &SecretString, (): &()) -> garde::Result {
    let token = secrecy::ExposeSecret::expose_secret(token);
    if (1..=4096).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(garde::Error::new(
            "a token has 1 to 4096 printable characters and no spaces",
        ))
    }
}

/// All credentials of the company.
#[derive(Debug, Serialize, ToSchema)]
struct CredentialList {
    /// The number of credentials.
    #[schema(example = 1)]
    count: usize,
    /// Credentials from the settings first, then the oldest.
    results: Vec<Credential>,
}

/// List the company's credentials
///
/// Without their tokens; those from the settings first.
#[utoipa::path(get, path = "/credentials", tag = "credentials",
    responses((status = 200, body = CredentialList)))]
async fn list_credentials(Dbt(client): Dbt, _: NoQuery) -> Result<Json<CredentialList>, Problem> {
    let results: Vec<_> = client
        .credentials()
        .list()
        .await?
        .into_iter()
        .map(Credential::from)
        .collect();
    Ok(Json(CredentialList {
        count: results.len(),
        results,
    }))
}

/// Store a credential
///
/// The token is stored encrypted, and used only with the address given here. Check it with `verify_credential`.
///
/// With an `Idempotency-Key` a repeat gets the first answer, also after the credential was changed or deleted.
#[utoipa::path(post, path = "/credentials", tag = "credentials",
    params(Idempotency),
    request_body = CreateCredentialBody,
    responses(
        (status = 201, body = Credential, headers(("location" = String, description = "The address of the credential.")))))]
async fn create_credential(
    Dbt(client): Dbt,
    Idempotency(idempotency_key): Idempotency,
    _: NoQuery,
    JsonBody(body): JsonBody<CreateCredentialBody>,
) -> Result<Response, Problem> {
    let input = CreateCredential {
        name: body.name,
        account_id: AccountId(body.account_id),
        token: body.token,
        access_url: body.access_url,
        metadata_url: body.metadata_url,
        semantic_layer_url: body.semantic_layer_url,
        is_default: body.is_default,
    };
    let created = client.credentials().create(input, idempotency_key).await?;
    Ok(repeatable(created, |created| {
        let location = format!("/credentials/{}", created.name);
        let created = Credential::from(created);
        (StatusCode::CREATED, [(header::LOCATION, location)], Json(created))
    }))
}

/// Get a credential, without its token
///
/// Its account, its addresses, and the number of its changes.
#[utoipa::path(get, path = "/credentials/{name}", tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    responses((status = 200, body = Credential)))]
async fn get_credential(Dbt(client): Dbt, Name(name): Name, _: NoQuery) -> Result<Json<Credential>, Problem> {
    Ok(Json(client.credentials().get(&name).await?.into()))
}

/// Change a credential
///
/// Another address needs the token too: the stored one is sent only to the address it was stored for.
#[utoipa::path(patch, path = "/credentials/{name}", tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")), request_body = UpdateCredentialBody,
    responses((status = 200, body = Credential)))]
async fn update_credential(
    Dbt(client): Dbt,
    Name(name): Name,
    _: NoQuery,
    JsonBody(body): JsonBody<UpdateCredentialBody>,
) -> Result<Json<Credential>, Problem> {
    let patch = UpdateCredential {
        name: body.name,
        account_id: body.account_id.map(AccountId),
        token: body.token,
        access_url: body.access_url,
        metadata_url: body.metadata_url,
        semantic_layer_url: body.semantic_layer_url,
        is_default: body.is_default,
    };
    Ok(Json(client.credentials().update(&name, patch).await?.into()))
}

/// Delete a credential
///
/// If it was its account's default, the oldest other one becomes the default.
#[utoipa::path(delete, path = "/credentials/{name}", tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    responses((status = 204)))]
async fn delete_credential(Dbt(client): Dbt, Name(name): Name, _: NoQuery) -> Result<StatusCode, Problem> {
    client.credentials().delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Verify a credential with dbt Cloud
///
/// Reads the account with the credential's token and explains dbt Cloud's answer: a token that is unknown at the host, an
/// IP allow-list, another account.
#[utoipa::path(post, path = "/credentials/{name}/verify", tag = "credentials",
    params(("name" = String, Path, description = "The credential's name.")),
    responses((status = 200, body = Verification)))]
async fn verify_credential(Dbt(client): Dbt, Name(name): Name, _: NoQuery) -> Result<Json<Verification>, Problem> {
    Ok(Json(client.credentials().verify(&name).await?.into()))
}
