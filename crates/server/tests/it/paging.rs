//! Pages of lists: the dbt pages that are read for them, and the links between them.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use simulator::{AccountPlan, Config, Seed};

use crate::support::{Answer, COMPANY, Setup, TestApp};

const TOKEN: &str = "dbtc_FAKE_many_projects";

fn plan(projects: usize) -> AccountPlan {
    AccountPlan::new(70_403_200_000_000, "Many")
        .token(TOKEN)
        .projects(projects)
}

fn account_of(projects: usize) -> Setup {
    let plan = plan(projects);
    Setup {
        accounts: vec![(COMPANY, plan.id(), TOKEN.to_owned())],
        simulator: Config::frozen().with_seed(Seed::account(plan)),
        ..Setup::default()
    }
}

/// Offset and limit of every request to dbt Cloud since the last call, sorted.
fn dbt_pages_read(app: &TestApp) -> Vec<(u64, u64)> {
    let requests = app.dbt.requests();
    let pages = requests.iter().map(|request| {
        assert_eq!(request.path(), "/api/v3/accounts/70403200000000/projects/");
        let query: Vec<_> = url::form_urlencoded::parse(request.query().unwrap().as_bytes()).collect();
        let number = |name| {
            let (_, value) = query.iter().find(|(each, _)| each == name).unwrap();
            value.parse().unwrap()
        };
        (number("offset"), number("limit"))
    });
    let mut pages: Vec<_> = pages.collect();
    pages.sort_unstable();
    app.dbt.clear_requests();
    pages
}

fn count_and_links(answer: &Answer) -> (u64, Option<String>, Option<String>) {
    let list = answer.expect(200);
    let link = |name: &str| list[name].as_str().map(str::to_owned);
    (list["count"].as_u64().unwrap(), link("next"), link("previous"))
}

#[tokio::test]
async fn only_the_dbt_pages_that_the_requested_page_covers_are_read() {
    let app = account_of(250).start().await;
    let id = |number: usize| plan(250).project_id(number);
    for (query, entries, dbt_pages) in [
        ("", 0..250, vec![(0, 100), (100, 100), (200, 50)]),
        ("?page_size=1", 0..1, vec![(0, 1)]),
        ("?page_size=100", 0..100, vec![(0, 100)]),
        ("?page_size=101", 0..101, vec![(0, 100), (100, 1)]),
        ("?page_size=1000", 0..250, vec![(0, 100), (100, 100), (200, 50)]),
        ("?page_size=10000", 0..250, vec![(0, 100), (100, 100), (200, 50)]),
        ("?page=250&page_size=1", 249..250, vec![(249, 1)]),
        ("?page=3&page_size=101", 202..250, vec![(202, 100)]),
        ("?page=2&page_size=120", 120..240, vec![(120, 100), (220, 20)]),
        ("?page=4&page_size=100", 250..250, vec![(300, 100)]),
        ("?page=400000&page_size=10000", 250..250, vec![(3_999_990_000, 100)]),
    ] {
        let answer = app.viewer().get(&format!("/projects{query}")).await;
        assert_eq!(answer.ids(), entries.map(id).collect::<Vec<_>>(), "{query}");
        assert_eq!(count_and_links(&answer).0, 250, "{query}");
        let read = dbt_pages_read(&app);
        assert_eq!(read, dbt_pages, "{query}");
        let row = app.row_of(&answer).await;
        assert_eq!(row["attempts"], dbt_pages.len(), "{query}: {row:#}");
    }
}

#[tokio::test]
async fn a_long_list_is_gathered_in_order() {
    let app = account_of(1234).start().await;
    let plan = plan(1234);
    let answer = app.viewer().get("/projects?page_size=10000").await;
    assert_eq!(
        answer.ids(),
        (0..1234).map(|number| plan.project_id(number)).collect::<Vec<_>>()
    );
    assert_eq!(count_and_links(&answer), (1234, None, None));
    let read = dbt_pages_read(&app);
    assert_eq!(read.len(), 13);
    assert_eq!((read[0], read[11], read[12]), ((0, 100), (1100, 100), (1200, 34)));

    let second = app.viewer().get("/projects?page=2&page_size=1000").await;
    assert_eq!(
        second.ids(),
        (1000..1234).map(|number| plan.project_id(number)).collect::<Vec<_>>()
    );
    assert_eq!(dbt_pages_read(&app), [(1000, 100), (1100, 100), (1200, 34)]);
}

#[tokio::test]
async fn a_row_counts_every_exchange_and_lists_twenty() {
    let app = account_of(2150).start().await;
    let answer = app.viewer().get("/projects?page_size=10000").await;
    assert_eq!(answer.ids().len(), 2150);
    let row = app.row_of(&answer).await;
    let exchanges = row["exchanges"].as_array().unwrap();
    assert_eq!((&row["attempts"], exchanges.len()), (&22.into(), 20));
    assert_eq!(exchanges[0]["why"], "asked");
    assert!(
        exchanges[1..].iter().all(|exchange| exchange["why"] == "next_page"),
        "{row:#}"
    );
}

