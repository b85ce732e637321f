//! Encryption keys, companies and revoked keys, with the operators' commands.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use simulator::acme;

use crate::support::{Caller, Gateway, Site, eventually, text};

/// Encryption keys, one per letter: 43 characters and one `=` are 32 bytes.
fn ring(letters: &[&str]) -> String {
    let key = |letter: &&str| format!("{letter}:{letter}{}=", "A".repeat(42));
    letters.iter().map(key).collect::<Vec<_>>().join(",")
}

fn credential(site: &Site, name: &str) -> Value {
    json!({"name": name, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": site.dbt.base_url()})
}

fn serve(site: &Site, ring: &str) -> Gateway {
    let mut command = site.command(&["serve"]);
    command
        .env("DBT_GATEWAY_SECRET_KEYS", ring)
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PRIVATE_ADDRESSES", "true")
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PLAIN_HTTP", "true");
    Gateway::start(command)
}

#[tokio::test]
async fn rotate_re_encrypts_every_token_and_a_missing_key_stops_the_start() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));

    let gateway = serve(&site, &ring(&["A"]));
    assert_eq!(
        admin
            .post(&gateway, "/credentials", &credential(&site, "stored"))
            .await
            .unwrap()
            .status,
        201
    );
    gateway.stop();

    let gateway = serve(&site, &ring(&["B", "A"]));
    let rotated = site
        .command(&["secrets", "rotate"])
        .env("DBT_GATEWAY_SECRET_KEYS", ring(&["B", "A"]))
        .output()
        .unwrap();
    assert_eq!(
        text(&rotated).lines().last().unwrap(),
        "re-encrypted: 1, already current: 0"
    );
    gateway.stop();

    let gateway = serve(&site, &ring(&["B"]));
    let answer = admin.get(&gateway, "/projects?credential=stored").await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    gateway.stop();

    let refused = site
        .command(&["serve"])
        .env("DBT_GATEWAY_SECRET_KEYS", ring(&["A"]))
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(
        text(&refused).contains("need the encryption key B"),
        "{}",
        text(&refused)
    );
}

#[tokio::test]
async fn the_key_beside_a_private_postgres_is_created_once_and_readable_only_by_its_owner() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));
    let start = || {
        let mut command = site.command(&["serve"]);
        command
            .env("DBT_GATEWAY__UPSTREAM__ALLOW_PRIVATE_ADDRESSES", "true")
            .env("DBT_GATEWAY__UPSTREAM__ALLOW_PLAIN_HTTP", "true");
        Gateway::start(command)
    };
    let mut gateway = start();
    assert!(
        gateway
            .log()
            .contains("a copy of this directory reveals the stored tokens"),
        "{}",
        gateway.log()
    );
    let file = site.data_dir().join("secret-keys");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let created = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        admin
            .post(&gateway, "/credentials", &credential(&site, "stored"))
            .await
            .unwrap()
            .status,
        201
    );
    gateway.signal("KILL");
    gateway.wait();

    let gateway = start();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), created);
    assert_eq!(
        admin.get(&gateway, "/projects?credential=stored").await.unwrap().status,
        200
    );
    gateway.stop();
}

#[tokio::test]
async fn a_created_company_has_no_access_to_another() {
    let site = Site::new().await;
    let created = site
        .command(&["companies", "create", "--name", "Globex"])
        .output()
        .unwrap();
    let id = String::from_utf8(created.stdout).unwrap().trim().to_owned();
    let other = Caller::new(&site.key_for("admin", &id));
    let gateway = site.serve();
    let path = format!("/projects?account_id={}", acme::ACCOUNT_ID);
    assert_eq!(other.get(&gateway, &path).await.unwrap().status, 404);
    assert_eq!(other.get(&gateway, "/credentials").await.unwrap().json()["count"], 0);
    assert_eq!(other.get(&gateway, "/credentials/default").await.unwrap().status, 404);
    gateway.stop();
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_a_second_replica() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));
    let first = site.serve();
    let mut second = site.command(&["serve"]);
    second
        .env(
            "DATABASE_URL",
            format!(
                "postgres://postgres@localhost/dbt_gateway?host={}/run",
                site.data_dir().display()
            ),
        )
        .env("DBT_GATEWAY__SECRETS__KEYS_FILE", site.data_dir().join("secret-keys"));
    let second = Gateway::start(second);

    let created = admin
        .post(&first, "/api-keys", &json!({"name": "leaked", "role": "viewer"}))
        .await
        .unwrap()
        .json();
    let leaked = Caller::new(created["key"].as_str().unwrap());
    for replica in [&first, &second] {
        assert_eq!(leaked.get(replica, "/projects").await.unwrap().status, 200);
    }
    assert_eq!(
        admin
            .delete(&first, &format!("/api-keys/{}", created["id"]))
            .await
            .unwrap()
            .status,
        204
    );
    assert_eq!(
        leaked.get(&first, "/projects").await.unwrap().status,
        401,
        "immediately at the replica that revoked it"
    );
    let revoked = std::time::Instant::now();
    eventually("the 401 of the second replica", async || {
        leaked
            .get(&second, "/projects")
            .await
            .ok()
            .filter(|answer| answer.status == 401)
    })
    .await;
    println!("refused by the second replica after {:?}", revoked.elapsed());
    second.stop();
    first.stop();
}
