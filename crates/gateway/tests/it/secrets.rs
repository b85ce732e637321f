//! Encryption keys and companies, by the commands that operators use.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use simulator::acme;

use crate::support::{Caller, Gateway, Site, eventually, text};

/// A ring of keys; the same letter is the same key. 43 characters and one `=` are 32 bytes.
fn ring(letters: &[&str]) -> String {
    let key = |letter: &&str| format!("{letter}:{letter}{}=", "A".repeat(42));
    letters.iter().map(key).collect::<Vec<_>>().join(",")
}

fn order(site: &Site, name: &str) -> Value {
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
async fn a_rotation_seals_every_token_anew_and_a_missing_key_stops_the_start() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));

    let gateway = serve(&site, &ring(&["A"]));
    assert_eq!(
        admin
            .post(&gateway, "/credentials", &order(&site, "stored"))
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
    assert_eq!(text(&rotated).lines().last().unwrap(), "sealed anew: 1, already so: 0");
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
async fn the_key_beside_a_private_postgres_is_made_once_and_for_its_owner_alone() {
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
            .contains("a copy of this directory is a copy of the stored tokens"),
        "{}",
        gateway.log()
    );
    let file = site.data_dir().join("secret-keys");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let made = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        admin
            .post(&gateway, "/credentials", &order(&site, "stored"))
            .await
            .unwrap()
            .status,
        201
    );
    gateway.signal("KILL");
    gateway.wait();

    let gateway = start();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made);
    assert_eq!(
        admin.get(&gateway, "/projects?credential=stored").await.unwrap().status,
        200
    );
    gateway.stop();
}

#[tokio::test]
async fn a_company_made_by_command_sees_nothing_of_another() {
    let site = Site::new().await;
    let made = site
        .command(&["companies", "create", "--name", "Globex"])
        .output()
        .unwrap();
    let id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let stranger = Caller::new(&site.key_of("admin", &id));
    let gateway = site.serve();
    let path = format!("/projects?account_id={}", acme::ACCOUNT_ID);
    assert_eq!(stranger.get(&gateway, &path).await.unwrap().status, 404);
    assert_eq!(stranger.get(&gateway, "/credentials").await.unwrap().json()["count"], 0);
    assert_eq!(
        stranger.get(&gateway, "/credentials/default").await.unwrap().status,
        404
    );
    gateway.stop();
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_a_second_replica() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));
    let first = site.serve();
    let mut beside = site.command(&["serve"]);
    beside
        .env(
            "DATABASE_URL",
            format!(
                "postgres://postgres@localhost/dbt_gateway?host={}/run",
                site.data_dir().display()
            ),
        )
        .env("DBT_GATEWAY__SECRETS__KEYS_FILE", site.data_dir().join("secret-keys"));
    let second = Gateway::start(beside);

    let made = admin
        .post(&first, "/api-keys", &json!({"name": "leaked", "role": "viewer"}))
        .await
        .unwrap()
        .json();
    let leaked = Caller::new(made["key"].as_str().unwrap());
    for replica in [&first, &second] {
        assert_eq!(leaked.get(replica, "/projects").await.unwrap().status, 200);
    }
    assert_eq!(
        admin
            .delete(&first, &format!("/api-keys/{}", made["id"]))
            .await
            .unwrap()
            .status,
        204
    );
    assert_eq!(
        leaked.get(&first, "/projects").await.unwrap().status,
        401,
        "at once where it was revoked"
    );
    let revoked = std::time::Instant::now();
    eventually("the refusal by the second replica", async || {
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
