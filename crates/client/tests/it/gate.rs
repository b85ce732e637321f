//! The gate: which requests it refuses, in which order, with one row and no exchange per refusal.

use std::sync::atomic::Ordering;

use client::{ClientError, ClientSettings, DbtClient, ForwardRequest, LogError, ProviderError};
use dbt_routes::RelayRequest;
use http::{HeaderMap, Method};
use model::{
    AccountId, ArtifactPath, Effect, EnvironmentFilter, EnvironmentId, Forwarded, GraphqlEffect, GraphqlQuery,
    IfRunning, JobFields, JobFilter, JobId, PageQuery, ProjectFilter, ProjectId, RequestType, Role, RunFilter, RunId,
    StartOptions,
};
use provider::Outcome;

use crate::support::{COMPANY, OTHER_COMPANY, TestClients, caller, settings, trigger_input};

const KNOWN: Option<AccountId> = Some(AccountId(10));
const UNKNOWN: Option<AccountId> = Some(AccountId(99));

/// The operations that [`request`] supports: reads and changes of each role.
const OPERATIONS: [RequestType; 27] = [
    RequestType::Forward(Forwarded::Change),
    RequestType::GetAccount,
    RequestType::ListProjects,
    RequestType::GetProject,
    RequestType::ListEnvironments,
    RequestType::GetEnvironment,
    RequestType::ListJobs,
    RequestType::GetJob,
    RequestType::CreateJob,
    RequestType::UpdateJob,
    RequestType::DeleteJob,
    RequestType::TriggerJob,
    RequestType::ListRuns,
    RequestType::GetRun,
    RequestType::ListRunSteps,
    RequestType::GetRunFailure,
    RequestType::ListRunArtifacts,
    RequestType::GetRunArtifact,
    RequestType::GetJobArtifact,
    RequestType::QueryMetadata,
    RequestType::MutateMetadata,
    RequestType::QuerySemanticLayer,
    RequestType::MutateSemanticLayer,
    RequestType::CancelRun,
    RequestType::GetRetryPreview,
    RequestType::RetryRun,
    RequestType::RerunJob,
];

async fn forward(client: DbtClient, account: Option<AccountId>, method: Method, path: &str) -> Result<(), ClientError> {
    let input = ForwardRequest {
        request: RelayRequest::new(method, path).unwrap().unwrap(),
        query: None,
        headers: HeaderMap::new(),
        body: None,
    };
    client.forward(account.into(), input).await.map(drop)
}

fn read_only() -> TestClients {
    let settings = ClientSettings {
        read_only: true,
        ..settings()
    };
    TestClients::with_credentials(settings, &[(COMPANY, 10, "production")])
}

