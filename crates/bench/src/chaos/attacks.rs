//! The attacks.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::attack::{Attack, Target, drip, read_all, read_slowly};
use crate::upstream::{ACCOUNT, SLOW_PROJECT};

/// Longer than any attack is measured.
const LONG: Duration = Duration::from_hours(1);

/// Every attack, in the order of the table.
pub(crate) const ATTACKS: &[Attack] = &[
    attack("heads that never end", 300, slow_head, true),
    attack("bodies that never end", 300, slow_body, true),
    attack("answers that nobody reads", 300, unread_answers, true),
    attack("streams read at 1 KiB/s", 100, slow_stream, true),
    attack("idle connections", 3000, idle, true),
    attack("idle connections of one address", 3000, idle, false),
    attack("callers that disconnect", 50, disconnect, false),
    attack("huge headers", 20, huge_headers, false),
    attack("endless bodies", 20, endless_body, false),
    attack("compressed bombs", 20, compressed_bomb, false),
    attack("unknown keys", 20, unknown_key, false),
    attack("a company that waits for a slow dbt Cloud", 1500, slow_dbt, true),
    attack("four lists of 10,000 runs of 10 KB", 4, large_list, false),
];

/// With `many_addresses` each attacker has an address of its own; else all meet the limit of one address.
const fn attack(
    name: &'static str,
    attackers: usize,
    run: fn(Target, usize) -> BoxFuture<'static, ()>,
    many_addresses: bool,
) -> Attack {
    Attack {
        name,
        attackers,
        run,
        many_addresses,
    }
}

fn slow_head(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        if let Some(stream) = target.connect().await {
            drip(
                stream,
                "GET /projects HTTP/1.1\r\nX-Slow: ",
                b"x",
                Duration::from_secs(1),
            )
            .await;
        }
    }
    .boxed()
}

fn slow_body(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let head = target.head(
            "POST",
            &format!("/metadata/query?account_id={ACCOUNT}"),
            "Content-Type: application/json\r\nContent-Length: 100000\r\n",
        );
        if let Some(stream) = target.connect().await {
            drip(stream, &head, b" ", Duration::from_secs(1)).await;
        }
    }
    .boxed()
}

/// Needs no key.
fn unread_answers(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let Some(mut stream) = target.connect_narrow().await else {
            return;
        };
        let request = "GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(20);
        while stream.write_all(request.as_bytes()).await.is_ok() {}
    }
    .boxed()
}

fn slow_stream(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let path = format!("/runs/1/artifacts/large.json?account_id={ACCOUNT}");
        let head = target.head("GET", &path, "");
        if let Some(mut stream) = target.connect_narrow().await
            && stream.write_all(head.as_bytes()).await.is_ok()
        {
            read_slowly(stream, 1024).await;
        }
    }
    .boxed()
}

fn idle(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        if let Some(stream) = target.connect().await {
            let mut buffer = [0];
            // Until the gateway closes it.
            let _ = tokio::time::timeout(LONG, stream.peek(&mut buffer)).await;
        }
    }
    .boxed()
}

fn disconnect(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let head = target.head("GET", &format!("/projects/{SLOW_PROJECT}?account_id={ACCOUNT}"), "");
        if let Some(mut stream) = target.connect().await {
            let _ = stream.write_all(head.as_bytes()).await;
            sleep(Duration::from_millis(5)).await;
        }
    }
    .boxed()
}

fn huge_headers(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let head = target.head("GET", "/projects", &format!("X-Huge: {}\r\n", "x".repeat(256 << 10)));
        if let Some(mut stream) = target.connect().await {
            let _ = stream.write_all(head.as_bytes()).await;
            read_all(stream).await;
        }
    }
    .boxed()
}

fn endless_body(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        let head = target.head(
            "POST",
            &format!("/metadata/query?account_id={ACCOUNT}"),
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        );
        let Some(mut stream) = target.connect().await else {
            return;
        };
        let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
        if stream.write_all(head.as_bytes()).await.is_ok() {
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        }
    }
    .boxed()
}

/// The beginning of a gzip stream; nothing may unpack it.
fn compressed_bomb(target: Target, _: usize) -> BoxFuture<'static, ()> {
    async move {
        const BYTES: usize = 512 << 10;
        let more = format!("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {BYTES}\r\n");
        let head = target.head("POST", &format!("/graphql?account_id={ACCOUNT}"), &more);
        if let Some(mut stream) = target.connect().await {
            let mut body = vec![0; BYTES];
            body[..4].copy_from_slice(&[0x1f, 0x8b, 8, 0]);
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
            read_all(stream).await;
        }
    }
    .boxed()
}

fn unknown_key(target: Target, number: usize) -> BoxFuture<'static, ()> {
    async move {
        let Some(mut stream) = target.connect().await else {
            return;
        };
        let mut text = String::new();
        for index in 0..10 {
            let key = format!("dbtgw_{number:08}{index:032}");
            text.extend([
                "GET /projects HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ",
                &key,
                "\r\n\r\n",
            ]);
        }
        text.push_str("GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(text.as_bytes()).await;
        read_all(stream).await;
    }
    .boxed()
}

fn slow_dbt(target: Target, _: usize) -> BoxFuture<'static, ()> {
    get(target, format!("/projects/{SLOW_PROJECT}?account_id={ACCOUNT}"))
}

fn large_list(target: Target, _: usize) -> BoxFuture<'static, ()> {
    get(target, format!("/runs?account_id={ACCOUNT}&page_size=10000"))
}

fn get(target: Target, path: String) -> BoxFuture<'static, ()> {
    async move {
        let head = target.head("GET", &path, "Connection: close\r\n");
        if let Some(mut stream) = target.connect().await
            && stream.write_all(head.as_bytes()).await.is_ok()
        {
            read_all(stream).await;
        }
    }
    .boxed()
}
