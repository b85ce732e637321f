//! `DbtClient`: one authenticated request, before it is admitted.

use std::fmt;
use std::sync::Arc;

use model::{Caller, RequestStamp};

use crate::clients::Shared;

/// One request of one caller. Every operation consumes it: one request is one context, one row.
///
/// The operations stand in one file a resource: `projects.rs`, `jobs.rs`, `runs.rs`.
pub struct DbtClient {
    pub(crate) caller: Caller,
    pub(crate) stamp: RequestStamp,
    /// The credential that the caller named beside the request, in a header.
    pub(crate) credential: Option<String>,
    pub(crate) shared: Arc<Shared>,
}

impl DbtClient {
    /// The same request by the credential of that name, unless the request itself names another.
    #[must_use]
    pub fn by_credential(self, name: Option<String>) -> Self {
        Self {
            credential: name,
            ..self
        }
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl fmt::Debug for DbtClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbtClient")
            .field("caller", &self.caller)
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}