/// Sends one request of that type.
async fn request(
    fixture: &TestClients,
    role: Role,
    request_type: RequestType,
    account: Option<AccountId>,
) -> Result<(), ClientError> {
    let client = fixture.client_of(caller(role)).await;
    match request_type {
        RequestType::GetAccount => client.get_account(account).await.map(drop),
        RequestType::ListProjects => {
            let page = PageQuery::new(1, 10).unwrap();
            let listed = client.list_projects(account, ProjectFilter::default(), page).await;
            listed.map(drop)
        }
        RequestType::GetProject => client.get_project(account, ProjectId(7)).await.map(drop),
        RequestType::ListEnvironments => {
            let filter = EnvironmentFilter::default();
            client
                .list_environments(account, filter, PageQuery::LARGEST)
                .await
                .map(drop)
        }
        RequestType::GetEnvironment => client.get_environment(account, EnvironmentId(1), None).await.map(drop),
        RequestType::ListJobs => {
            let filter = JobFilter::default();
            client.list_jobs(account, filter, PageQuery::LARGEST).await.map(drop)
        }
        RequestType::GetJob => client.get_job(account, JobId(1), Vec::new()).await.map(drop),
        RequestType::CreateJob => client.create_job(account, JobFields::default(), None).await.map(drop),
        RequestType::UpdateJob => client
            .update_job(account, JobId(1), JobFields::default())
            .await
            .map(drop),
        RequestType::DeleteJob => client.delete_job(account, JobId(1)).await,
        RequestType::TriggerJob => {
            let options = StartOptions::default();
            client
                .trigger_job(account, JobId(1), trigger_input(), options, None)
                .await
                .map(drop)
        }
        RequestType::PreviewTrigger => {
            let mode = IfRunning::Queue;
            client
                .preview_trigger(account, JobId(1), trigger_input(), mode)
                .await
                .map(drop)
        }
        RequestType::ListRuns => {
            let page = PageQuery::new(1, 10).unwrap();
            client.list_runs(account, RunFilter::default(), page).await.map(drop)
        }
        RequestType::GetRun => client.get_run(account, RunId(1), Vec::new()).await.map(drop),
        RequestType::ListRunSteps => client
            .list_run_steps(account, RunId(1), false, PageQuery::LARGEST)
            .await
            .map(drop),
        RequestType::GetRunFailure => client.get_run_failure(account, RunId(1)).await.map(drop),
        RequestType::ListRunArtifacts => client.list_run_artifacts(account, RunId(1), None).await.map(drop),
        RequestType::GetRunArtifact => {
            let path = ArtifactPath::new("manifest.json").unwrap();
            let got = client.get_run_artifact(account, RunId(1), path, None, HeaderMap::new());
            got.await.map(drop)
        }
        RequestType::GetJobArtifact => {
            let path = ArtifactPath::new("manifest.json").unwrap();
            let got = client.get_job_artifact(account, JobId(1), path, None, HeaderMap::new());
            got.await.map(drop)
        }
        RequestType::QueryMetadata => client.query_metadata(account, query(), None).await.map(drop),
        RequestType::QuerySemanticLayer => client.query_semantic_layer(account, query()).await.map(drop),
        RequestType::MutateMetadata => client.query_metadata(account, mutation(), None).await.map(drop),
        RequestType::MutateSemanticLayer => client.query_semantic_layer(account, mutation()).await.map(drop),
        RequestType::Forward(Forwarded::Change) => forward(client, account, Method::POST, "/api/v2/odd/").await,
        RequestType::CancelRun => client.cancel_run(account, RunId(1), None).await.map(drop),
        RequestType::GetRetryPreview => client.get_retry_preview(account, RunId(1)).await.map(drop),
        RequestType::RetryRun => client
            .retry_run(account, RunId(1), StartOptions::default(), None)
            .await
            .map(drop),
        RequestType::RerunJob => client
            .rerun_job(account, JobId(1), StartOptions::default(), None)
            .await
            .map(drop),
        other => panic!("{other} is not among OPERATIONS"),
    }
}

fn query() -> GraphqlQuery {
    GraphqlQuery {
        query: "{ a }".to_owned(),
        variables: serde_json::Map::new(),
        operation_name: None,
        effect: GraphqlEffect::Reads,
    }
}

fn mutation() -> GraphqlQuery {
    GraphqlQuery {
        query: "mutation { a }".to_owned(),
        effect: GraphqlEffect::Changes,
        ..query()
    }
}

fn assert_one_refused_row(fixture: &TestClients, request_type: RequestType, account: Option<AccountId>) {
    let rows = fixture.log.rows();
    assert_eq!(rows.len(), 1, "one refusal is one row");
    let (fixed, closing) = (rows[0].fixed(), rows[0].closing().unwrap());
    assert_eq!(closing.outcome(), Outcome::Refused);
    assert_eq!((closing.attempts, closing.status_code), (0, None));
    assert_eq!((fixed.company_id(), fixed.account_id), (COMPANY, account));
    assert_eq!(fixed.api_key_id, Some(caller(Role::Viewer).api_key_id));
    assert!(format!("{fixed:?}").contains(&format!("request_type: {request_type:?}")));
    assert!(fixture.dbt.credentials().is_empty(), "dbt Cloud was contacted");
}

#[tokio::test]
async fn each_role_allows_its_operations_and_no_others() {
    for request_type in OPERATIONS {
        for role in Role::ALL {
            let fixture = TestClients::new();
            let answer = request(&fixture, role, request_type, KNOWN).await;
            if role >= request_type.needs() {
                assert!(answer.is_ok(), "{role} {request_type}: {answer:?}");
                // Some changes read first.
                assert!((1..=2).contains(&fixture.dbt.credentials().len()), "{request_type}");
            } else {
                assert!(
                    matches!(answer, Err(ClientError::RoleTooLow { needs, has })
                        if needs == request_type.needs() && has == role),
                    "{role} {request_type}: {answer:?}"
                );
                assert_one_refused_row(&fixture, request_type, KNOWN);
            }
        }
    }
}

