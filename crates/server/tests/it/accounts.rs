//! The accounts that a key may use: listed, each read with its own credential, and a single one.

use model::{CompanyId, Role};
use serde_json::{Value, json};
use simulator::{Fault, acme, globex};

use crate::support::{COMPANY, Setup, TestApp};

/// Company 1 has Globex's account and Acme's, not in the order of their ids.
fn two_accounts() -> Setup {
    let mut setup = Setup::default();
    let globex = (COMPANY, globex::ACCOUNT_ID, globex::TOKEN.to_owned());
    setup.accounts.insert(0, globex);
    setup
}

/// Request line and token of each request to dbt Cloud since the last call.
fn sent(app: &TestApp) -> Vec<(String, String)> {
    let mut sent: Vec<_> = app
        .dbt
        .requests()
        .iter()
        .map(|request| {
            let token = request.header("authorization").unwrap().replace("Token ", "");
            (format!("{} {}", request.method, request.target), token)
        })
        .collect();
    app.dbt.clear_requests();
    sent.sort();
    sent
}

fn read(account: i64, token: &str) -> (String, String) {
    (format!("GET /api/v2/accounts/{account}/"), token.to_owned())
}

#[tokio::test]
async fn each_account_is_read_with_its_own_credential_in_one_row() {
    let app = two_accounts().start().await;
    let answer = app.viewer().get("/accounts").await;
    assert_eq!(answer.ids(), [acme::ACCOUNT_ID, globex::ACCOUNT_ID], "by id");
    let list = answer.json();
    assert_eq!(
        (&list["count"], &list["next"], &list["previous"]),
        (&json!(2), &Value::Null, &Value::Null)
    );
    assert_eq!(list["results"][1]["name"], "Globex");
    assert_eq!(
        sent(&app),
        [
            read(acme::ACCOUNT_ID, acme::TOKEN),
            read(globex::ACCOUNT_ID, globex::TOKEN)
        ]
    );
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["request_type"], &row["outcome"], &row["attempts"]),
        (&json!("list_accounts"), &json!("succeeded"), &json!(2))
    );
    assert_eq!((&row["account_id"], &row["credential"]), (&Value::Null, &Value::Null));
    let exchanges = row["exchanges"].as_array().unwrap();
    let mut accounts: Vec<_> = exchanges
        .iter()
        .map(|each| each["account_id"].as_i64().unwrap())
        .collect();
    accounts.sort_unstable();
    assert_eq!(
        accounts,
        [acme::ACCOUNT_ID, globex::ACCOUNT_ID],
        "each exchange has its account"
    );
    assert!(exchanges.iter().all(|each| each["operation"] == "get_account"));
}

#[tokio::test]
async fn a_page_of_accounts_reads_only_its_accounts() {
    let app = two_accounts().start().await;
    let first = app.viewer().get("/accounts?page_size=1").await;
    assert_eq!(
        (first.ids(), &first.json()["count"]),
        (vec![acme::ACCOUNT_ID], &json!(2))
    );
    assert_eq!(sent(&app), [read(acme::ACCOUNT_ID, acme::TOKEN)]);
    let second = app.viewer().get(first.json()["next"].as_str().unwrap()).await;
    assert_eq!(
        (second.ids(), &second.json()["next"]),
        (vec![globex::ACCOUNT_ID], &Value::Null)
    );
    let past = app.viewer().get("/accounts?page=9").await;
    assert_eq!((past.ids(), &past.json()["count"]), (vec![], &json!(2)));
    assert_eq!(app.row_of(&past).await["attempts"], 0);
}

#[tokio::test]
async fn a_key_with_a_list_of_accounts_sees_only_those() {
    let app = two_accounts().start().await;
    let key = app.create_key(COMPANY, Role::Viewer).await;
    app.update_key(&key, "accounts = '{70403103900002}'").await;
    let answer = app.with_key(&key).get("/accounts").await;
    assert_eq!(answer.ids(), [globex::ACCOUNT_ID]);
    let row = app.row_of(&answer).await;
    assert_eq!(row["account_id"], globex::ACCOUNT_ID, "the row has the only account");
    let other = app.with_key(&key).get(&format!("/accounts/{}", acme::ACCOUNT_ID)).await;
    other.problem(404, "not-found");
    assert_eq!(sent(&app), [read(globex::ACCOUNT_ID, globex::TOKEN)]);
}

