//! The content of an artifact.

use axum::body::Body;
use bytes::Bytes;

use super::generated::Generated;

pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    pub(crate) etag: String,
    pub(crate) source: Source,
}

pub(crate) enum Source {
    Memory(Bytes),
    /// Produced while it is sent, so that its size needs no memory.
    Generated(Generated),
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
