//! Artifacts of runs: the files that each step leaves, their content, and answers with whole files or ranges.

mod answer;
mod content;
mod files;
mod generated;
mod logs;
mod recorded;

pub(crate) use answer::artifact_response;
pub(crate) use content::Content;
pub(crate) use files::{names, open};
pub(crate) use logs::{console, debug, last_lines};
pub(crate) use recorded::{CATALOG, MANIFEST, NodeResult, SOURCES, build_results, failed_results};
