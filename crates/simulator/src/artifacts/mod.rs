//! Artifacts of runs: which files each step leaves, what is in them, and how a part of one is answered.

mod answer;
mod files;
mod generated;
mod recorded;

pub(crate) use answer::ArtifactAnswer;
pub(crate) use files::{names, open};
pub(crate) use recorded::{CATALOG, MANIFEST, NodeResult, SOURCES, build_results, failed_results};

use axum::body::Body;
use bytes::Bytes;

/// A file of a run.
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    pub(crate) etag: String,
    pub(crate) source: Source,
}

/// Where its bytes come from.
pub(crate) enum Source {
    Memory(Bytes),
    /// Made while it is sent, so that its size costs no memory.
    Generated(generated::Generated),
}

impl Source {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Generated(generated) => generated.length(),
        }
    }

    /// The bytes from `start` up to but not including `end`.
    pub(crate) fn body(&self, start: u64, end: u64) -> Body {
        match self {
            Self::Memory(bytes) => {
                let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
                Body::from(bytes.slice(at(start)..at(end)))
            }
            Self::Generated(generated) => Body::from_stream(generated.stream(start, end)),
        }
    }
}
