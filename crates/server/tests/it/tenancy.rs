//! No company sees or touches what is another's: every operation asked by the admin of a second company for the things
//! of the first.

use model::{CompanyId, RequestType, Role};
use serde_json::{Value, json};
use simulator::{acme, globex};

use crate::support::{Answer, COMPANY, Names, Setup, TestApp, operations};

/// Nothing that holds this may reach the other company.
const MARK: &str = "acme-only";

/// What a foreigner asks with.
enum Way {
    /// The ids alone: the account is the foreigner's own.
    Ids,
    /// The first company's account, by name.
    Account,
    /// The first company's credential, in the query.
    Credential,
    /// The first company's credential, in the header.
    Header,
}

/// The first company's things, and the key of the second one's admin.
async fn neighbours() -> (TestApp, Names, String) {
    let second = CompanyId(2);
    let mut setup = Setup::default();
    setup
        .accounts
        .push((second, globex::ACCOUNT_ID, globex::TOKEN.to_owned()));
    let app = setup.start().await;
    assert_eq!(app.make_company("Globex").await, second);
    let admin = app.caller(Role::Admin);
    let order = json!({
        "name": MARK, "account_id": acme::ACCOUNT_ID, "token": acme::USER_TOKEN, "access_url": app.dbt.base_url(),
        "metadata_url": format!("{MARK}.example"),
    });
    admin.post("/credentials", &order).await.expect(201);
    let key = admin
        .post("/api-keys", &json!({"name": MARK, "role": "viewer"}))
        .await
        .expect(201);
    // dbt Cloud is not asked.
    let on_record = admin.get("/projects?account_id=4711").await;
    let names = Names {
        account: acme::ACCOUNT_ID,
        project: acme::PROJECT_ID,
        job: acme::NIGHTLY_JOB_ID,
        run: acme::SUCCEEDED_RUN_ID,
        going_run: acme::FAILED_RUN_ID,
        failed_run: acme::FAILED_RUN_ID,
        credential: MARK.to_owned(),
        api_key: key["id"].as_i64().unwrap(),
        request_uuid: on_record.request_uuid(),
        free_name: String::new(),
    };
    let foreigner = app.make_key(second, Role::Admin).await;
    (app, names, foreigner)
}

