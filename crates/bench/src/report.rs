//! The report of a run: every figure, the targets, the comparison with the baseline.

use serde::Serialize;

use crate::comparisons::{self, BaselineComparison};
use crate::figures::{Figures, Totals};
use crate::machine::Machine;
use crate::options::Protocol;
use crate::targets::{self, Target};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Values of `--set`.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) upstream: Protocol,
    pub(crate) quick: bool,
    pub(crate) rounds: u32,
    pub(crate) scenarios: Figures,
    pub(crate) totals: Totals,
    pub(crate) targets: Vec<Target>,
    pub(crate) baseline: Vec<BaselineComparison>,
}

impl Report {
    /// As Markdown.
    pub(crate) fn tables(&self) -> String {
        let mut tables = targets::table(&self.targets);
        if !self.baseline.is_empty() {
            tables.push_str("\n\n");
            tables.push_str(&comparisons::baseline_table(&self.baseline));
        }
        tables
    }
}
