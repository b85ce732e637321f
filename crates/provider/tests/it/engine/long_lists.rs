//! Lists longer than `hold_max_bytes`: sent as they are read, in order, whole or visibly broken.

use std::time::Duration;

use futures::StreamExt as _;
use model::{PageQuery, Project, ProjectFilter, RequestType};
use provider::{GatherSettings, Listing, Outcome, ProviderError, ProviderShares, ShareSettings, StreamedPage};
use serde_json::{Value, json};

use crate::support::{LogMode, Reply, TestProvider, gather, settings, slice, within_an_hour};

/// The length of an entry, in bytes.
const ENTRY_BYTES: usize = 1000;
const TOTAL: u64 = 2000;

/// dbt's page of a list of long entries with the ids 0 to `TOTAL` - 1.
fn long_entries(request: &dbt_api::ApiRequest) -> Reply {
    let (offset, limit) = slice(request);
    let entries: Vec<Value> = (offset.min(TOTAL)..(offset + limit).min(TOTAL))
        .map(|id| json!({"id": id, "name": "x".repeat(ENTRY_BYTES)}))
        .collect();
    Reply::entries(&entries, Some(TOTAL))
}

/// Holds the first five pages of dbt's, then two at a time.
fn short_hold() -> provider::ProviderSettings {
    provider::ProviderSettings {
        gather: GatherSettings {
            hold_max_bytes: 450_000,
            window_max_bytes: 500_000,
            ..gather()
        },
        ..settings()
    }
}

fn serving(script: impl Fn(usize, &dbt_api::ApiRequest) -> Reply + Send + Sync + 'static) -> TestProvider {
    TestProvider::with_settings(short_hold(), 64, script)
}

async fn list(fixture: &TestProvider) -> Result<Listing<Project>, ProviderError> {
    let ctx = fixture.ctx(RequestType::ListProjects);
    let page = PageQuery::new(1, 2000).unwrap();
    fixture
        .provider
        .list_projects(ctx, ProjectFilter::default(), page)
        .await
}

async fn streamed(fixture: &TestProvider) -> StreamedPage<Project> {
    match list(fixture).await {
        Ok(Listing::Streamed(page)) => page,
        Ok(Listing::Whole(_)) => panic!("it was held"),
        Err(error) => panic!("{error}"),
    }
}

/// The ids of the entries that arrive, and whether the page was complete.
async fn read(page: StreamedPage<Project>) -> (Vec<u64>, bool) {
    let mut entries = page.entries;
    let mut text = String::from("[");
    let mut complete = true;
    while let Some(piece) = within_an_hour(entries.next()).await {
        match piece {
            Ok(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            Err(_) => complete = false,
        }
    }
    text.push(']');
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    (
        entries.iter().map(|entry| entry["id"].as_u64().unwrap()).collect(),
        complete,
    )
}

#[tokio::test(start_paused = true)]
async fn a_long_list_leaves_in_order_after_its_row_is_open() {
    let fixture = serving(|number, request| {
        // Later pages answer faster.
        let pause = Duration::from_millis(100_u64.saturating_sub(number as u64));
        long_entries(request).after(pause)
    });
    let page = streamed(&fixture).await;
    assert_eq!((page.head.count, page.head.results.len()), (TOTAL, 0));
    assert_eq!(fixture.log.only_row().outcome(), None, "the row is open");

    let (ids, complete) = read(page).await;
    assert_eq!(ids, (0..TOTAL).collect::<Vec<_>>());
    assert!(complete);
    let row = fixture.log.closed_row().await;
    assert_eq!((row.outcome(), row.attempts()), (Some(Outcome::Succeeded), 20));
    assert!(row.closing().unwrap().bytes.unwrap() > i64::try_from(TOTAL).unwrap() * 1000);
}

#[tokio::test(start_paused = true)]
async fn only_the_window_is_read_ahead_of_a_caller_that_does_not_read() {
    let fixture = serving(|_, request| long_entries(request));
    let page = streamed(&fixture).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (held, window, buffered) = (5, 2, 2);
    let ahead = fixture.dbt.count();
    assert!(ahead <= held + window + buffered + 1, "{ahead}");
    drop(page);
    assert_eq!(fixture.log.closed_row().await.outcome(), Some(Outcome::CallerGone));
}

#[tokio::test(start_paused = true)]
async fn a_failed_page_is_an_error_while_the_list_is_held_and_aborts_it_afterwards() {
    let failing_at = |failing| {
        serving(move |_, request| {
            if slice(request).0 == failing {
                Reply::status(500)
            } else {
                long_entries(request)
            }
        })
    };
    let fixture = failing_at(300);
    let error = list(&fixture).await.err().unwrap();
    assert!(matches!(error, ProviderError::Api(_)), "{error}");
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::UnexpectedStatus));

    let fixture = failing_at(1500);
    let (ids, complete) = read(streamed(&fixture).await).await;
    assert_eq!((ids, complete), ((0..1500).collect(), false));
    let row = fixture.log.closed_row().await;
    assert_eq!(row.outcome(), Some(Outcome::Truncated));
    assert!(row.closing().unwrap().error().unwrap().contains("500"));
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_the_open_row_is_committed() {
    let fixture = serving(|_, request| long_entries(request));
    fixture.log.set_mode(LogMode::Stalls);
    assert!(matches!(list(&fixture).await, Err(ProviderError::Log(_))));
}

#[tokio::test(start_paused = true)]
async fn two_lists_share_the_memory_and_both_end() {
    let shares = ProviderShares::new(ShareSettings {
        // One window and what is held, but not two.
        max_bytes: 1_200_000,
        wait: Duration::from_mins(1),
        ..ShareSettings::default()
    });
    let bytes = shares.bytes.clone();
    let fixture = TestProvider::with_shares(short_hold(), 64, shares, |_, request| long_entries(request));
    let one = async { read(streamed(&fixture).await).await };
    let two = async { read(streamed(&fixture).await).await };
    let (one, two) = Box::pin(within_an_hour(async { tokio::join!(one, two) })).await;
    assert_eq!((one.0.len(), two.0.len()), (2000, 2000));
    assert!(one.1 && two.1);
    assert_eq!(bytes.usage().used, 0, "everything is given back");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_the_gateway_filters_holds_the_matches_only_and_has_a_limit() {
    let shares = ProviderShares::new(ShareSettings {
        max_bytes: 1_000_000,
        ..ShareSettings::default()
    });
    let only = |name: &str| ProjectFilter {
        name: Some(name.to_owned()),
        ..ProjectFilter::default()
    };
    let fixture = TestProvider::with_shares(short_hold(), 64, shares, |_, request| long_entries(request));
    let page = PageQuery::new(1, 10).unwrap();
    let ctx = fixture.ctx(RequestType::ListProjects);
    let listing = fixture.provider.list_projects(ctx, only("y"), page).await.unwrap();
    let Listing::Whole(none) = listing else {
        panic!("streamed")
    };
    assert_eq!((none.count, none.results.len(), fixture.dbt.count()), (0, 0, 20));

    let mut set = short_hold();
    set.gather.max_filtered_pages = 19;
    let fixture = TestProvider::with_settings(set, 64, |_, request| long_entries(request));
    let ctx = fixture.ctx(RequestType::ListProjects);
    let error = fixture
        .provider
        .list_projects(ctx, only("y"), page)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, ProviderError::TooMuch("gather.max_filtered_pages")),
        "{error}"
    );
}
