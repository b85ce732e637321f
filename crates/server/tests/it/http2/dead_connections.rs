//! A connection that answers nothing any more, not even the kernel's FIN, is found by HTTP/2 PINGs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dbt_api::HttpSettings;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{LONG, setup};
use crate::support::Setup;

/// Forwards connections to an address that is set later. After `freeze` the connections of that moment forward nothing any
/// more and stay open.
struct Proxy {
    listener: TcpListener,
    freeze: Arc<Notify>,
}

impl Proxy {
    async fn start() -> Self {
        Self {
            listener: TcpListener::bind(("127.0.0.1", 0)).await.unwrap(),
            freeze: Arc::default(),
        }
    }

    fn url(&self) -> url::Url {
        format!("https://{}", self.listener.local_addr().unwrap())
            .parse()
            .unwrap()
    }

    /// Returns what freezes it.
    fn forward_to(self, to: SocketAddr) -> Arc<Notify> {
        let freeze = Arc::clone(&self.freeze);
        tokio::spawn(async move {
            while let Ok((mut from, _)) = self.listener.accept().await {
                let freeze = Arc::clone(&self.freeze);
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut from, &mut to) => return,
                        () = freeze.notified() => {}
                    }
                    // Both sockets stay open.
                    std::future::pending::<()>().await;
                });
            }
        });
        freeze
    }
}

#[tokio::test]
async fn a_dead_connection_fails_its_requests_soon_and_the_next_ones_use_a_new_one() {
    let proxy = Proxy::start().await;
    let setup = setup();
    let app = Setup {
        dbt_url: Some(proxy.url()),
        http: HttpSettings {
            keepalive_interval: Duration::from_millis(200),
            keepalive_timeout: Duration::from_millis(500),
            ..setup.http.clone()
        },
        ..setup
    };
    let app = app.start().await;
    let freeze = proxy.forward_to(
        app.dbt
            .tls_url()
            .unwrap()
            .strip_prefix("https://")
            .unwrap()
            .parse()
            .unwrap(),
    );
    app.viewer().get("/projects").await.expect(200);

    freeze.notify_waiters();

    // No other limit ends an exchange on the dead connection within the hang guard. The read is then retried.
    let answer = timeout(LONG, app.viewer().get("/projects")).await.unwrap();
    answer.expect(200);
    let row = app.row_of(&answer).await;
    let found_while_idle = row["attempts"] == 1;
    assert!(
        found_while_idle || row["exchanges"][0]["error"] == "disconnected",
        "{row:#}"
    );
}
