//! Access URLs of stored credentials: which are accepted, and the three addresses derived from one.

use address_rules::{is_evidently_private, metadata_url, semantic_layer_url};
use url::Url;

use crate::ClientError;

/// Which access URLs the API accepts. Those of the settings are not restricted.
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessRules {
    /// Whether private, loopback and link-local addresses are accepted.
    pub allow_private_addresses: bool,
    /// Whether plain http is accepted.
    pub allow_plain_http: bool,
}

/// The addresses of dbt Cloud's three APIs for one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) admin: Url,
    pub(crate) metadata: Url,
    pub(crate) semantic_layer: Url,
}

impl AccessRules {
    /// The addresses for an access URL (`ab123.us1.dbt.com`, `https://cloud.getdbt.com`); the other two are derived
    /// unless given.
    ///
    /// # Errors
    /// [`ClientError::Invalid`].
    pub(crate) fn addresses(
        self,
        access_url: &str,
        metadata: Option<&str>,
        semantic_layer: Option<&str>,
    ) -> Result<Addresses, ClientError> {
        let access = self.origin("access_url", access_url)?;
        let given = |field: &'static str, text: Option<&str>, derived: fn(&Url) -> Url| match text {
            Some(text) => self.origin(field, text),
            None => Ok(derived(&access)),
        };
        let metadata = given("metadata_url", metadata, metadata_url)?;
        let semantic_layer = given("semantic_layer_url", semantic_layer, semantic_layer_url)?;
        let mut admin = access;
        admin.set_path("/api");
        Ok(Addresses {
            admin,
            metadata,
            semantic_layer,
        })
    }

    /// The URL of a host or an http(s) origin. A public name that resolves to a private address is only detected when
    /// the gateway connects to it.
    fn origin(self, field: &'static str, text: &str) -> Result<Url, ClientError> {
        let refused = |why: &str| Err(ClientError::invalid(field, why));
        let text = text.trim();
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let Ok(url) = Url::parse(&full) else {
            return refused("it is neither a host nor a URL");
        };
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !bare || url.fragment().is_some() || url.path() != "/" {
            return refused("it must be an origin without user, path and query: https://ab123.us1.dbt.com");
        }
        if !matches!(url.scheme(), "https" | "http") || (url.scheme() == "http" && !self.allow_plain_http) {
            return refused("it must be https, since each request sends the token");
        }
        if url.host().is_none() {
            return refused("it has no host");
        }
        if is_evidently_private(&url) && !self.allow_private_addresses {
            return refused("the address is not public; the operator can allow it in the settings");
        }
        Ok(url)
    }
}

/// The access URL of a stored administrative address.
pub(crate) fn access_url_of(admin: &Url) -> String {
    let mut origin = admin.clone();
    origin.set_path("");
    origin.to_string().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_addresses_are_derived_from_a_host_or_an_origin() {
        for text in [
            "ab123.us1.dbt.com",
            "https://ab123.us1.dbt.com",
            " https://ab123.us1.dbt.com/ ",
        ] {
            let addresses = AccessRules::default().addresses(text, None, None).unwrap();
            assert_eq!(addresses.admin.as_str(), "https://ab123.us1.dbt.com/api");
            assert_eq!(addresses.metadata.as_str(), "https://ab123.metadata.us1.dbt.com/");
            assert_eq!(
                addresses.semantic_layer.as_str(),
                "https://ab123.semantic-layer.us1.dbt.com/"
            );
            assert_eq!(access_url_of(&addresses.admin), "https://ab123.us1.dbt.com");
        }
        let given = AccessRules::default()
            .addresses("dbt.acme.example", Some("meta.acme.example"), None)
            .unwrap();
        assert_eq!(given.metadata.as_str(), "https://meta.acme.example/");
        assert_eq!(
            given.semantic_layer.as_str(),
            "https://semantic-layer.dbt.acme.example/"
        );
    }

    #[test]
    fn an_invalid_or_private_access_url_is_refused() {
        for text in [
            "",
            "http://cloud.getdbt.com",
            "ftp://cloud.getdbt.com",
            "https://user:password@cloud.getdbt.com",
            "https://cloud.getdbt.com/api/v2",
            "https://cloud.getdbt.com?x=1",
            "https://127.0.0.1",
            "https://2130706433",
            "https://[::1]",
            "https://10.0.0.8:8443",
            "https://169.254.169.254",
            "https://localhost",
            "https://LOCALHOST.",
            "two words",
        ] {
            assert!(AccessRules::default().addresses(text, None, None).is_err(), "{text}");
            assert!(
                AccessRules::default()
                    .addresses("cloud.getdbt.com", Some(text), None)
                    .is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn the_operator_can_allow_private_addresses() {
        let rules = AccessRules {
            allow_private_addresses: true,
            allow_plain_http: true,
        };
        let addresses = rules.addresses("http://127.0.0.1:8581", None, None).unwrap();
        assert_eq!(addresses.admin.as_str(), "http://127.0.0.1:8581/api");
        assert_eq!(addresses.metadata.as_str(), "http://127.0.0.1:8581/");
    }
}
