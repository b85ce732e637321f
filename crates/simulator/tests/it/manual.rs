//! The manual is up to date.

use serde_json::Value;
use simulator::Switches;

const MANUAL: &str = include_str!("../../../../docs/simulator.md");

#[test]
fn the_manual_lists_every_switch_with_its_default() {
    let Value::Object(switches) = serde_json::to_value(Switches::default()).unwrap() else {
        panic!("an object")
    };
    for (name, default) in &switches {
        let row = format!("| `{name}` | `{default}` |");
        assert!(MANUAL.contains(&row), "docs/simulator.md lacks {row}");
    }
    let rows = MANUAL
        .lines()
        .skip_while(|line| !line.starts_with("| switch |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    assert_eq!(
        rows.count(),
        switches.len(),
        "docs/simulator.md lists a switch that is none"
    );
}

#[test]
fn the_manual_counts_the_specified_operations_it_claims() {
    let claimed = format!("The {} operations of dbt's specification", super::contract::SPECIFIED);
    assert!(MANUAL.contains(&claimed), "docs/simulator.md does not say: {claimed}");
}
