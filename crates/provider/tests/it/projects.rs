//! The filter for an exact `name`: dbt Cloud has none, so the provider compares every project whose name contains it.

use model::{Page, PageQuery, Project, ProjectFilter, RequestType};
use provider::ProviderError;
use serde_json::{Value, json};

use crate::support::{Reply, TestProvider, query, slice, whole};

async fn named(fixture: &TestProvider, name: &str, page: u32, size: u32) -> Result<Page<Project>, ProviderError> {
    let filter = ProjectFilter {
        name: Some(name.to_owned()),
        ..ProjectFilter::default()
    };
    let ctx = fixture.ctx(RequestType::ListProjects);
    let page = PageQuery::new(page, size).unwrap();
    fixture.provider.list_projects(ctx, filter, page).await.map(whole)
}

fn ids(page: &Page<Project>) -> Vec<i64> {
    page.results.iter().map(|project| project.id.0).collect()
}

/// An account with `count` projects named by `name`; it filters as dbt Cloud does, by a part of the name in any case.
fn account_of(count: i64, name: fn(i64) -> Option<&'static str>) -> TestProvider {
    TestProvider::with(move |_, request| {
        let part = query(request, "name__icontains").unwrap_or_default().to_lowercase();
        let filtered: Vec<Value> = (0..count)
            .filter(|id| name(*id).unwrap_or_default().to_lowercase().contains(&part))
            .map(|id| json!({"id": id, "name": name(id)}))
            .collect();
        let (offset, limit) = slice(request);
        let page: Vec<Value> = filtered
            .iter()
            .skip(usize::try_from(offset).unwrap())
            .take(usize::try_from(limit).unwrap())
            .cloned()
            .collect();
        Reply::entries(&page, Some(filtered.len() as u64))
    })
}

#[tokio::test(start_paused = true)]
async fn a_name_matches_exactly_and_not_in_part_or_in_another_case() {
    let fixture = account_of(5, |id| {
        Some(["sales", "sales_eu", "Sales", "sales", "presales"][usize::try_from(id).unwrap()])
    });
    let page = named(&fixture, "sales", 1, 1000).await.unwrap();
    assert_eq!((ids(&page), page.count), (vec![0, 3], 2));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_is_an_empty_list() {
    let fixture = account_of(3, |_| Some("presales"));
    let page = named(&fixture, "sales", 1, 1000).await.unwrap();
    assert_eq!((page.results.len(), page.count, page.next()), (0, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_project_without_a_name_matches_no_name() {
    let fixture = account_of(3, |_| None);
    let page = named(&fixture, "", 1, 1000).await.unwrap();
    assert!(page.results.is_empty(), "{:?}", ids(&page));
}

#[tokio::test(start_paused = true)]
async fn pages_count_matches_and_not_dbts_entries() {
    // Every third of 900 projects has the name.
    let fixture = account_of(900, |id| Some(if id % 3 == 0 { "sales" } else { "sales_eu" }));

    let second = named(&fixture, "sales", 2, 40).await.unwrap();

    assert_eq!(
        ids(&second),
        (40..80).map(|match_number| match_number * 3).collect::<Vec<_>>()
    );
    assert_eq!((second.count, second.next()), (300, PageQuery::new(3, 40)));
    assert_eq!(
        fixture.dbt.count(),
        9,
        "every project whose name contains it is compared"
    );
    assert_eq!(fixture.log.rows().len(), 1, "one request, one row");

    let past = named(&fixture, "sales", 9, 40).await.unwrap();
    assert_eq!((past.results.len(), past.count), (0, 300));
}

#[tokio::test(start_paused = true)]
async fn more_matches_than_the_largest_page_are_all_found() {
    let fixture = account_of(10_150, |_| Some("sales"));
    let page = named(&fixture, "sales", 2, 10_000).await.unwrap();
    assert_eq!((ids(&page), page.count), ((10_000..10_150).collect(), 10_150));
}

#[tokio::test(start_paused = true)]
async fn a_match_that_moves_between_two_pages_is_listed_once() {
    // After the first 10,000 every entry moves by one, so the entry at the boundary is read twice.
    let fixture = TestProvider::with(|_, request| {
        let (offset, limit) = slice(request);
        let moved = u64::from(offset >= 10_000);
        let ids = offset - moved..(offset + limit).min(10_150 + moved) - moved;
        let data: Vec<Value> = ids.map(|id| json!({"id": id, "name": "sales"})).collect();
        Reply::entries(&data, Some(10_150 + moved))
    });
    let page = named(&fixture, "sales", 2, 10_000).await.unwrap();
    assert_eq!(ids(&page), (10_000..10_150).collect::<Vec<_>>());
}
