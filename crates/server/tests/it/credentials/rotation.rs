//! The rotation of the encryption key over several replicas, and credentials that cannot be read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use model::{InstanceId, Role};
use serde_json::{Value, json};
use simulator::{Config, RateLimit, acme};
use storage::{Credentials, CurrentKeys, Database, Instances, KeyRing};

use crate::support::{Answer, Setup, TestApp, eventually};

fn ring(ids: &[&str]) -> Arc<KeyRing> {
    let key = |id: &&str| format!("{id}:{}", STANDARD.encode([id.as_bytes()[1]; 32]));
    let keys: Vec<_> = ids.iter().map(key).collect();
    Arc::new(KeyRing::parse(&keys.join(",")).unwrap())
}

fn setup(ids: &[&str]) -> Setup {
    Setup {
        key_ring: Some(ring(ids)),
        // Each request reads the credentials again.
        key_max_age: Duration::from_millis(1),
        simulator: Config {
            rate_limit: RateLimit::OFF,
            ..Config::frozen()
        },
        ..Setup::default()
    }
}

fn credential(app: &TestApp, name: &str) -> Value {
    json!({"name": name, "account_id": acme::ACCOUNT_ID, "token": acme::TOKEN, "access_url": app.dbt.base_url()})
}

/// Stores a credential through the gateway at `url`.
async fn store(app: &TestApp, url: &str, name: &str) {
    let admin = app.caller(Role::Admin);
    admin
        .post(&format!("{url}/credentials"), &credential(app, name))
        .await
        .expect(201);
}

async fn use_credential(app: &TestApp, url: &str, name: &str) -> Answer {
    let viewer = app.viewer();
    let request = viewer.request(Method::GET, &format!("{url}/projects/{}", acme::PROJECT_ID));
    viewer.send(request.header("x-dbt-credential", name)).await
}

struct Replica {
    url: String,
    keys: CurrentKeys,
    id: InstanceId,
}

/// Requests by every replica with every stored credential, until `done`.
struct Load {
    names: Mutex<BTreeSet<String>>,
    sent: AtomicUsize,
    failed: Mutex<Vec<String>>,
    done: AtomicBool,
}

impl Load {
    async fn run(&self, app: &TestApp, url: &str) {
        while !self.done.load(Ordering::Relaxed) {
            let names: Vec<_> = self.names.lock().unwrap().iter().cloned().collect();
            tokio::task::yield_now().await;
            for name in names {
                let answer = use_credential(app, url, &name).await;
                self.sent.fetch_add(1, Ordering::Relaxed);
                if answer.status != 200 {
                    self.failed
                        .lock()
                        .unwrap()
                        .push(format!("{url} {name}: {}", answer.text));
                }
            }
        }
    }

    /// Waits until every credential has been used some more.
    async fn goes_on(&self) {
        let enough = self.sent.load(Ordering::Relaxed) + 30;
        eventually(async || (self.sent.load(Ordering::Relaxed) >= enough).then_some(())).await;
    }
}

#[tokio::test]
async fn a_rotation_of_the_encryption_key_over_three_replicas_under_load_fails_no_request() {
    let app = setup(&["k1"]).start().await;
    let database = Database::from(app.database.pool().clone());
    let instances = Instances::new(&database);
    let mut replicas = Vec::new();
    for number in 0..3 {
        let (url, keys) = app.replica(&setup(&["k1"])).await;
        let id = instances.register(&format!("host-{number}"), "test").await.unwrap();
        instances.publish_keys(id, &keys.ids()).await.unwrap();
        replicas.push(Replica { url, keys, id });
    }
    let load = Load {
        names: Mutex::default(),
        sent: AtomicUsize::new(0),
        failed: Mutex::default(),
        done: AtomicBool::new(false),
    };
    let rotate = async {
        let store = async |url: &str, name: String| {
            store(&app, url, &name).await;
            load.names.lock().unwrap().insert(name);
            load.goes_on().await;
        };
        store(&replicas[0].url, "before".to_owned()).await;
        for (phase, ids) in [("both", &["k2", "k1"][..]), ("new", &["k2"][..])] {
            for (number, Replica { url, keys, id }) in replicas.iter().enumerate() {
                instances.replace_keys(*id, keys, ring(ids)).await.unwrap();
                store(url, format!("{phase}-{number}")).await;
            }
            if phase == "both" {
                let report = Credentials::new(&database, Some(ring(ids))).rotate().await.unwrap();
                assert!(report.re_encrypted > 0 && report.already > 0, "{report:?}");
                load.goes_on().await;
            }
        }
        load.done.store(true, Ordering::Relaxed);
    };
    let [first, second, third] = &replicas[..] else {
        unreachable!()
    };
    tokio::join!(
        rotate,
        load.run(&app, &first.url),
        load.run(&app, &second.url),
        load.run(&app, &third.url),
    );
    let failed = load.failed.into_inner().unwrap();
    println!(
        "{} requests of 3 replicas during the rotation, {} failed",
        load.sent.into_inner(),
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn a_credential_that_cannot_be_read_fails_alone_and_the_gateway_stays_ready() {
    let app = setup(&["k1"]).start().await;
    for name in ["fine", "foreign", "damaged"] {
        store(&app, &app.url, name).await;
    }
    let set = |name: &str, text: &str| format!("UPDATE credential SET token_sealed = '{text}' WHERE name = '{name}'");
    // Nonce and tag of an empty token.
    let foreign = format!("v1.k9.{}", STANDARD_NO_PAD.encode([0; 40]));
    for statement in [set("foreign", &foreign), set("damaged", "v1.k1.AAAA")] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(app.database.pool())
            .await
            .unwrap();
    }
    let works = async |name: &str| use_credential(&app, &app.url, name).await.status == 200;
    eventually(async || (!works("damaged").await).then_some(())).await;

    for (name, reason) in [("foreign", "k9"), ("damaged", "form")] {
        let answer = use_credential(&app, &app.url, name).await;
        answer.problem(503, "credential-unreadable");
        let detail = answer.detail();
        for part in [name, reason, "PATCH", "dbt Cloud was not contacted"] {
            assert!(detail.contains(part), "{detail}");
        }
        assert_eq!(app.row_of(&answer).await["outcome"], "refused");
        let relayed = app.viewer();
        let request = relayed.request(Method::GET, &format!("/api/v2/accounts/{}/jobs/", acme::ACCOUNT_ID));
        let relayed = relayed.send(request.header("x-dbt-credential", name)).await;
        assert!(
            relayed.expect(503)["status"]["user_message"]
                .as_str()
                .unwrap()
                .contains(name)
        );
    }
    assert!(works("fine").await);
    assert_eq!(
        app.viewer().get("/projects").await.status,
        200,
        "the default of the account"
    );

    let admin = app.caller(Role::Admin);
    let ready = admin.get("/readyz").await.expect(200);
    let checks = ready["checks"].as_array().unwrap().clone();
    let keys = checks.iter().find(|check| check["name"] == "encryption_keys").unwrap();
    assert_eq!(keys["ok"], true);
    assert!(keys["message"].as_str().unwrap().contains("k9"), "{keys}");
    let line = app
        .metrics()
        .lines()
        .find(|line| line.starts_with("dbt_gateway_credentials_unreadable_total"))
        .unwrap()
        .to_owned();
    assert!(!line.ends_with(" 0"), "{line}");
    admin
        .patch("/credentials/damaged", &json!({"token": acme::TOKEN}))
        .await
        .expect(200);
    assert!(works("damaged").await, "stored again");
}
