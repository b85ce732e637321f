//! Connections.

use model::{Connection, ConnectionFilter, ConnectionId, PageQuery};
use provider::Listing;

crate::operations! {
    /// A page of an account's connections.
    ListConnections => list_connections(filter: ConnectionFilter, page: PageQuery) -> Listing<Connection>;
    /// One connection.
    GetConnection => get_connection(connection_id: ConnectionId) -> Connection;
}
