//! No company can read or change records of another: the admin of a second company sends every operation with the ids
//! and names of the first.

use model::{CompanyId, Effect, RequestType, Role};
use serde_json::{Value, json};
use simulator::{acme, globex};

use crate::support::{Answer, COMPANY, Names, Setup, TestApp, operations, other_ids, with_parameter};

/// No text with this mark may reach the other company.
const MARK: &str = "acme-only";

/// How a request names the records of the first company.
enum Selector {
    /// By ids alone; the account is that of the second company.
    Ids,
    /// By the account of the first company.
    Account,
    /// By a credential of the first company, in the query.
    Credential,
    /// By a credential of the first company, in the header.
    Header,
}

/// The records of the first company, and an admin key of the second.
async fn two_companies() -> (TestApp, Names, String) {
    let second = CompanyId(2);
    let mut setup = Setup::default();
    setup
        .accounts
        .push((second, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    let app = setup.start().await;
    assert_eq!(app.create_company("Globex").await, second);
    let admin = app.caller(Role::Admin);
    let credential = json!({
        "name": MARK, "account_id": acme::ACCOUNT_ID, "token": acme::USER_TOKEN, "access_url": app.dbt.base_url(),
        "metadata_url": format!("{MARK}.example"),
    });
    admin.post("/credentials", &credential).await.expect(201);
    let key = admin
        .post("/api-keys", &json!({"name": MARK, "role": "viewer"}))
        .await
        .expect(201);
    // Refused without contacting dbt Cloud.
    let logged = admin.get("/projects?account_id=4711").await;
    let names = Names {
        account: acme::ACCOUNT_ID,
        project: acme::PROJECT_ID,
        job: acme::NIGHTLY_JOB_ID,
        run: acme::SUCCEEDED_RUN_ID,
        running_run: acme::FAILED_RUN_ID,
        failed_run: acme::FAILED_RUN_ID,
        credential: MARK.to_owned(),
        api_key: key["id"].as_i64().unwrap(),
        request_uuid: logged.request_uuid(),
        unused_name: String::new(),
        other_ids: other_ids(&app, acme::ACCOUNT_ID).await,
    };
    app.dbt.clear_requests();
    let other_admin = app.create_key(second, Role::Admin).await;
    (app, names, other_admin)
}

/// Every credential and key of the first company.
async fn stored(app: &TestApp) -> Vec<Value> {
    sqlx::query_scalar(
        "SELECT to_jsonb(credential) FROM credential WHERE company_id = $1
         UNION ALL SELECT to_jsonb(api_key) FROM api_key WHERE company_id = $1",
    )
    .bind(COMPANY.0)
    .fetch_all(app.database.pool())
    .await
    .unwrap()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one walk over all operations")]
async fn nothing_of_another_company_is_found_by_any_operation() {
    let (app, names, other_admin) = Box::pin(two_companies()).await;
    let other_admin = app.with_key(&other_admin);
    app.clock.advance(chrono::TimeDelta::seconds(1));
    let before = stored(&app).await;
    let marks = [
        MARK.to_owned(),
        format!("\"id\":{}", names.api_key),
        acme::ACCOUNT_ID.to_string(),
    ];
    let mut sent = 0;
    for operation in operations() {
        let Some(request_type) = operation.request_type() else {
            continue;
        };
        let address = operation.address(&names);
        for selector in [Selector::Ids, Selector::Account, Selector::Credential, Selector::Header] {
            let at_dbt = request_type.client_type().is_some();
            let (address, header) = match selector {
                Selector::Ids => (address.clone(), None),
                Selector::Account if operation.takes("account_id") => {
                    (with_parameter(&address, &format!("account_id={}", names.account)), None)
                }
                Selector::Credential if operation.takes("credential") => {
                    (with_parameter(&address, &format!("credential={MARK}")), None)
                }
                Selector::Header => (address.clone(), Some(MARK)),
                Selector::Account | Selector::Credential => {
                    // These name the account or credential in the path, or read all accounts.
                    let exceptions = [
                        RequestType::VerifyCredential,
                        RequestType::GetAccount,
                        RequestType::ListAccounts,
                    ];
                    assert!(
                        !at_dbt || exceptions.contains(&request_type),
                        "{} names no account",
                        operation.id
                    );
                    continue;
                }
            };
            sent += 1;
            let names = Names {
                unused_name: format!("free-{sent}"),
                ..names.clone()
            };
            let mut request = other_admin.request(operation.method.clone(), &address);
            if let Some(name) = header {
                request = request.header("X-Dbt-Credential", name);
            }
            if let Some(body) = operation.body(&names) {
                request = request.json(&body);
            }
            let answer = other_admin.send(request).await;
            if is_own_log(&app, request_type, &answer).await {
                continue;
            }
            if request_type == RequestType::GetMetrics {
                // Metrics cover the whole process, so only company 1 may read them.
                answer.problem(403, "forbidden");
                continue;
            }
            if request_type == RequestType::CreateJob && header.is_none() && address == operation.path {
                // In the account of the other company, which has no such project.
                answer.problem(400, "invalid-request");
                continue;
            }
            let is_graphql = matches!(
                request_type,
                RequestType::QueryMetadata | RequestType::QuerySemanticLayer
            );
            if is_graphql && header.is_none() && address == operation.path {
                // In the account of the other company, which has no such id.
                answer.problem(422, "graphql-errors");
                continue;
            }
            // Lists and creations of the other company succeed, without records of the first.
            let own = match request_type {
                _ if (at_dbt || request_type == RequestType::GetBudget)
                    && request_type.effect() == Effect::Read
                    && !operation.path.contains('{') =>
                {
                    header.is_none() && address == operation.path
                }
                RequestType::CreateCredential
                | RequestType::CreateApiKey
                | RequestType::ListCredentials
                | RequestType::ListApiKeys => true,
                _ => false,
            };
            if own {
                assert!(
                    answer.status.is_success(),
                    "{} {address}: {}",
                    operation.id,
                    answer.text
                );
                // A new credential may be for any account, with its own token.
                let text = answer.text.replace(&format!("\"account_id\":{}", names.account), "");
                for mark in &marks {
                    assert!(!text.contains(mark.as_str()), "{} shows {mark}: {text}", operation.id);
                }
                if request_type == RequestType::CreateCredential {
                    // Otherwise the other company would have the account too.
                    let path = format!("/credentials/{}", names.unused_name);
                    assert_eq!(other_admin.delete(&path).await.status, 204);
                }
            } else {
                let problem = answer.problem(404, "not-found");
                assert!(
                    problem.get("accounts").is_none() && problem.get("errors").is_none(),
                    "{problem:#}"
                );
            }
        }
    }
    println!("{sent} requests of the other company");
    assert_eq!(stored(&app).await, before, "nothing of the first company is changed");
    let tokens = [acme::TOKEN, acme::USER_TOKEN];
    for request in app.dbt.requests() {
        let authorization = request.header("authorization").unwrap();
        assert!(
            !tokens.iter().any(|token| authorization.contains(token)),
            "{}",
            request.path()
        );
    }
}

/// Whether this is an answer from the request log, which must have only rows of the other company. These may contain the
/// requested ids.
async fn is_own_log(app: &TestApp, request_type: RequestType, answer: &Answer) -> bool {
    let requests = match request_type {
        RequestType::ListRequestLogs => answer.expect(200)["results"].as_array().unwrap().clone(),
        RequestType::ExportRequestLogs => answer.bodies(),
        RequestType::SummarizeRequestLogs => {
            // At most the creation of the key of the other company.
            assert!(answer.expect(200)["count"].as_i64().unwrap() <= 1, "{}", answer.text);
            return true;
        }
        _ => return false,
    };
    assert!(!requests.is_empty());
    let own: Vec<String> = sqlx::query_scalar("SELECT request_uuid::text FROM request_log WHERE company_id = 2")
        .fetch_all(app.database.pool())
        .await
        .unwrap();
    for request in requests {
        let id = request["request_uuid"].as_str().unwrap();
        assert!(own.iter().any(|each| each == id), "{request:#}");
    }
    true
}

#[tokio::test]
async fn rows_belong_to_the_company_of_the_caller() {
    let (app, names, other_admin) = Box::pin(two_companies()).await;
    let other_admin = app.with_key(&other_admin);
    let path = format!("/projects?account_id={}", names.account);
    other_admin.get(&path).await.problem(404, "not-found");
    other_admin
        .post(&format!("/credentials/{MARK}/verify"), &json!(null))
        .await
        .problem(404, "not-found");
    let rows = app.rows().await;
    let (first, second): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["company_id"] == COMPANY.0);
    assert_eq!(
        (first.len(), second.len()),
        (3 + names.other_ids.len(), 2),
        "the first company has the rows of the setup"
    );
    for row in second {
        assert_eq!(
            (&row["company_id"], &row["outcome"]),
            (&json!(2), &json!("refused")),
            "{row:#}"
        );
    }
}

#[tokio::test]
async fn two_companies_can_have_the_same_account_with_separate_credentials() {
    let (app, _, other_admin) = Box::pin(two_companies()).await;
    let other_admin = app.with_key(&other_admin);
    // The same name and account, with another token.
    let credential = json!({
        "name": MARK, "account_id": acme::ACCOUNT_ID, "token": "dbtc_of_globex", "access_url": app.dbt.base_url(),
    });
    other_admin.post("/credentials", &credential).await.expect(201);
    let path = format!("/projects?account_id={}", acme::ACCOUNT_ID);
    other_admin.get(&path).await.problem(502, "dbt-credentials-refused");
    let sent = app.dbt.requests();
    assert_eq!(
        sent.last().unwrap().header("authorization"),
        Some("Token dbtc_of_globex")
    );
    assert_eq!(app.viewer().get(&path).await.status, 200);

    let deleted = other_admin.delete(&format!("/credentials/{MARK}")).await;
    assert_eq!(deleted.status, 204);
    let first = app
        .caller(Role::Admin)
        .get(&format!("/credentials/{MARK}"))
        .await
        .expect(200);
    assert_eq!(first["metadata_url"], format!("https://{MARK}.example/"));
}