#[tokio::test]
async fn a_company_sees_its_own_accounts_or_an_empty_list() {
    let mut setup = Setup::default();
    setup
        .accounts
        .push((CompanyId(2), globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    let app = setup.start().await;
    let mut lists = Vec::new();
    for name in ["Globex", "Nothing yet"] {
        let company = app.create_company(name).await;
        let key = app.create_key(company, Role::Viewer).await;
        let answer = app.with_key(&key).get("/accounts").await;
        assert_eq!(app.row_of(&answer).await["outcome"], "succeeded");
        lists.push(answer.ids());
    }
    lists.push(app.viewer().get("/accounts").await.ids());
    assert_eq!(lists, [vec![globex::ACCOUNT_ID], vec![], vec![acme::ACCOUNT_ID]]);
}

#[tokio::test]
async fn a_named_credential_lists_only_its_account() {
    let app = two_accounts().start().await;
    let admin = app.caller(Role::Admin);
    let credential = json!({
        "name": "personal", "account_id": acme::ACCOUNT_ID, "token": acme::USER_TOKEN, "access_url": app.dbt.base_url(),
    });
    admin.post("/credentials", &credential).await.expect(201);
    assert_eq!(
        app.viewer().get("/accounts").await.ids().len(),
        2,
        "an account is listed once"
    );
    app.dbt.clear_requests();
    for path in ["/accounts", &format!("/accounts/{}", acme::ACCOUNT_ID)] {
        let by_query = app.viewer().get(&format!("{path}?credential=personal")).await;
        let request = app.viewer().request(reqwest::Method::GET, path);
        let by_header = app.viewer().send(request.header("X-Dbt-Credential", "personal")).await;
        assert_eq!(by_query.expect(200), by_header.expect(200));
        assert_eq!(
            sent(&app),
            [
                read(acme::ACCOUNT_ID, acme::USER_TOKEN),
                read(acme::ACCOUNT_ID, acme::USER_TOKEN)
            ]
        );
    }
    let unknown = app.viewer().get("/accounts?credential=unknown").await;
    unknown.problem(404, "not-found");
    assert_eq!(app.row_of(&unknown).await["outcome"], "refused");
    let other = format!("/accounts/{}?credential=personal", globex::ACCOUNT_ID);
    app.viewer().get(&other).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_failed_account_fails_the_list_and_is_named() {
    let app = two_accounts().start().await;
    let path = format!("/api/v2/accounts/{}/", globex::ACCOUNT_ID);
    for (status, expected, kind, outcome) in [
        (401, 502, "dbt-credentials-refused", "credentials"),
        (404, 502, "dbt-credentials-refused", "credentials"),
        (500, 502, "dbt-unavailable", "unexpected_status"),
        (429, 429, "rate-limit", "too_many_requests"),
    ] {
        app.dbt.clear_faults();
        app.dbt.add_fault(Fault::on("GET", &path).status(status));
        let answer = app.viewer().get("/accounts").await;
        answer.problem(expected, kind);
        let start = format!("Account {}: dbt Cloud", globex::ACCOUNT_ID);
        assert!(answer.detail().starts_with(&start), "{}", answer.detail());
        let row = app.row_of(&answer).await;
        assert_eq!(row["outcome"], outcome, "{row:#}");
        let error = row["error"].as_str().unwrap();
        assert!(
            error.starts_with(&format!("account {}: ", globex::ACCOUNT_ID)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn one_account_is_read_by_its_id() {
    let app = two_accounts().start().await;
    let answer = app.viewer().get(&format!("/accounts/{}", acme::ACCOUNT_ID)).await;
    let account = answer.expect(200);
    assert_eq!(
        (&account["id"], &account["state"]),
        (&json!(acme::ACCOUNT_ID), &json!(1))
    );
    assert_eq!(sent(&app), [read(acme::ACCOUNT_ID, acme::TOKEN)]);
    let listed = app.viewer().get("/accounts").await.expect(200);
    assert_eq!(listed["results"][0], account, "the list has the same fields");
    let row = app.row_of(&answer).await;
    assert_eq!(
        (&row["request_type"], &row["account_id"]),
        (&json!("get_account"), &json!(acme::ACCOUNT_ID))
    );
    app.viewer().get("/accounts/4711").await.problem(404, "not-found");
    app.viewer().get("/accounts/acme").await.problem(400, "invalid-request");
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_with_the_valid_ones() {
    let app = TestApp::start().await;
    let answer = app.viewer().get("/accounts?account_id=1").await;
    answer.problem(400, "invalid-request");
    assert_eq!(
        answer.detail(),
        "In the query: account_id: unknown field `account_id`, expected one of `credential`, `page`, `page_size`."
    );
    for query in ["page=0", "page_size=10001", "page=x"] {
        let answer = app.viewer().get(&format!("/accounts?{query}")).await;
        answer.problem(400, "invalid-request");
    }
    assert!(app.dbt.requests().is_empty());
}