#[tokio::test]
async fn a_read_only_gateway_refuses_changes_and_serves_reads() {
    for request_type in OPERATIONS {
        let fixture = read_only();
        let answer = request(&fixture, Role::Admin, request_type, KNOWN).await;
        if request_type.effect() == Effect::Change {
            assert!(matches!(answer, Err(ClientError::ReadOnly)), "{answer:?}");
            assert_one_refused_row(&fixture, request_type, KNOWN);
        } else {
            assert!(answer.is_ok(), "{request_type}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn read_only_mode_is_checked_before_the_role_and_the_role_before_the_account() {
    let trigger = RequestType::TriggerJob;

    let fixture = read_only();
    let all_wrong = request(&fixture, Role::Viewer, trigger, UNKNOWN).await;
    assert!(matches!(all_wrong, Err(ClientError::ReadOnly)), "{all_wrong:?}");

    let fixture = TestClients::new();
    let role_and_account = request(&fixture, Role::Viewer, trigger, UNKNOWN).await;
    assert!(
        matches!(role_and_account, Err(ClientError::RoleTooLow { .. })),
        "{role_and_account:?}"
    );

    let fixture = TestClients::new();
    let account = request(&fixture, Role::Operator, trigger, UNKNOWN).await;
    assert!(
        matches!(account, Err(ClientError::UnknownAccount(AccountId(99)))),
        "{account:?}"
    );
}

#[tokio::test]
async fn each_account_error_is_one_refused_row() {
    let get = RequestType::GetProject;

    let fixture = TestClients::new();
    assert!(request(&fixture, Role::Viewer, get, UNKNOWN).await.is_err());
    assert_one_refused_row(&fixture, get, UNKNOWN);
    let rows = fixture.log.rows();
    let error = rows[0].closing().unwrap().error();
    assert_eq!(error, Some("account 99 is not known here"), "the row has the reason");

    let fixture = TestClients::with_credentials(settings(), &[(OTHER_COMPANY, 10, "other")]);
    assert!(request(&fixture, Role::Viewer, get, None).await.is_err());
    assert_one_refused_row(&fixture, get, None);

    let fixture = TestClients::with_credentials(settings(), &[(COMPANY, 10, "a"), (COMPANY, 11, "b")]);
    assert!(request(&fixture, Role::Viewer, get, None).await.is_err());
    assert_one_refused_row(&fixture, get, None);
}

#[tokio::test]
async fn an_admitted_request_is_one_row_that_is_not_refused() {
    let fixture = TestClients::new();
    assert!(
        request(&fixture, Role::Viewer, RequestType::GetProject, None)
            .await
            .is_ok()
    );
    let outcomes: Vec<_> = fixture.log.rows().iter().map(storage::LogRow::outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Succeeded)]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_cannot_be_logged_is_a_log_error() {
    let fixture = TestClients::new();
    fixture.log.unavailable.store(true, Ordering::Relaxed);

    let answer = request(&fixture, Role::Viewer, RequestType::TriggerJob, KNOWN).await;

    assert!(
        matches!(
            answer,
            Err(ClientError::Provider(ProviderError::Log(LogError::Unavailable)))
        ),
        "{answer:?}"
    );
    assert!(fixture.dbt.credentials().is_empty());
}

#[tokio::test]
async fn operations_that_create_tokens_are_refused_unless_the_settings_allow_them() {
    let path = "/api/v3/accounts/10/service-tokens/";
    for allow_token_minting in [false, true] {
        let settings = ClientSettings {
            allow_token_minting,
            ..settings()
        };
        let fixture = TestClients::with_credentials(settings, &[(COMPANY, 10, "production")]);
        let client = fixture.client_of(caller(Role::Admin)).await;
        let answer = forward(client, None, Method::POST, path).await;
        assert_eq!(answer.is_ok(), allow_token_minting, "{answer:?}");
        assert_eq!(matches!(answer, Err(ClientError::MintsToken)), !allow_token_minting);
        assert_eq!(fixture.log.rows().len(), if allow_token_minting { 2 } else { 1 });
    }
}
