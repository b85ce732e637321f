//! What makes two reads the same.

use dbt_api::ApiRequest;
use http::header::USER_AGENT;
use model::{CompanyId, Upstream, UpstreamSource};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

/// A credential in one of its versions: another token or address is another credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CredentialKey([u8; 32]);

impl CredentialKey {
    pub(crate) fn new(company: CompanyId, to: &Upstream) -> Self {
        let mut hash = Parts::default();
        hash.add(company.0.to_be_bytes());
        hash.add([u8::from(to.source == UpstreamSource::Stored)]);
        hash.add(&to.name);
        hash.add(to.account_id.0.to_be_bytes());
        for url in [&to.admin_url, &to.metadata_url, &to.semantic_layer_url] {
            hash.add(url.as_str());
        }
        hash.add(to.token.expose_secret());
        Self(hash.finish())
    }
}

/// A read of one credential: everything that is sent to dbt Cloud but the user agent and the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ReadKey {
    pub(super) request: [u8; 32],
    /// The number of changes of the account until now.
    pub(super) generation: u64,
}

impl ReadKey {
    pub(super) fn new(credential: &CredentialKey, to: &Upstream, request: &ApiRequest, generation: u64) -> Self {
        let mut hash = Parts::default();
        hash.add(credential.0);
        hash.add(to.base_url(request.api()).as_str());
        hash.add(request.method().as_str());
        hash.add(request.path());
        hash.add([u8::from(request.is_verbatim())]);
        hash.pairs(
            request
                .query_pairs()
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
            request.raw_query(),
        );
        let mut headers: Vec<_> = request
            .headers()
            .iter()
            .filter(|(name, _)| *name != USER_AGENT)
            .collect();
        // Stable, so that the order of repeated headers counts.
        headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        for (name, value) in headers {
            hash.add(name.as_str());
            hash.add(value);
        }
        if let Some(body) = request.body() {
            hash.add(body);
        }
        Self {
            request: hash.finish(),
            generation,
        }
    }
}

/// The hash of several texts, each with its length, so that no two lists of texts are hashed alike.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The query with decoded names and values, in its order.
    fn pairs<'q>(&mut self, pairs: impl Iterator<Item = (&'q str, &'q str)>, raw: Option<&str>) {
        let mut count: u64 = 0;
        let mut pair = |name: &str, value: &str| {
            count += 1;
            self.add(name);
            self.add(value);
        };
        for (name, value) in pairs {
            pair(name, value);
        }
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            pair(&name, &value);
        }
        self.add(count.to_be_bytes());
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
