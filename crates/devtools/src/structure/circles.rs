//! Circles: groups of nodes that all reach each other.

use std::collections::{BTreeMap, BTreeSet};

/// The strongly connected components with more than one node, each sorted.
pub(super) fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reached: BTreeMap<_, _> = arrows.keys().map(|node| (node, reached_from(node, arrows))).collect();
    let circle_of = |node: &String| {
        let members = reached[node]
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(node)));
        members.map(|member| (*member).clone()).collect::<Vec<_>>()
    };
    arrows.keys().map(circle_of).filter(|circle| circle.len() > 1).collect()
}

/// Every node at the end of a way of at least one arrow.
fn reached_from<'a>(node: &str, arrows: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = arrows.get(node).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(arrows.get(next).into_iter().flatten());
        }
    }
    reached
}
