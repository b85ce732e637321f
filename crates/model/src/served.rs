//! Where the answer to a request is from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

/// Where an answer is from, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServedFrom {
    /// dbt Cloud was asked for this request.
    Dbt,
    /// Another request asked dbt Cloud for the same at the same time.
    Coalesced,
    /// A kept answer that is fresh.
    Cache,
    /// A kept answer that is not fresh, since dbt Cloud did not answer.
    Stale,
}

impl ServedFrom {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Dbt, Self::Coalesced, Self::Cache, Self::Stale];

    /// The spelling of the request log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dbt => "dbt",
            Self::Coalesced => "coalesced",
            Self::Cache => "cache",
            Self::Stale => "stale",
        }
    }
}

/// The source of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Where it is from.
    pub from: ServedFrom,
    /// How old it is.
    pub age: Duration,
    /// The request for which dbt Cloud was asked, if it is another one.
    pub request_uuid: Option<Uuid>,
}

impl Source {
    /// An answer of dbt Cloud to this request.
    pub const DBT: Self = Self {
        from: ServedFrom::Dbt,
        age: Duration::ZERO,
        request_uuid: None,
    };
}

/// The source of one request's answer, set while it is worked on. All clones share it.
#[derive(Debug, Clone, Default)]
pub struct Served(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    counts: Option<Source>,
    stale: Option<Source>,
}

impl Served {
    /// Adds a part of the answer: of several parts, one from dbt Cloud counts, else the oldest kind.
    pub fn add(&self, part: Source) {
        let mut parts = self.parts();
        if part.from == ServedFrom::Stale {
            parts.stale = Some(part);
        }
        let counts = match parts.counts {
            None => true,
            Some(Source {
                from: ServedFrom::Dbt, ..
            }) => false,
            Some(known) => part.from == ServedFrom::Dbt || part.from > known.from,
        };
        if counts {
            parts.counts = Some(part);
        }
    }

    /// The source; `None` if nothing was needed of dbt Cloud.
    pub fn get(&self) -> Option<Source> {
        self.parts().counts
    }

    /// What the caller is told: that a part is stale, also where dbt Cloud was asked before.
    pub fn shown(&self) -> Option<Source> {
        let parts = self.parts();
        parts.stale.or(parts.counts)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dbt_cloud_counts_before_the_oldest_kind() {
        let part = |from| Source { from, ..Source::DBT };
        let served = Served::default();
        assert_eq!(served.get(), None);
        for (added, expected) in [
            (ServedFrom::Coalesced, ServedFrom::Coalesced),
            (ServedFrom::Stale, ServedFrom::Stale),
            (ServedFrom::Cache, ServedFrom::Stale),
            (ServedFrom::Dbt, ServedFrom::Dbt),
            (ServedFrom::Stale, ServedFrom::Dbt),
        ] {
            served.clone().add(part(added));
            assert_eq!(served.get().unwrap().from, expected, "{added:?}");
        }
        assert_eq!(served.shown().unwrap().from, ServedFrom::Stale);
    }
}
