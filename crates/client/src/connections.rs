//! Connections.

use model::{Connection, ConnectionFilter, ConnectionId, Page, PageQuery};

crate::operations! {
    /// A page of an account's connections.
    ListConnections => list_connections(filter: ConnectionFilter, page: PageQuery) -> Page<Connection>;
    /// One connection.
    GetConnection => get_connection(connection_id: ConnectionId) -> Connection;
}
