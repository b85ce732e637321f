//! Connections.

use model::{Connection, ConnectionFilter, ConnectionId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::{Dbt, Id, ListQuery, ScopedQuery};
use crate::json::Json;
use crate::list::{List, ListAnswer};
use crate::page_links::PageLinks;
use crate::problem::Problem;
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_connections))
        .routes(routes!(get_connection))
}

/// List the connections of an account
///
/// Reads as many of dbt Cloud's pages of 100 as the requested page covers. The page is whole or an error; a page beyond
/// `gather.hold_max_bytes` is sent as it is read, and the connection is aborted where a part of it fails.
#[utoipa::path(get, path = "/connections", tag = "connections", params(ListQuery<ConnectionFilter>),
    responses((status = 200, body = List<Connection>)))]
async fn list_connections(
    Dbt(client): Dbt,
    links: PageLinks,
    query: ListQuery<ConnectionFilter>,
) -> Result<ListAnswer, Problem> {
    let connections = client.list_connections(query.scope, query.filter, query.page).await?;
    Ok(ListAnswer::new(connections, &links))
}

/// Get a connection
///
/// With `config`: where the warehouse is, without keys and passwords.
#[utoipa::path(get, path = "/connections/{connection_id}", tag = "connections",
    params(Id<ConnectionId>, ScopedQuery), responses((status = 200, body = Connection)))]
async fn get_connection(
    Dbt(client): Dbt,
    Id(connection): Id<ConnectionId>,
    query: ScopedQuery,
) -> Result<Json<Connection>, Problem> {
    Ok(Json(client.get_connection(query.scope, connection).await?))
}
