//! Our pages from dbt's: only those needed, a few at once, in order, each id once, whole or an error.

use std::time::Duration;

use model::{Page, PageQuery, Project, ProjectFilter, RequestType};
use provider::{ApiError, Outcome, ProviderError, ProviderSettings};

use crate::support::{Bench, Reply, exchanges, settings, slice, whys};

async fn list(bench: &Bench, page: u32, size: u32) -> Result<Page<Project>, ProviderError> {
    let ctx = bench.ctx(RequestType::ListProjects);
    let query = PageQuery::new(page, size).unwrap();
    bench.provider.list_projects(ctx, ProjectFilter::default(), query).await
}

fn ids(page: &Page<Project>) -> Vec<i64> {
    page.results.iter().map(|project| project.id.0).collect()
}

/// dbt's page of a list of the ids 0, 1, … that is `total` long.
fn numbers(request: &dbt_api::ApiRequest, total: u64, tells: bool) -> Reply {
    let (offset, limit) = slice(request);
    let range = offset.min(total)..(offset + limit).min(total);
    Reply::page(range.map(u64::cast_signed), tells.then_some(total))
}

#[tokio::test(start_paused = true)]
async fn only_the_pages_that_the_asked_page_covers_are_fetched() {
    let bench = Bench::with(|_, request| numbers(request, 5000, true));

    let page = list(&bench, 3, 1000).await.unwrap();

    assert_eq!(ids(&page), (2000..3000).collect::<Vec<_>>());
    assert_eq!(page.count, 5000);
    let asked: Vec<_> = (20..30).map(|number| (number * 100, 100)).collect();
    assert_eq!(bench.dbt.slices(), asked);
    let whys = whys(&bench.log.only_row());
    assert_eq!(whys[0], "asked");
    assert!(whys[1..].iter().all(|why| why == "next_page"), "{whys:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_list_is_asked_for_and_nothing_beyond_it() {
    let bench = Bench::with(|_, request| numbers(request, 250, true));
    let page = list(&bench, 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count), (250, 250));
    assert_eq!(bench.dbt.slices(), [(0, 100), (100, 100), (200, 50)]);
}

#[tokio::test(start_paused = true)]
async fn a_page_past_the_end_is_empty_and_costs_one_exchange() {
    let bench = Bench::with(|_, request| numbers(request, 250, true));
    let page = list(&bench, 9, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count), (0, 250));
    assert_eq!(bench.dbt.slices(), [(8000, 100)]);
}

#[tokio::test(start_paused = true)]
async fn no_more_exchanges_are_under_way_at_once_than_set() {
    for concurrency in [1, 3, 8] {
        let set = ProviderSettings {
            gather_concurrency: concurrency,
            ..settings()
        };
        let bench = Bench::with_settings(set, 64, |_, request| {
            numbers(request, 3000, true).after(Duration::from_millis(10))
        });
        let page = list(&bench, 1, 3000).await.unwrap();
        assert_eq!(page.results.len(), 3000);
        assert_eq!(bench.dbt.most_in_flight(), concurrency, "no fewer either");
    }
}

#[tokio::test(start_paused = true)]
async fn entries_keep_their_order_whichever_page_comes_first() {
    // The later a page, the sooner it comes.
    let bench = Bench::with(|number, request| {
        let pause = Duration::from_millis(10 * (20 - number as u64));
        numbers(request, 1000, true).after(pause)
    });
    let page = list(&bench, 1, 1000).await.unwrap();
    assert_eq!(ids(&page), (0..1000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_moved_while_the_list_was_read_comes_once() {
    // Somebody put an entry in front after the first page was read: everything moved on by one.
    let bench = Bench::with(|number, request| {
        let (offset, limit) = slice(request);
        let moved = u64::from(number > 1);
        Reply::page(
            (offset - moved..offset + limit - moved).map(u64::cast_signed),
            Some(300),
        )
    });
    let page = list(&bench, 1, 300).await.unwrap();
    assert_eq!(ids(&page), (0..299).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn one_failed_page_fails_the_whole() {
    let bench = Bench::with(|_, request| match slice(request).0 {
        700 => Reply::status(500),
        _ => numbers(request, 1000, true),
    });

    let answer = list(&bench, 1, 1000).await;

    assert!(
        matches!(answer, Err(ProviderError::Api(ApiError::UnexpectedStatus { .. }))),
        "{answer:?}"
    );
    assert_eq!(bench.log.only_row().outcome(), Some(Outcome::UnexpectedStatus));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_in_passing_is_sent_again_alone() {
    let failed = std::sync::atomic::AtomicBool::new(false);
    let bench = Bench::with(move |_, request| {
        let first_time = || !failed.swap(true, std::sync::atomic::Ordering::Relaxed);
        match slice(request).0 {
            200 if first_time() => Reply::status(503),
            _ => numbers(request, 400, true),
        }
    });

    let page = list(&bench, 1, 1000).await.unwrap();

    assert_eq!(ids(&page), (0..400).collect::<Vec<_>>());
    let mut slices = bench.dbt.slices();
    slices.sort_unstable();
    assert_eq!(slices, [(0, 100), (100, 100), (200, 100), (200, 100), (300, 100)]);
    assert_eq!(bench.log.only_row().attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_unknown_length_is_read_until_a_page_comes_short() {
    let bench = Bench::with(|_, request| numbers(request, 250, false));
    let page = list(&bench, 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count, page.next()), (250, 250, None));
    assert_eq!(bench.dbt.slices(), [(0, 100), (100, 100), (200, 100)]);
}

#[tokio::test(start_paused = true)]
async fn a_full_page_of_a_list_of_unknown_length_has_a_next_one() {
    let bench = Bench::with(|_, request| numbers(request, 250, false));
    let page = list(&bench, 1, 200).await.unwrap();
    assert_eq!((page.results.len(), page.next()), (200, PageQuery::new(2, 200)));
    assert_eq!(
        bench.dbt.slices(),
        [(0, 100), (100, 100)],
        "nothing beyond what was asked for"
    );

    let last = list(&bench, 2, 200).await.unwrap();
    assert_eq!((last.results.len(), last.count, last.next()), (50, 250, None));
}

#[tokio::test(start_paused = true)]
async fn the_first_twenty_exchanges_are_told_and_all_are_counted() {
    let bench = Bench::with(|_, request| numbers(request, 3000, true));
    list(&bench, 1, 3000).await.unwrap();
    let row = bench.log.only_row();
    assert_eq!((row.attempts(), exchanges(&row).len()), (30, 20));
}
