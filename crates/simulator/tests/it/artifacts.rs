//! Artifacts: by step, ranges, unchanged, binary, and very large ones.

use futures::StreamExt as _;
use serde_json::{Value, json};
use simulator::{Switches, acme};

use crate::support::{TestSimulator, v2};

fn path(run: i64, name: &str) -> String {
    v2(&format!("runs/{run}/artifacts/{name}"))
}

async fn fetch(dbt: &TestSimulator, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = dbt.client.get(format!("{}{path}", dbt.running.base_url()));
    request = request.header("authorization", format!("Token {}", acme::TOKEN));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_step_selects_the_run_results() {
    let dbt = TestSimulator::start().await;
    let which = async |query: &str| -> String {
        let results = dbt
            .get(&path(acme::DOCS_RUN_ID, &format!("run_results.json{query}")))
            .await;
        results.json["args"]["which"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(
        [which("").await, which("?step=4").await, which("?step=5").await],
        ["generate", "build", "generate"]
    );
    assert_eq!(
        dbt.get(&path(acme::DOCS_RUN_ID, "run_results.json?step=2"))
            .await
            .status,
        404
    );
    let listed = dbt.get(&path(acme::DOCS_RUN_ID, "?step=4")).await;
    let names: Vec<&str> = listed
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"compiled/acme_shop/models/marts/customers.sql") && !names.contains(&"catalog.json"),
        "{names:?}"
    );
}

#[tokio::test]
async fn results_contain_their_run_id_and_the_failed_node() {
    let dbt = TestSimulator::start().await;
    let results = dbt.get(&path(acme::FAILED_RUN_ID, "run_results.json")).await;
    assert_eq!(results.headers["content-type"], "application/json");
    assert_eq!(
        results.json["metadata"]["env"]["DBT_CLOUD_RUN_ID"],
        acme::FAILED_RUN_ID.to_string()
    );
    let rows = results.json["results"].as_array().unwrap();
    let failed: Vec<&Value> = rows.iter().filter(|row| row["status"] == "fail").collect();
    assert_eq!(failed.len(), 1);
    let log = dbt
        .v2(&format!("runs/{}/?include_related=run_steps", acme::FAILED_RUN_ID))
        .await;
    let log = log.data()["run_steps"][3]["logs"].as_str().unwrap();
    assert!(log.contains(failed[0]["message"].as_str().unwrap()), "{log}");
    let latest = dbt
        .v2(&format!("jobs/{}/artifacts/run_results.json", acme::FAILING_JOB_ID))
        .await;
    assert_eq!(latest.text, results.text);
}

#[tokio::test]
async fn runs_without_artifacts_are_404_or_null_by_switch() {
    let dbt = TestSimulator::start().await;
    assert_eq!(dbt.get(&path(acme::CANCELLED_RUN_ID, "")).await.status, 404);
    assert_eq!(
        dbt.get(&path(acme::CANCELLED_RUN_ID, "manifest.json")).await.status,
        404
    );
    let unfinished = dbt.trigger(acme::NIGHTLY_JOB_ID).await;
    assert_eq!(dbt.get(&path(unfinished, "manifest.json")).await.status, 404);
    dbt.running.set_switches(Switches {
        no_artifacts_is_null: true,
        artifact_max_bytes: Some(100),
        ..Switches::default()
    });
    let listed = dbt.get(&path(acme::CANCELLED_RUN_ID, "")).await;
    assert_eq!((listed.status.as_u16(), listed.data()), (200, &Value::Null));
    assert_eq!(
        dbt.get(&path(acme::SUCCEEDED_RUN_ID, "manifest.json")).await.status,
        404
    );
}

#[tokio::test]
async fn text_and_binary_files_have_their_media_types() {
    let dbt = TestSimulator::start().await;
    let sql = fetch(
        &dbt,
        &path(acme::SUCCEEDED_RUN_ID, "compiled/acme_shop/models/marts/customers.sql"),
        &[],
    )
    .await;
    assert_eq!(sql.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(sql.text().await.unwrap().contains("lifetime_value"));
    let parquet = fetch(
        &dbt,
        &path(acme::SUCCEEDED_RUN_ID, "metadata/telemetry-4-otel.parquet"),
        &[],
    )
    .await;
    assert_eq!(parquet.headers()["content-type"], "application/x-parquet");
    let bytes = parquet.bytes().await.unwrap();
    assert!(bytes.starts_with(b"PAR1") && std::str::from_utf8(&bytes).is_err());
}

#[tokio::test]
async fn a_range_is_sent_on_request_and_an_unchanged_file_is_a_304() {
    let dbt = TestSimulator::start().await;
    let manifest = path(acme::SUCCEEDED_RUN_ID, "manifest.json");
    let whole = fetch(&dbt, &manifest, &[]).await;
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    let whole = whole.bytes().await.unwrap();
    let part = fetch(&dbt, &manifest, &[("range", "bytes=10-19"), ("if-range", &etag)]).await;
    assert_eq!(
        (
            part.status().as_u16(),
            part.headers()["content-range"].to_str().unwrap()
        ),
        (206, format!("bytes 10-19/{}", whole.len()).as_str())
    );
    assert_eq!(part.bytes().await.unwrap(), whole.slice(10..20));
    assert_eq!(
        fetch(&dbt, &manifest, &[("range", "bytes=10-19"), ("if-range", "\"old\"")])
            .await
            .status(),
        200
    );
    assert_eq!(
        fetch(&dbt, &manifest, &[("range", "bytes=999999999-")]).await.status(),
        416
    );
    let same = fetch(&dbt, &manifest, &[("if-none-match", &etag)]).await;
    assert_eq!(same.status(), 304);
    assert!(same.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_generated_file_has_the_named_length_and_every_part_can_be_checked() {
    let dbt = TestSimulator::start().await;
    let file = path(acme::SUCCEEDED_RUN_ID, "simulated/8MiB.bin");
    let answer = fetch(&dbt, &file, &[]).await;
    assert_eq!(answer.content_length(), Some(8 << 20));
    let mut stream = answer.bytes_stream();
    let (mut length, mut rest) = (0_u64, Vec::new());
    while let Some(chunk) = stream.next().await {
        rest.extend_from_slice(&chunk.unwrap());
        let whole = rest.len() / 8 * 8;
        for word in rest.drain(..whole).collect::<Vec<_>>().chunks_exact(8) {
            assert_eq!(u64::from_be_bytes(word.try_into().unwrap()), length / 8);
            length += 8;
        }
    }
    assert_eq!((length, rest.len()), (8 << 20, 0));
    let gigabyte = path(acme::SUCCEEDED_RUN_ID, "simulated/1GiB.bin");
    let end = fetch(&dbt, &gigabyte, &[("range", "bytes=-8")]).await;
    assert_eq!(
        end.bytes().await.unwrap(),
        ((1_u64 << 30) / 8 - 1).to_be_bytes().as_slice()
    );
    let json = dbt.get(&path(acme::SUCCEEDED_RUN_ID, "simulated/2MiB.json")).await;
    assert_eq!((json.text.len(), json.json.is_object()), (2 << 20, true));
    assert_eq!(
        dbt.get(&path(acme::SUCCEEDED_RUN_ID, "..%2F..%2Fsecrets")).await.json["status"]["code"],
        json!(404)
    );
}
