//! The contract: every operation is asked once and its answer compared with dbt's specification (where it is at hand),
//! with the committed list of operations, and with the committed shape of its answer.
//!
//! After a wanted change: `SIMULATOR_UPDATE_CONTRACT=1 cargo nextest run -p simulator contract`.

mod shape;
mod spec;
mod walk;
mod walk_jobs;
mod walk_people;
mod walk_projects;
mod walk_webhooks;

use std::collections::BTreeSet;
use std::path::PathBuf;

use walk::Walk;

/// How many operations of the specification are served; the manual says so too.
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

/// Compares with a committed file, or writes it when asked to.
fn compare(name: &str, found: &[String]) {
    let path = committed(name);
    let found = found.join("\n") + "\n";
    if setting("SIMULATOR_UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, &found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (expected.lines().collect(), found.lines().collect());
    let gone: Vec<_> = old.difference(&new).map(|line| format!("- {line}")).collect();
    let come: Vec<_> = new.difference(&old).map(|line| format!("+ {line}")).collect();
    assert!(
        gone.is_empty() && come.is_empty(),
        "{} changed (SIMULATOR_UPDATE_CONTRACT=1 renews it):\n{}\n{}",
        path.display(),
        gone.join("\n"),
        come.join("\n")
    );
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
    let folder = setting("DBT_SPEC_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec"),
        PathBuf::from,
    );
    let Some(specification) = spec::Specification::read(&folder) else {
        spec::say(&format!(
            "NOT CHECKED AGAINST THE SPECIFICATION: there are no openapi-v2.yaml and openapi-v3.yaml in {}. \
             Set DBT_SPEC_DIR to a folder that holds them.",
            folder.display()
        ));
        return;
    };
    let walk = walked().await;
    let mut specified = 0;
    let mut violations = Vec::new();
    for (name, answer) in &walk.answers {
        match specification.check(name, answer) {
            spec::Verdict::NotSpecified => {}
            spec::Verdict::Obeyed => specified += 1,
            spec::Verdict::Violated(problems) => {
                violations.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
            }
        }
    }
    assert!(
        violations.is_empty(),
        "{} violations:\n{}",
        violations.len(),
        violations.join("\n")
    );
    let (v2, v3) = specification.count();
    spec::say(&format!(
        "{specified} of {} specified operations are served and obey the specification",
        v2 + v3
    ));
    assert_eq!(specified, SPECIFIED, "the number in the manual and here is out of date");
}
