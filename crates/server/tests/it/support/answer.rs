//! A collected answer of the gateway.

use std::fmt::Display;

use reqwest::StatusCode;
use reqwest::header::{AsHeaderName, HeaderMap};
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Reads the answer to its end, or until it is interrupted.
    pub(crate) async fn collect(mut response: reqwest::Response) -> Self {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
        }
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The body, or each line of an NDJSON body, which must not be empty.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        if self.header(reqwest::header::CONTENT_TYPE) != Some("application/x-ndjson") {
            return vec![self.json()];
        }
        assert!(self.text.ends_with('\n'), "{}", self.text);
        let lines = self.text.lines().map(serde_json::from_str);
        lines.map(Result::unwrap).collect()
    }

    /// The JSON body; the status must be this one.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The value of a header, which must not be repeated.
    pub(crate) fn header(&self, name: impl AsHeaderName + Display) -> Option<&str> {
        let shown = name.to_string();
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{shown}: {values:?}");
        Some(values.first()?.to_str().unwrap())
    }

    /// The id of the request, `x-request-id`.
    pub(crate) fn request_uuid(&self) -> String {
        let name = "x-request-id";
        let id = self.header(name).unwrap_or_else(|| panic!("no id: {self:#?}"));
        let uuid = uuid::Uuid::parse_str(id).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        id.to_owned()
    }

    /// The body, which must be a complete problem document of that status and type.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> Value {
        use reqwest::header::CONTENT_TYPE;

        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header(CONTENT_TYPE), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem:#}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_uuid"], self.request_uuid().as_str());
        for name in ["title", "detail", "instance"] {
            let text = problem[name].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {name}: {problem:#}");
        }
        assert!(problem["instance"].as_str().unwrap().starts_with('/'), "{problem:#}");
        problem
    }

    /// The `detail` of a problem.
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }

    /// The ids of the results of a list.
    pub(crate) fn ids(&self) -> Vec<i64> {
        let list = self.expect(200);
        let results = list["results"].as_array().unwrap();
        results.iter().map(|entry| entry["id"].as_i64().unwrap()).collect()
    }
}
