//! Gateway pages built from dbt's pages: only the needed ones, limited concurrency, in order, each id once, complete or an error.

use std::time::Duration;

use model::{Page, PageQuery, Project, ProjectFilter, RequestType};
use provider::{ApiError, GatherSettings, Outcome, ProviderError, ProviderSettings};

use crate::support::{Reply, TestProvider, exchanges, gather, reasons, settings, slice, whole};

async fn list(fixture: &TestProvider, page: u32, size: u32) -> Result<Page<Project>, ProviderError> {
    let ctx = fixture.ctx(RequestType::ListProjects);
    let query = PageQuery::new(page, size).unwrap();
    let listing = fixture.provider.list_projects(ctx, ProjectFilter::default(), query);
    listing.await.map(whole)
}

fn ids(page: &Page<Project>) -> Vec<i64> {
    page.results.iter().map(|project| project.id.0).collect()
}

/// dbt's page of a list of the ids 0 to `total` - 1; `with_total`: the page contains the total.
fn numbers(request: &dbt_api::ApiRequest, total: u64, with_total: bool) -> Reply {
    let (offset, limit) = slice(request);
    let range = offset.min(total)..(offset + limit).min(total);
    Reply::page(range.map(u64::cast_signed), with_total.then_some(total))
}

#[tokio::test(start_paused = true)]
async fn only_the_dbt_pages_that_the_requested_page_covers_are_read() {
    let fixture = TestProvider::with(|_, request| numbers(request, 5000, true));

    let page = list(&fixture, 3, 1000).await.unwrap();

    assert_eq!(ids(&page), (2000..3000).collect::<Vec<_>>());
    assert_eq!(page.count, 5000);
    let expected: Vec<_> = (20..30).map(|number| (number * 100, 100)).collect();
    assert_eq!(fixture.dbt.slices(), expected);
    let reasons = reasons(&fixture.log.only_row());
    assert_eq!(reasons[0], "asked");
    assert!(reasons[1..].iter().all(|why| why == "next_page"), "{reasons:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_beyond_the_end_of_a_list_is_read() {
    let fixture = TestProvider::with(|_, request| numbers(request, 250, true));
    let page = list(&fixture, 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count), (250, 250));
    assert_eq!(fixture.dbt.slices(), [(0, 100), (100, 100), (200, 50)]);
}

#[tokio::test(start_paused = true)]
async fn a_page_past_the_end_is_empty_and_costs_one_exchange() {
    let fixture = TestProvider::with(|_, request| numbers(request, 250, true));
    let page = list(&fixture, 9, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count), (0, 250));
    assert_eq!(fixture.dbt.slices(), [(8000, 100)]);
}

#[tokio::test(start_paused = true)]
async fn concurrent_exchanges_reach_and_never_exceed_the_limit() {
    for concurrency in [1, 3, 8] {
        let set = ProviderSettings {
            gather: GatherSettings {
                concurrency,
                ..gather()
            },
            ..settings()
        };
        let fixture = TestProvider::with_settings(set, 64, |_, request| {
            numbers(request, 3000, true).after(Duration::from_millis(10))
        });
        let page = list(&fixture, 1, 3000).await.unwrap();
        assert_eq!(page.results.len(), 3000);
        assert_eq!(fixture.dbt.most_in_flight(), concurrency, "reaches the limit");
    }
}