/// All that is stored of the first company.
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
async fn whatever_a_foreigner_names_of_ours_is_not_found() {
    let (app, names, foreigner) = neighbours().await;
    let foreigner = app.with_key(&foreigner);
    app.clock.advance(chrono::TimeDelta::seconds(1));
    let before = stored(&app).await;
    let marks = [
        MARK.to_owned(),
        format!("\"id\":{}", names.api_key),
        acme::ACCOUNT_ID.to_string(),
    ];
    let mut asked = 0;
    for operation in operations() {
        let Some(request_type) = operation.request_type() else {
            continue;
        };
        let address = operation.address(&names);
        for way in [Way::Ids, Way::Account, Way::Credential, Way::Header] {
            let at_dbt = request_type.client_type().is_some();
            let (address, header) = match way {
                Way::Ids => (address.clone(), None),
                Way::Account if operation.takes("account_id") => {
                    (format!("{address}?account_id={}", names.account), None)
                }
                Way::Credential if operation.takes("credential") => (format!("{address}?credential={MARK}"), None),
                Way::Header => (address.clone(), Some(MARK)),
                Way::Account | Way::Credential => {
                    // These name it in the path, or ask for every one.
                    let otherwise = [
                        RequestType::VerifyCredential,
                        RequestType::GetAccount,
                        RequestType::ListAccounts,
                    ];
                    assert!(
                        !at_dbt || otherwise.contains(&request_type),
                        "{} names no account",
                        operation.id
                    );
                    continue;
                }
            };
            asked += 1;
            let names = Names {
                free_name: format!("free-{asked}"),
                ..names.clone()
            };
            let mut request = foreigner.request(operation.method.clone(), &address);
            if let Some(name) = header {
                request = request.header("X-Dbt-Credential", name);
            }
            if let Some(body) = operation.body(&names) {
                request = request.json(&body);
            }
            let answer = foreigner.send(request).await;
            if only_the_foreigners_log(&app, request_type, &answer).await {
                continue;
            }
            if request_type == RequestType::GetMetrics {
                // They are of the whole process, and told to company 1 alone.
                answer.problem(403, "forbidden");
                continue;
            }
            if request_type == RequestType::CreateJob && header.is_none() && address == operation.path {
                // In the foreigner's own account, where the project is none.
                answer.problem(400, "invalid-request");
                continue;
            }
            let is_graphql = matches!(
                request_type,
                RequestType::QueryMetadata | RequestType::QuerySemanticLayer
            );
            if is_graphql && header.is_none() && address == operation.path {
                // In the foreigner's own account dbt Cloud finds nothing of ours.
                answer.problem(422, "graphql-errors");
                continue;
            }
            // A list of one's own, and something new for oneself: without anything of ours.
            let own = match request_type {
                RequestType::ListProjects
                | RequestType::ListEnvironments
                | RequestType::ListJobs
                | RequestType::ListAccounts
                | RequestType::ListRuns => header.is_none() && address == operation.path,
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
                // A new credential may be for any account, with a token of the foreigner's own.
                let told = answer.text.replace(&format!("\"account_id\":{}", names.account), "");
                for mark in &marks {
                    assert!(!told.contains(mark.as_str()), "{} tells {mark}: {told}", operation.id);
                }
                if request_type == RequestType::CreateCredential {
                    // Else the account would be the foreigner's as well.
                    let path = format!("/credentials/{}", names.free_name);
                    assert_eq!(foreigner.delete(&path).await.status, 204);
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
    println!("{asked} requests of a foreigner");
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

/// Whether that is an answer from the request log; it holds only the foreigner's own, which may well name what was asked
/// for in vain.
async fn only_the_foreigners_log(app: &TestApp, request_type: RequestType, answer: &Answer) -> bool {
    let requests = match request_type {
        RequestType::ListRequestLogs => answer.expect(200)["results"].as_array().unwrap().clone(),
        RequestType::ExportRequestLogs => answer.bodies(),
        RequestType::SummarizeRequestLogs => {
            // Until now: of the foreigner's, that is the making of its key.
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
    for told in requests {
        let name = told["request_uuid"].as_str().unwrap();
        assert!(own.iter().any(|each| each == name), "{told:#}");
    }
    true
}

#[tokio::test]
async fn the_foreigners_rows_are_of_the_foreigners_company() {
    let (app, names, foreigner) = neighbours().await;
    let foreigner = app.with_key(&foreigner);
    let path = format!("/projects?account_id={}", names.account);
    foreigner.get(&path).await.problem(404, "not-found");
    foreigner
        .post(&format!("/credentials/{MARK}/verify"), &json!(null))
        .await
        .problem(404, "not-found");
    let rows = app.rows().await;
    let (ours, theirs): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["company_id"] == COMPANY.0);
    assert_eq!((ours.len(), theirs.len()), (3, 2), "ours are of what was made before");
    for row in theirs {
        assert_eq!(
            (&row["company_id"], &row["outcome"]),
            (&json!(2), &json!("refused")),
            "{row:#}"
        );
    }
}

#[tokio::test]
async fn two_companies_hold_one_account_with_tokens_and_names_of_their_own() {
    let (app, _, foreigner) = neighbours().await;
    let foreigner = app.with_key(&foreigner);
    // The same name, the same account; the first company's token is not in it.
    let order = json!({
        "name": MARK, "account_id": acme::ACCOUNT_ID, "token": "dbtc_of_globex", "access_url": app.dbt.base_url(),
    });
    foreigner.post("/credentials", &order).await.expect(201);
    let path = format!("/projects?account_id={}", acme::ACCOUNT_ID);
    foreigner.get(&path).await.problem(502, "dbt-credentials-refused");
    let sent = app.dbt.requests();
    assert_eq!(
        sent.last().unwrap().header("authorization"),
        Some("Token dbtc_of_globex")
    );
    assert_eq!(app.viewer().get(&path).await.status, 200);

    let gone = foreigner.delete(&format!("/credentials/{MARK}")).await;
    assert_eq!(gone.status, 204);
    let ours = app
        .caller(Role::Admin)
        .get(&format!("/credentials/{MARK}"))
        .await
        .expect(200);
    assert_eq!(ours["metadata_url"], format!("https://{MARK}.example/"));
}
