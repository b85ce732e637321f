//! The nodes that failed, out of all that a command has told of.

use model::{FailedNode, FailedNodes, NodeResult, ResultsFile};

use super::{FailureSettings, excerpt};

/// Counts them all and tells the first ones.
pub(super) fn failed(file: ResultsFile, results: &[NodeResult], limits: &FailureSettings) -> FailedNodes {
    let count_of = |is: fn(&NodeResult) -> bool| results.iter().filter(|node| is(node)).count();
    let failed = results.iter().filter(|node| node.has_failed());
    FailedNodes {
        artifact: file.path(),
        count: results.len(),
        failed_count: count_of(NodeResult::has_failed),
        skipped_count: count_of(NodeResult::was_skipped),
        failed: failed.take(limits.max_nodes).map(|node| told(node, limits)).collect(),
    }
}

fn told(node: &NodeResult, limits: &FailureSettings) -> FailedNode {
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
