//! The exact `name`, which dbt Cloud does not have: compared here, over every project whose name contains it.

use model::{Page, PageQuery, Project, ProjectFilter, RequestType};
use provider::ProviderError;
use serde_json::{Value, json};

use crate::support::{Bench, Reply, query, slice};

async fn named(bench: &Bench, name: &str, page: u32, size: u32) -> Result<Page<Project>, ProviderError> {
    let filter = ProjectFilter {
        name: Some(name.to_owned()),
        ..ProjectFilter::default()
    };
    let ctx = bench.ctx(RequestType::ListProjects);
    let page = PageQuery::new(page, size).unwrap();
    bench.provider.list_projects(ctx, filter, page).await
}

fn ids(page: &Page<Project>) -> Vec<i64> {
    page.results.iter().map(|project| project.id.0).collect()
}

/// An account whose projects are called by `name`; it narrows as dbt Cloud does, by part of the name in any case.
fn account_of(count: i64, name: fn(i64) -> Option<&'static str>) -> Bench {
    Bench::with(move |_, request| {
        let part = query(request, "name__icontains").unwrap_or_default().to_lowercase();
        let narrowed: Vec<Value> = (0..count)
            .filter(|id| name(*id).unwrap_or_default().to_lowercase().contains(&part))
            .map(|id| json!({"id": id, "name": name(id)}))
            .collect();
        let (offset, limit) = slice(request);
        let page: Vec<Value> = narrowed
            .iter()
            .skip(usize::try_from(offset).unwrap())
            .take(usize::try_from(limit).unwrap())
            .cloned()
            .collect();
        Reply::entries(&page, Some(narrowed.len() as u64))
    })
}

#[tokio::test(start_paused = true)]
async fn a_name_matches_exactly_and_not_as_part_or_in_another_case() {
    let bench = account_of(5, |id| {
        Some(["sales", "sales_eu", "Sales", "sales", "presales"][usize::try_from(id).unwrap()])
    });
    let page = named(&bench, "sales", 1, 1000).await.unwrap();
    assert_eq!((ids(&page), page.count), (vec![0, 3], 2));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_an_empty_list() {
    let bench = account_of(3, |_| Some("presales"));
    let page = named(&bench, "sales", 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count, page.next()), (0, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_project_without_a_name_matches_no_name() {
    let bench = account_of(3, |_| None);
    let page = named(&bench, "", 1, 1000).await.unwrap();
    assert!(page.results.is_empty(), "{:?}", ids(&page));
}

#[tokio::test(start_paused = true)]
async fn matches_are_paged_by_their_own_number() {
    // Every third of 900 has the name; dbt's own pages do not matter to ours.
    let bench = account_of(900, |id| Some(if id % 3 == 0 { "sales" } else { "sales_eu" }));

    let second = named(&bench, "sales", 2, 40).await.unwrap();

    assert_eq!(
        ids(&second),
        (40..80).map(|match_number| match_number * 3).collect::<Vec<_>>()
    );
    assert_eq!((second.count, second.next()), (300, PageQuery::new(3, 40)));
    assert_eq!(bench.dbt.count(), 9, "all that contain the name are compared");
    assert_eq!(bench.log.rows().len(), 1, "one request, one row");

    let past = named(&bench, "sales", 9, 40).await.unwrap();
    assert_eq!((past.results.len(), past.count), (0, 300));
}

#[tokio::test(start_paused = true)]
async fn more_matches_than_the_largest_page_are_all_found() {
    let bench = account_of(10_150, |_| Some("sales"));
    let page = named(&bench, "sales", 2, 10_000).await.unwrap();
    assert_eq!((ids(&page), page.count), ((10_000..10_150).collect(), 10_150));
}

#[tokio::test(start_paused = true)]
async fn a_match_that_moved_across_the_largest_page_comes_once() {
    // After the first 10,000 everything moves on by one, so the entry at the seam comes twice.
    let bench = Bench::with(|_, request| {
        let (offset, limit) = slice(request);
        let moved = u64::from(offset >= 10_000);
        let ids = offset - moved..(offset + limit).min(10_150) - moved;
        let data: Vec<Value> = ids.map(|id| json!({"id": id, "name": "sales"})).collect();
        Reply::entries(&data, Some(10_150))
    });
    let page = named(&bench, "sales", 2, 10_000).await.unwrap();
    assert_eq!(ids(&page), (10_000..10_149).collect::<Vec<_>>());
}
