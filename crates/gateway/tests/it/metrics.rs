//! The health address; and that metrics, alert rules and manual agree.

use std::collections::BTreeSet;

use crate::support::{Caller, Gateway, Site};

/// A gateway with `health.listen`, and that address.
fn with_health_listener(site: &Site, setting: &str) -> (Gateway, String) {
    let mut serve = site.command(&["serve"]);
    serve.env(setting, "127.0.0.1:0");
    let gateway = Gateway::start(serve);
    let log = gateway.log();
    let line = log
        .lines()
        .find(|line| line.contains("\"message\":\"serving health checks and metrics\""));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    (gateway, format!("http://{}", line["address"].as_str().unwrap()))
}

/// The names of samples that `/metrics` can have, derived from the type of each metric.
fn sample_names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .flat_map(|metric| {
            let (name, kind) = metric.split_once(' ').unwrap();
            let ends: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                "gauge" => &[""],
                other => panic!("{name} is a {other}"),
            };
            ends.iter().map(move |end| format!("{name}{end}"))
        })
        .collect()
}

/// The words of a text that look like names of metrics.
fn names_in(text: &str) -> BTreeSet<String> {
    text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
        .filter(|word| word.starts_with("dbt_gateway_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_health_listener_needs_no_key_and_serves_only_health_checks_and_metrics() {
    let site = Site::new().await;
    let caller = Caller::new(&site.key("viewer"));
    // The earlier name of the setting.
    let (gateway, metrics_origin) = with_health_listener(&site, "DBT_GATEWAY__METRICS__LISTEN");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(caller.get(&gateway, "/metrics").await.unwrap().status, 403);
    let status = async |path: &str| {
        client
            .get(format!("{metrics_origin}{path}"))
            .send()
            .await
            .unwrap()
            .status()
    };
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(status(path).await, 200, "{path}");
    }
    let ready = client.get(format!("{metrics_origin}/readyz")).send().await.unwrap();
    let ready: serde_json::Value = serde_json::from_str(&ready.text().await.unwrap()).unwrap();
    assert_eq!(ready["checks"][0]["name"], "database", "{ready:#}");
    for path in ["/", "/projects", "/metrics/", "/api/v2/accounts/"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
    gateway.stop();
    assert!(client.get(format!("{metrics_origin}/metrics")).send().await.is_err());
}

#[tokio::test]
async fn alerts_use_exposed_metrics_and_the_manual_lists_exactly_the_exposed_ones() {
    let site = Site::new().await;
    let (gateway, metrics_origin) = with_health_listener(&site, "DBT_GATEWAY__HEALTH__LISTEN");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{metrics_origin}/metrics")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    gateway.stop();
    let exposed = sample_names(&text);

    let alerts = include_str!("../../../../config/alerts.yml");
    // Comments and annotations name metrics too.
    let in_alerts = names_in(alerts);
    assert!(in_alerts.len() > 10, "{in_alerts:?}");
    let unknown: Vec<_> = in_alerts.difference(&exposed).collect();
    assert!(unknown.is_empty(), "in config/alerts.yml and not exposed: {unknown:?}");

    let manual = include_str!("../../../../docs/observability.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `"));
    let documented: BTreeSet<_> = rows.flat_map(|row| names_in(row.split('|').nth(1).unwrap())).collect();
    let of_histograms = |name: &String| !name.ends_with("_sum") && !name.ends_with("_count");
    let exposed: BTreeSet<_> = exposed
        .into_iter()
        .filter(of_histograms)
        .map(|name| name.strip_suffix("_bucket").map_or(name.clone(), str::to_owned))
        .collect();
    let differences: Vec<_> = documented.symmetric_difference(&exposed).collect();
    assert!(
        differences.is_empty(),
        "docs/observability.md and /metrics differ: {differences:#?}"
    );
}

#[tokio::test]
async fn process_metrics_have_plausible_values() {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs_f64()
    };
    let before = now();
    let site = Site::new().await;
    let (gateway, metrics_origin) = with_health_listener(&site, "DBT_GATEWAY__HEALTH__LISTEN");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{metrics_origin}/metrics")).send().await.unwrap();
    let text = answer.text().await.unwrap();
    gateway.stop();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let (_, value) = line
            .unwrap_or_else(|| panic!("no {name} in {text}"))
            .split_once(' ')
            .unwrap();
        value.parse::<f64>().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!((3.0..1e6).contains(&value("process_open_fds")));
    assert!(value("process_max_fds") >= value("process_open_fds"));
    // Linux reports the start in whole seconds.
    let started = value("process_start_time_seconds");
    assert!((before - 2.0..now() + 2.0).contains(&started), "{started}");
    let version = concat!("dbt_gateway_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1");
    assert!(text.contains(version), "{text}");
}
