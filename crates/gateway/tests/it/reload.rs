//! Files that change while the gateway runs, and the log filter on SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use simulator::acme;

use crate::support::{Caller, Gateway, Site, eventually};

fn write(file: &Path, text: &str) {
    // Replaced at once, as a mounted secret is.
    let draft = file.with_extension("draft");
    fs::write(&draft, text).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&draft, file).unwrap();
}

fn ring(letters: &[&str]) -> String {
    let key = |letter: &&str| format!("{letter}:{letter}{}=", "A".repeat(42));
    letters.iter().map(key).collect::<Vec<_>>().join(",")
}

/// The header with which the gateway asks dbt Cloud.
async fn used_token(site: &Site, admin: &Caller, gateway: &Gateway) -> String {
    assert_eq!(admin.get(gateway, "/projects").await.unwrap().status, 200);
    let sent = site.dbt.requests();
    sent.last().unwrap().header("authorization").unwrap().to_owned()
}

#[tokio::test]
async fn token_keys_and_log_filter_are_read_again_without_a_restart() {
    let site = Site::new().await;
    let admin = Caller::new(&site.key("admin"));
    let directory = tempfile::tempdir().unwrap();
    let [token, keys, settings] = ["token", "keys", "settings.toml"].map(|name| directory.path().join(name));
    write(&token, &format!("{}\n", acme::TOKEN));
    write(&keys, &ring(&["A"]));
    write(&settings, "[log]\nfilter = \"info\"\n");
    let mut command = site.command(&["serve", "--config", settings.to_str().unwrap()]);
    command
        .env_remove("DBT_TOKEN")
        .env("DBT_TOKEN_FILE", &token)
        .env("DBT_GATEWAY__SECRETS__KEYS_FILE", &keys)
        .env("DBT_GATEWAY__SECRETS__RELOAD_SECS", "1")
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PRIVATE_ADDRESSES", "true")
        .env("DBT_GATEWAY__UPSTREAM__ALLOW_PLAIN_HTTP", "true");
    let mut gateway = Gateway::start(command);
    assert!(used_token(&site, &admin, &gateway).await.ends_with(acme::TOKEN));

    // By itself.
    write(&token, acme::USER_TOKEN);
    eventually("the new token", async || {
        used_token(&site, &admin, &gateway)
            .await
            .ends_with(acme::USER_TOKEN)
            .then_some(())
    })
    .await;

    // On SIGHUP: the new key encrypts at once, since this process is the only one.
    write(&keys, &ring(&["B", "A"]));
    write(&settings, "[log]\nfilter = \"info,gateway=debug\"\n");
    gateway.signal("HUP");
    gateway.wait_for_line("the log filter was read again");
    gateway.wait_for_line("the encryption keys were read again");
    let credential = json!({"name": "stored", "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": site.dbt.base_url()});
    assert_eq!(
        admin.post(&gateway, "/credentials", &credential).await.unwrap().status,
        201
    );
    let stored = site.rows("SELECT token_sealed FROM credential");
    assert!(
        stored[0]["token_sealed"].as_str().unwrap().starts_with("v1.B."),
        "{stored:?}"
    );
    assert_eq!(
        site.rows("SELECT key_ids FROM instance WHERE ended_at IS NULL")[0]["key_ids"],
        json!(["B", "A"])
    );

    // What cannot be used changes nothing.
    write(&keys, &ring(&["A"]));
    write(&token, "two tokens\n");
    gateway.signal("HUP");
    gateway.wait_for_line("is not one token");
    gateway.wait_for_line("stored tokens need the encryption key B");
    assert!(used_token(&site, &admin, &gateway).await.ends_with(acme::USER_TOKEN));
    let stored = admin.get(&gateway, "/projects?credential=stored").await.unwrap();
    assert_eq!(stored.status, 200, "{}", stored.body);
    gateway.stop();
}