#[tokio::test]
async fn following_next_and_previous_visits_every_project_exactly_once() {
    let app = account_of(1234).start().await;
    let expected: BTreeSet<i64> = (0..1234).map(|number| plan(1234).project_id(number)).collect();
    let mut addresses = vec![format!("{}/projects?page_size=99&order_by=-id", app.url)];
    let mut visited = Vec::new();
    loop {
        let answer = app.viewer().get(addresses.last().unwrap()).await;
        visited.extend(answer.ids());
        let (count, next, previous) = count_and_links(&answer);
        assert_eq!(count, 1234);
        assert_eq!(previous.is_some(), addresses.len() > 1);
        match next {
            Some(next) => addresses.push(next),
            None => break,
        }
    }
    assert_eq!(addresses.len(), 13);
    assert_eq!(visited.len(), 1234);
    assert!(visited.is_sorted_by(|a, b| a > b), "every link keeps the order");
    assert_eq!(visited.into_iter().collect::<BTreeSet<_>>(), expected);

    let mut back = 0;
    let mut address = addresses.pop();
    while let Some(page) = address {
        address = count_and_links(&app.viewer().get(&page).await).2;
        back += 1;
    }
    assert_eq!(back, 13);
}

#[tokio::test]
async fn links_have_the_public_url_and_every_other_parameter() {
    let app = account_of(250).public_url("https://dbt.acme.example").start().await;
    let query = "account_id=70403200000000&name_contains=Pro%26ject+0&state=all&order_by=-id&page=2&page_size=20";
    let unmatched = app.viewer().get(&format!("/projects?{query}")).await;
    let (count, next, previous) = count_and_links(&unmatched);
    let first = "https://dbt.acme.example/projects?account_id=70403200000000&name_contains=Pro%26ject+0&state=all\
                 &order_by=-id&page_size=20&page=1";
    assert_eq!((count, next, previous.as_deref()), (0, None, Some(first)));

    let query = query.replace("Pro%26ject", "Project");
    let (count, next, previous) = count_and_links(&app.viewer().get(&format!("/projects?{query}")).await);
    let link = |page| Some(first.replace("Pro%26ject", "Project").replace("page=1", page));
    assert_eq!((count, next, previous), (250, link("page=3"), link("page=1")));
}

#[tokio::test]
async fn without_a_public_url_links_have_the_host_of_the_request() {
    let app = account_of(250).start().await;
    let list = async |host: &str| {
        let request = app.viewer().request(Method::GET, "/projects?page_size=100");
        app.viewer().send(request.header("host", host)).await
    };
    for host in ["gateway.acme.example", "gateway.acme.example:8443", "[::1]:8080"] {
        let (_, next, _) = count_and_links(&list(host).await);
        assert_eq!(next.unwrap(), format!("http://{host}/projects?page_size=100&page=2"));
    }
    app.dbt.clear_requests();
    for host in ["", "no host", "gateway/projects"] {
        let problem = list(host).await.problem(400, "invalid-request");
        assert_eq!(
            problem["detail"], "The header Host is missing or not a host name.",
            "{host:?}"
        );
    }
    assert!(app.dbt.requests().is_empty(), "no page is read without a usable host");
}

#[tokio::test]
async fn pages_out_of_range_and_unknown_parameters_are_refused_by_name() {
    let app = account_of(1).start().await;
    let refusal = async |query: &str| {
        let answer = app.viewer().get(&format!("/projects?{query}")).await;
        let problem = answer.problem(400, "invalid-request");
        problem["detail"].as_str().unwrap().to_owned()
    };
    for query in ["page=0", "page=400001", "page_size=0", "page_size=10001"] {
        let range = "In the query: `page` goes from 1 to 400000, `page_size` from 1 to 10000.";
        assert_eq!(refusal(query).await, range, "{query}");
    }
    for query in [
        "page=-1",
        "page=two",
        "page=",
        "page_size=1.5",
        "page=4294967296",
        "account_id=acme",
        "state=gone",
    ] {
        let (name, _) = query.split_once('=').unwrap();
        let detail = refusal(query).await;
        assert!(
            detail.starts_with(&format!("In the query: {name}: ")),
            "{query}: {detail}"
        );
    }
    for query in ["pagesize=5", "limit=5", "offset=100", "page=1&page_size=1&x"] {
        let detail = refusal(query).await;
        for valid in [
            "account_id",
            "page",
            "page_size",
            "name",
            "name_contains",
            "state",
            "order_by",
        ] {
            assert!(detail.contains(&format!("`{valid}`")), "{query}: {detail}");
        }
    }
    assert!(
        refusal("page=1&page=2").await.contains("page"),
        "a parameter given twice"
    );
    assert!(app.dbt.requests().is_empty());
    assert_eq!(app.rows().await, Vec::<Value>::new());
}
