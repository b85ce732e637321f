//! The hosts of dbt Cloud's three APIs. Users know one of them, the access URL; the other two follow from it.

use url::{Host, Url};

/// The origin of the Discovery API of the account at `access_url`.
pub fn metadata_url(access_url: &Url) -> Url {
    sibling(access_url, "metadata")
}

/// The origin of the Semantic Layer API of the account at `access_url`.
pub fn semantic_layer_url(access_url: &Url) -> Url {
    sibling(access_url, "semantic-layer")
}

/// `P.R.dbt.com` becomes `P.<api>.R.dbt.com`; any other host (`cloud.getdbt.com`, `emea.dbt.com`, a single tenant's)
/// gets the prefix `<api>.`. An IP address and `localhost` stay the same.
fn sibling(access_url: &Url, api: &str) -> Url {
    let mut origin = access_url.clone();
    origin.set_path("");
    origin.set_query(None);
    origin.set_fragment(None);
    let host = match access_url.host() {
        Some(Host::Domain(host)) if !host.eq_ignore_ascii_case("localhost") => host,
        _ => return origin,
    };
    let sibling = match host.strip_suffix(".dbt.com").and_then(|cell| cell.split_once('.')) {
        Some((prefix, region)) if !region.contains('.') => format!("{prefix}.{api}.{region}.dbt.com"),
        _ => format!("{api}.{host}"),
    };
    // Cannot fail: a valid host with one more label of letters and hyphens is a valid host.
    let _ = origin.set_host(Some(&sibling));
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_two_hosts_follow_from_every_kind_of_access_url() {
        let cases = [
            (
                "https://cloud.getdbt.com/api",
                "https://metadata.cloud.getdbt.com/",
                "https://semantic-layer.cloud.getdbt.com/",
            ),
            (
                "https://emea.dbt.com/api",
                "https://metadata.emea.dbt.com/",
                "https://semantic-layer.emea.dbt.com/",
            ),
            (
                "https://ab123.us1.dbt.com/api",
                "https://ab123.metadata.us1.dbt.com/",
                "https://ab123.semantic-layer.us1.dbt.com/",
            ),
            (
                "https://dbt.acme.example/api",
                "https://metadata.dbt.acme.example/",
                "https://semantic-layer.dbt.acme.example/",
            ),
            (
                "http://127.0.0.1:8581/api",
                "http://127.0.0.1:8581/",
                "http://127.0.0.1:8581/",
            ),
            (
                "http://localhost:8581/api",
                "http://localhost:8581/",
                "http://localhost:8581/",
            ),
        ];
        for (access, metadata, semantic_layer) in cases {
            let access = Url::parse(access).unwrap();
            assert_eq!(metadata_url(&access).as_str(), metadata);
            assert_eq!(semantic_layer_url(&access).as_str(), semantic_layer);
        }
    }
}