#[tokio::test(start_paused = true)]
async fn entries_keep_their_order_when_pages_arrive_out_of_order() {
    // Later pages answer faster.
    let fixture = TestProvider::with(|number, request| {
        let pause = Duration::from_millis(10 * (20 - number as u64));
        numbers(request, 1000, true).after(pause)
    });
    let page = list(&fixture, 1, 1000).await.unwrap();
    assert_eq!(ids(&page), (0..1000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_moves_between_two_pages_is_listed_once() {
    // An entry was inserted in front after the first page was read: every entry moved by one.
    let fixture = TestProvider::with(|number, request| {
        let (offset, limit) = slice(request);
        let moved = u64::from(number > 1);
        Reply::page(
            (offset - moved..offset + limit - moved).map(u64::cast_signed),
            Some(400 + moved),
        )
    });
    let page = list(&fixture, 1, 300).await.unwrap();
    assert_eq!(
        ids(&page),
        (0..299).collect::<Vec<_>>(),
        "the next page has the last one"
    );
}

#[tokio::test(start_paused = true)]
async fn one_failed_page_fails_the_list() {
    let fixture = TestProvider::with(|_, request| match slice(request).0 {
        700 => Reply::status(500),
        _ => numbers(request, 1000, true),
    });

    let answer = list(&fixture, 1, 1000).await;

    assert!(
        matches!(answer, Err(ProviderError::Api(ApiError::UnexpectedStatus { .. }))),
        "{answer:?}"
    );
    assert_eq!(fixture.log.only_row().outcome(), Some(Outcome::UnexpectedStatus));
}

#[tokio::test(start_paused = true)]
async fn after_a_transient_failure_only_the_failed_page_is_retried() {
    let failed = std::sync::atomic::AtomicBool::new(false);
    let fixture = TestProvider::with(move |_, request| {
        let first_time = || !failed.swap(true, std::sync::atomic::Ordering::Relaxed);
        match slice(request).0 {
            200 if first_time() => Reply::status(503),
            _ => numbers(request, 400, true),
        }
    });

    let page = list(&fixture, 1, 1000).await.unwrap();

    assert_eq!(ids(&page), (0..400).collect::<Vec<_>>());
    let mut slices = fixture.dbt.slices();
    slices.sort_unstable();
    assert_eq!(slices, [(0, 100), (100, 100), (200, 100), (200, 100), (300, 100)]);
    assert_eq!(fixture.log.only_row().attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_unknown_length_is_read_until_a_page_is_empty() {
    let fixture = TestProvider::with(|_, request| numbers(request, 250, false));
    let page = list(&fixture, 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count, page.next()), (250, 250, None));
    assert_eq!(fixture.dbt.slices(), [(0, 100), (100, 100), (200, 100), (250, 50)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_page_of_a_list_of_unknown_length_has_a_next_page() {
    let fixture = TestProvider::with(|_, request| numbers(request, 250, false));
    let page = list(&fixture, 1, 200).await.unwrap();
    assert_eq!((page.results.len(), page.next()), (200, PageQuery::new(2, 200)));
    assert_eq!(
        fixture.dbt.slices(),
        [(0, 100), (100, 100)],
        "nothing beyond the requested page"
    );

    let last = list(&fixture, 2, 200).await.unwrap();
    assert_eq!((last.results.len(), last.count, last.next()), (50, 250, None));
}

#[tokio::test(start_paused = true)]
async fn the_row_lists_the_first_twenty_exchanges_and_counts_all() {
    let fixture = TestProvider::with(|_, request| numbers(request, 3000, true));
    list(&fixture, 1, 3000).await.unwrap();
    let row = fixture.log.only_row();
    assert_eq!((row.attempts(), exchanges(&row).len()), (30, 20));
}

/// A list that changes: before the request with that number the entries at these places are deleted, or entries are added in
/// front.
#[derive(Clone, Copy)]
enum Change {
    Deleted(usize, u64, u64),
    Added(usize, i64),
}

fn changing(changes: Vec<Change>) -> TestProvider {
    let list = std::sync::Mutex::new((0..350).collect::<Vec<i64>>());
    let set = ProviderSettings {
        gather: GatherSettings {
            concurrency: 1,
            ..gather()
        },
        ..settings()
    };
    TestProvider::with_settings(set, 64, move |number, request| {
        let mut list = list.lock().unwrap();
        for change in &changes {
            match *change {
                Change::Deleted(at, from, to) if at == number => {
                    list.retain(|id| !(from.cast_signed()..to.cast_signed()).contains(id));
                }
                Change::Added(at, count) if at == number => {
                    list.splice(0..0, (1000..1000 + count).rev());
                }
                _ => {}
            }
        }
        let (offset, limit) = slice(request);
        let page = list
            .iter()
            .skip(usize::try_from(offset).unwrap())
            .take(usize::try_from(limit).unwrap());
        Reply::page(page.copied(), Some(list.len() as u64))
    })
}

#[tokio::test(start_paused = true)]
async fn entries_deleted_while_a_list_is_read_are_no_error_and_no_other_entry_is_lost() {
    use Change::{Added, Deleted};
    let cases = [
        vec![Deleted(2, 5, 6)],
        vec![Deleted(2, 0, 100)],
        vec![Deleted(3, 5, 8), Deleted(4, 150, 151)],
        vec![Deleted(2, 5, 6), Deleted(3, 7, 8), Deleted(4, 8, 9)],
        vec![Deleted(2, 340, 350)],
        vec![Deleted(3, 150, 350)],
        vec![Deleted(2, 0, 350)],
        vec![Added(2, 1)],
        vec![Added(2, 30), Added(4, 120)],
        vec![Added(2, 3), Deleted(3, 0, 10)],
        vec![Deleted(2, 0, 10), Added(5, 3)],
    ];
    for (case, changes) in cases.into_iter().enumerate() {
        let deleted = |id: i64| {
            let is_it = |change: &Change| matches!(change, Deleted(_, from, to) if (from.cast_signed()..to.cast_signed()).contains(&id));
            changes.iter().any(is_it)
        };
        let fixture = changing(changes.clone());
        let page = list(&fixture, 1, 1000).await;
        let page = page.unwrap_or_else(|error| panic!("case {case}: {error:?}"));
        let found = ids(&page);
        let stayed: Vec<_> = (0..350).filter(|id| !deleted(*id)).collect();
        assert!(stayed.iter().all(|id| found.contains(id)), "case {case}: {found:?}");
        let once: std::collections::HashSet<_> = found.iter().collect();
        assert_eq!(once.len(), found.len(), "case {case}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_pages_of_a_list_that_shrinks_between_their_parts_lose_nothing() {
    let fixture = changing(vec![Change::Deleted(2, 5, 9)]);
    let first = list(&fixture, 1, 200).await.unwrap();
    let second = list(&fixture, 2, 200).await.unwrap();
    let mut all = ids(&first);
    all.extend(ids(&second));
    all.retain(|id| !(5..9).contains(id));
    assert_eq!(all, (0..350).filter(|id| !(5..9).contains(id)).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_gets_shorter_each_time_it_is_read_again_is_an_error() {
    let fixture = TestProvider::with(|number, request| {
        let (offset, limit) = slice(request);
        let total = 5000 - number as u64;
        Reply::page((offset..(offset + limit).min(total)).map(u64::cast_signed), Some(total))
    });
    let answer = list(&fixture, 1, 300).await;
    assert!(
        matches!(answer, Err(ProviderError::Api(ApiError::Incomplete { .. }))),
        "{answer:?}"
    );
    assert!(fixture.dbt.count() < 50, "{}", fixture.dbt.count());
}

#[tokio::test(start_paused = true)]
async fn a_page_of_other_entries_is_read_once_more_and_then_an_error() {
    for is_permanent in [false, true] {
        let wrong = std::sync::atomic::AtomicUsize::new(0);
        let fixture = TestProvider::with(move |_, request| {
            let (offset, limit) = slice(request);
            let first_time = || wrong.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            // Half of it are entries of the page before.
            let shift = if offset == 200 && (is_permanent || first_time()) {
                50
            } else {
                0
            };
            let range = (offset - shift)..(offset + limit - shift).min(400);
            Reply::page(range.map(u64::cast_signed), Some(400))
        });
        let answer = list(&fixture, 1, 1000).await;
        match answer {
            Ok(page) => {
                let mut found = ids(&page);
                found.sort_unstable();
                assert!(!is_permanent && found == (0..400).collect::<Vec<_>>());
            }
            Err(error) => assert!(is_permanent && error.to_string().contains("350 of 400"), "{error}"),
        }
    }
}
