//! `DbtClient`: one authenticated request, before it is admitted.

use std::fmt;
use std::sync::{Arc, OnceLock};

use model::{Caller, RequestStamp};
use shares::{Owner, Share};

use crate::shared::Shared;

/// One request of one caller. Each operation consumes it, so that one request has one context and one row.
///
/// Each resource has its own file of operations: `projects.rs`, `jobs.rs`, `runs.rs`.
pub struct DbtClient {
    pub(crate) caller: Caller,
    pub(crate) stamp: RequestStamp,
    /// The credential that the request's header names.
    pub(crate) credential: Option<String>,
    /// The share of the connections to Postgres, once the request is admitted.
    pub(crate) connection: OnceLock<Share>,
    pub(crate) shared: Arc<Shared>,
}

impl DbtClient {
    /// The same request with that credential, unless the operation names another.
    #[must_use]
    pub fn by_credential(self, name: Option<String>) -> Self {
        Self {
            credential: name,
            ..self
        }
    }

    /// The caller's company and key.
    pub(crate) fn owner(&self) -> Owner {
        Owner::key(self.caller.company_id.0, self.caller.api_key_id.0)
    }

    /// The authenticated caller.
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
