//! Temporary directory and free port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

/// A directory for every started process, removed on drop.
pub(crate) fn directory() -> anyhow::Result<TempDir> {
    // If bench runs as root, Postgres runs as another user, which must be able to enter the directory.
    Ok(tempfile::Builder::new()
        .prefix("dbt-gateway-bench-")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()?)
}

/// A loopback address whose port was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
