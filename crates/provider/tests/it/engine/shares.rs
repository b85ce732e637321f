//! Shares: one company or key never takes everything, and what is used is given back.

use std::time::Duration;

use model::{Caller, ClientContext, CompanyId, ProjectId, RequestType};
use provider::{ApiError, Outcome, ProviderError, ProviderShares, ShareSettings};
use serde_json::json;

use crate::support::{Reply, TestProvider, caller, settings, trigger_input, upstream};

/// The context of a request of another company.
#[expect(clippy::disallowed_methods, reason = "the gate is not part of these tests")]
fn other_company(fixture: &TestProvider) -> ClientContext {
    let caller = Caller {
        company_id: CompanyId(2),
        ..caller()
    };
    let to = std::sync::Arc::new(upstream());
    ClientContext::admitted(fixture.stamp(), RequestType::GetProject, caller, to)
}

fn serving(set: ShareSettings, reply: fn(usize) -> Reply) -> (TestProvider, ProviderShares) {
    let shares = ProviderShares::new(set);
    let fixture = TestProvider::with_shares(settings(), 64, shares.clone(), move |number, _| reply(number));
    (fixture, shares)
}

fn project() -> Reply {
    Reply::ok(&json!({"id": 7}))
}

fn start_reads(fixture: &TestProvider, count: usize) {
    for _ in 0..count {
        let (ctx, provider) = (fixture.ctx(RequestType::GetProject), fixture.provider.clone());
        tokio::spawn(async move { provider.get_project(ctx, ProjectId(7)).await });
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_beyond_its_share_of_the_requests_is_refused_without_a_row_and_another_is_served() {
    let set = ShareSettings {
        max_requests: 10,
        ..ShareSettings::default()
    };
    let (fixture, _) = serving(set, |number| if number <= 9 { Reply::Never } else { project() });
    start_reads(&fixture, 9);
    fixture.dbt.received(9).await;

    let ctx = fixture.ctx(RequestType::GetProject);
    let refused = fixture.provider.get_project(ctx, ProjectId(7)).await.unwrap_err();
    assert!(
        matches!(refused, ProviderError::ShareExhausted(exhausted) if exhausted.whose == "company"),
        "{refused}"
    );
    assert!(fixture.log.rows().is_empty());

    let ctx = other_company(&fixture);
    assert!(fixture.provider.get_project(ctx, ProjectId(7)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn exchanges_wait_for_their_share_and_are_refused_after_the_wait() {
    let set = ShareSettings {
        max_exchanges: 10,
        wait: Duration::from_secs(5),
        ..ShareSettings::default()
    };
    let (fixture, shares) = serving(set, |number| match number {
        1..=8 => Reply::Never,
        9 => project().after(Duration::from_secs(3)),
        _ => project(),
    });
    start_reads(&fixture, 9);
    fixture.dbt.received(9).await;

    // The ninth answers after three seconds.
    let ctx = fixture.ctx(RequestType::GetProject);
    assert!(fixture.provider.get_project(ctx, ProjectId(7)).await.is_ok());
    start_reads(&fixture, 1);
    fixture.dbt.received(11).await;
    let before = shares.exchanges.usage().used;
    assert_eq!(before, 8, "an answered exchange is given back");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_gets_no_share_says_that_it_was_not_sent() {
    let set = ShareSettings {
        max_exchanges: 1,
        wait: Duration::from_secs(5),
        ..ShareSettings::default()
    };
    let (fixture, _) = serving(set, |_| Reply::Never);
    start_reads(&fixture, 1);
    fixture.dbt.received(1).await;

    let ctx = fixture.ctx(RequestType::TriggerJob);
    let refused = fixture
        .provider
        .trigger_job(ctx, model::JobId(1), trigger_input(), model::StartOptions::default());
    let refused = refused.await.unwrap_err();
    assert!(
        matches!(
            refused,
            ProviderError::BeforeChange(ApiError::ShareExhausted { status: None, .. })
        ),
        "{refused}"
    );
    assert_eq!(fixture.dbt.count(), 1, "nothing was sent");
    let row = fixture.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Refused), 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_beyond_the_share_of_memory_is_refused_and_a_changes_answer_is_not() {
    fn long(_: usize) -> Reply {
        Reply::ok(&json!({"id": 7, "name": "x".repeat(200_000)}))
    }
    let set = ShareSettings {
        max_bytes: 100_000,
        ..ShareSettings::default()
    };
    let (fixture, shares) = serving(set, long);
    let ctx = fixture.ctx(RequestType::GetProject);
    let refused = fixture.provider.get_project(ctx, ProjectId(7)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            ProviderError::Api(ApiError::ShareExhausted { status: Some(_), .. })
        ),
        "{refused}"
    );
    let ctx = fixture.ctx(RequestType::TriggerJob);
    let run = fixture
        .provider
        .trigger_job(ctx, model::JobId(1), trigger_input(), model::StartOptions::default());
    // The answer is no run; it was read all the same.
    assert!(!matches!(
        run.await,
        Err(ProviderError::Change(ApiError::ShareExhausted { .. }))
    ));
    assert_eq!(shares.bytes.usage().used, 0);
    assert_eq!(shares.requests.usage().used, 0);
}
