//! Difference 4: the list of accounts has those of the company that the key may use.

use model::Role;
use serde_json::{Value, json};
use simulator::{Effect, Fault, FaultBody, acme, globex};

use super::{refusal, v2};
use crate::support::{Answer, COMPANY, Setup, TestApp};

fn two_accounts() -> Setup {
    let mut setup = Setup::default();
    let globex = (COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned());
    setup.accounts.insert(0, globex);
    setup
}

fn ids(answer: &Answer) -> Vec<i64> {
    let list = answer.expect(200);
    let accounts = list["data"].as_array().unwrap();
    accounts.iter().map(|account| account["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_accounts_of_the_company_are_listed_each_read_with_its_own_token() {
    let app = two_accounts().start().await;
    for (path, name) in [
        ("/api/v3/accounts/", "list_accounts"),
        ("/api/v3/accounts", "list_accounts"),
        ("/api/v2/accounts/", "list_accounts_v2"),
        ("/api/v2/accounts?limit=5", "list_accounts_v2"),
    ] {
        app.dbt.clear_requests();
        let answer = app.viewer().get(path).await;
        assert_eq!(ids(&answer), [acme::ACCOUNT_ID, globex::ACCOUNT_ID]);
        let list = answer.json();
        assert_eq!(
            list["status"],
            json!({"code": 200, "is_success": true, "user_message": "Success!", "developer_message": ""})
        );
        assert_eq!(list["extra"]["pagination"], json!({"count": 2, "total_count": 2}));
        let sent = app.dbt.requests();
        assert_eq!(sent.len(), 2);
        for (account, token) in [(acme::ACCOUNT_ID, acme::TOKEN), (globex::ACCOUNT_ID, globex::TOKEN)] {
            let request = sent
                .iter()
                .find(|each| each.path() == format!("/api/v2/accounts/{account}/"))
                .unwrap();
            assert_eq!(request.header("authorization"), Some(&*format!("Token {token}")));
            assert_eq!(request.header("accept-encoding"), Some("identity"));
        }
        let row = app.row_of(&answer).await;
        assert_eq!(
            (&row["request_type"], &row["surface"], &row["attempts"]),
            (&json!(name), &json!("dbt"), &json!(2))
        );
        assert_eq!(row["account_id"], Value::Null);
    }
}

#[tokio::test]
async fn each_account_is_passed_on_unchanged_except_its_static_subdomain() {
    for keep in [false, true] {
        let mut setup = two_accounts();
        setup.relay.keep_static_subdomain = keep;
        let app = setup.start().await;
        let direct = app.http.get(format!("{}{}", app.dbt.base_url(), v2("/")));
        let direct = direct
            .header("authorization", format!("Token {}", acme::TOKEN))
            .send()
            .await
            .unwrap();
        let mut direct: Value = serde_json::from_str(&direct.text().await.unwrap()).unwrap();
        assert_eq!(direct["data"]["static_subdomain"], "ac123");
        if !keep {
            direct["data"]["static_subdomain"] = Value::Null;
        }
        let list = app.viewer().get("/api/v3/accounts/").await.expect(200);
        assert_eq!(list["data"][0], direct["data"]);
    }
}

#[tokio::test]
async fn a_key_sees_only_the_accounts_on_its_list_and_a_company_only_its_own() {
    let app = two_accounts().start().await;
    let limited = app.create_key(COMPANY, Role::Admin).await;
    app.update_key(&limited, "accounts = '{70403103900002}'").await;
    assert_eq!(
        ids(&app.with_key(&limited).get("/api/v3/accounts/").await),
        [globex::ACCOUNT_ID]
    );
    let other = app.create_company("Other").await;
    let other_key = app.create_key(other, Role::Admin).await;
    assert_eq!(ids(&app.with_key(&other_key).get("/api/v3/accounts/").await), [0; 0]);
}

#[tokio::test]
async fn an_account_that_cannot_be_read_fails_the_list() {
    let app: TestApp = two_accounts().start().await;
    let effect = Effect::Answer {
        status: 401,
        body: FaultBody::Envelope,
        headers: Vec::new(),
        work_done: false,
    };
    let path_prefix = format!("/api/v2/accounts/{}/", globex::ACCOUNT_ID);
    app.dbt.add_fault(Fault {
        path_prefix,
        effect,
        ..Fault::default()
    });
    let answer = app.viewer().get("/api/v3/accounts/").await;
    assert!(refusal(&answer, 502).contains(&globex::ACCOUNT_ID.to_string()));
    assert_eq!(app.row_of(&answer).await["outcome"], "credentials");
}
