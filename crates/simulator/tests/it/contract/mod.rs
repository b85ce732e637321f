//! The contract: calls every operation once and compares its answer with the facts of dbt's specification, with the
//! committed list of operations, and with the committed shape of the answer.
//!
//! To renew the committed files: `SIMULATOR_UPDATE_CONTRACT=1 cargo nextest run -p simulator contract`. With
//! `DBT_SPEC_DIR` set to a folder with `openapi-v2.yaml` and `openapi-v3.yaml` this renews the facts too. Without
//! the switch, `DBT_SPEC_DIR` checks the committed facts against those files.

mod facts;
mod shape;
mod specification;
mod walk;
mod walk_jobs;
mod walk_people;
mod walk_projects;
mod walk_webhooks;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use specification::Specification;
use walk::Walk;

/// The number of specified operations that are served; docs/simulator.md repeats it.
pub(crate) const SPECIFIED: usize = 159;

#[expect(
    clippy::disallowed_methods,
    reason = "settings of this test alone; no settings file is read here"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn committed(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/contract")
        .join(name)
}

/// Compares with a committed file, or writes it when `SIMULATOR_UPDATE_CONTRACT` is set.
fn compare(name: &str, found: &[String]) {
    let path = committed(name);
    let found = found.join("\n") + "\n";
    if setting("SIMULATOR_UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, &found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (expected.lines().collect(), found.lines().collect());
    if expected == found {
        return;
    }
    let removed: Vec<_> = old.difference(&new).map(|line| format!("- {line}")).collect();
    let added: Vec<_> = new.difference(&old).map(|line| format!("+ {line}")).collect();
    panic!(
        "{} changed (SIMULATOR_UPDATE_CONTRACT=1 renews it):\n{}\n{}",
        path.display(),
        removed.join("\n"),
        added.join("\n")
    );
}

fn committed_specification() -> Specification {
    let text = std::fs::read_to_string(committed("specification.json")).unwrap();
    Specification::from_facts(&serde_json::from_str(&text).unwrap())
}

async fn walked() -> Walk {
    let mut walk = Walk::start().await;
    walk.accounts_and_projects().await;
    walk.warehouse().await;
    walk.variables().await;
    walk.people().await;
    walk.jobs_and_runs().await;
    walk.webhooks().await;
    walk
}

#[tokio::test]
async fn every_operation_answers_and_keeps_its_shape() {
    let walk = walked().await;
    let served: BTreeSet<String> = walk.dbt.running.operations().into_iter().collect();
    let answered: BTreeSet<String> = walk.answers.keys().cloned().collect();
    let silent: Vec<_> = served.difference(&answered).collect();
    assert!(silent.is_empty(), "served but not walked: {silent:#?}");

    let operations: Vec<String> = walk
        .answers
        .iter()
        .map(|(name, answer)| format!("{name} -> {}", answer.status))
        .collect();
    compare("operations.txt", &operations);
    let shapes: Vec<String> = walk
        .answers
        .iter()
        .map(|(name, answer)| format!("{name}: {}", shape::of(&answer.body)))
        .collect();
    compare("shapes.txt", &shapes);
}

#[tokio::test]
async fn every_answer_obeys_the_specification() {
    let specification = committed_specification();
    let walk = walked().await;
    let mut specified = 0;
    let mut violations = Vec::new();
    for (operation, answer) in &walk.answers {
        let Some(found) = specification.violations(operation, answer) else {
            continue;
        };
        specified += 1;
        violations.extend(found.into_iter().map(|violation| format!("{operation}: {violation}")));
    }
    assert!(
        violations.is_empty(),
        "{} violations:\n{}",
        violations.len(),
        violations.join("\n")
    );
    assert_eq!(
        specified, SPECIFIED,
        "the number here and in docs/simulator.md is out of date"
    );
}

/// Compares the committed facts with dbt's files where `DBT_SPEC_DIR` names their folder.
#[test]
fn the_committed_facts_are_those_of_the_specification() {
    if let Some(folder) = setting("DBT_SPEC_DIR") {
        let facts = serde_json::to_string_pretty(&facts::read(Path::new(&folder))).unwrap();
        compare(
            "specification.json",
            &facts.lines().map(ToOwned::to_owned).collect::<Vec<_>>(),
        );
    }
    compare("specification-operations.txt", &committed_specification().operations());
}
