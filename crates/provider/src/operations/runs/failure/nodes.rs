//! The failed nodes among a command's results.

use model::{FailedNode, FailedNodes, NodeResult, ResultsFile};

use super::excerpt;
use crate::FailureSettings;

/// The counts, and the first `limits.max_nodes` failed nodes.
pub(super) fn failed(file: ResultsFile, results: &[NodeResult], limits: &FailureSettings) -> FailedNodes {
    let count_of = |is: fn(&NodeResult) -> bool| results.iter().filter(|node| is(node)).count();
    let failed = results.iter().filter(|node| node.has_failed());
    FailedNodes {
        artifact: file,
        count: results.len(),
        failed_count: count_of(NodeResult::has_failed),
        skipped_count: count_of(NodeResult::was_skipped),
        failed: failed
            .take(limits.max_nodes)
            .map(|node| failed_node(node, limits))
            .collect(),
    }
}

fn failed_node(node: &NodeResult, limits: &FailureSettings) -> FailedNode {
    let reason = node.reason().map(|text| excerpt::plain(&text));
    FailedNode {
        unique_id: node.unique_id.clone(),
        status: node.status.clone(),
        message: reason.map(|text| excerpt::head(text.trim(), limits.message_max_bytes)),
        failures: node.failures,
        relation_name: node.relation_name.clone(),
        execution_secs: node.execution_time,
    }
}
