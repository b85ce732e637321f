//! `dbt-gateway healthcheck`: the health check of a container without an HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::settings::Settings;

/// For connecting, writing and reading each.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Gets `/healthz` of the gateway with these settings: at `health.listen` if it is set.
///
/// # Errors
/// There is no answer, or its status is not 200.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<()> {
    let address = connect_address(settings.health_listen().unwrap_or(settings.server.listen));
    let mut stream =
        TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut status = [0; b"HTTP/1.1 200".len()];
    stream.read_exact(&mut status).context("no answer")?;
    ensure!(
        status == *b"HTTP/1.1 200",
        "the answer is {}",
        String::from_utf8_lossy(&status)
    );
    Ok(())
}

/// A listener on all addresses is reached at the loopback address.
fn connect_address(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
