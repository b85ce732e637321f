//! nginx as a pass-through proxy: keeps its connections to the upstream, writes no log.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::Command;

use crate::http::{Endpoint, wait_until_ready};
use crate::process::ChildProcess;
use crate::programs;
use crate::scratch::free_address;
use crate::upstream::Upstream;

#[derive(Debug)]
pub(crate) struct Nginx {
    address: SocketAddr,
    pub(crate) process: ChildProcess,
    pub(crate) version: String,
}

impl Nginx {
    /// `None` if it is not installed.
    pub(crate) async fn start(folder: &Path, upstream: &Upstream) -> anyhow::Result<Option<Self>> {
        let Some(program) = programs::find("nginx") else {
            return Ok(None);
        };
        let address = free_address()?;
        let config_file = folder.join("nginx.conf");
        std::fs::write(&config_file, configuration(folder, address, upstream.address))?;
        // nginx prints its version to standard error.
        let version = Command::new(&program).arg("-v").output().await?;
        let version = String::from_utf8_lossy(&version.stderr)
            .trim()
            .replace("nginx version: ", "");
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&config_file)
            .arg("-e")
            .arg(folder.join("nginx.log"))
            .stdin(Stdio::null());
        let process = ChildProcess::start(&mut command)?;
        let started = Self {
            address,
            process,
            version,
        };
        wait_until_ready(address, upstream.endpoint().path)
            .await
            .context("nginx did not start")?;
        Ok(Some(started))
    }

    pub(crate) fn endpoint(&self, upstream: &Upstream) -> Endpoint {
        Endpoint {
            address: self.address,
            ..upstream.endpoint()
        }
    }
}

fn configuration(folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\npid {folder}/nginx.pid;\nworker_processes auto;\nevents {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n{temporary}  keepalive_requests 100000000;\n  \
         upstream dbt {{ server {upstream}; keepalive 512; keepalive_requests 100000000; }}\n  \
         server {{\n    listen {listen} backlog=1024;\n    \
         location / {{ proxy_pass http://dbt; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_is_a_pass_through_without_a_log() {
        let listen = "127.0.0.1:1".parse().unwrap();
        let text = configuration(Path::new("/x"), listen, "127.0.0.1:2".parse().unwrap());
        for part in [
            "access_log off;",
            "server 127.0.0.1:2;",
            "listen 127.0.0.1:1 ",
            "proxy_temp_path /x/proxy;",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
