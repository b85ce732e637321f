//! A caller of the gateway, with or without a key.

use reqwest::header::{ACCEPT, AUTHORIZATION};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::operations::assert_documented;
use super::{Answer, TestApp};

/// A caller of a [`TestApp`].
pub(crate) struct Caller<'a> {
    app: &'a TestApp,
    authorization: Option<String>,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(app: &'a TestApp, authorization: Option<String>) -> Self {
        Self { app, authorization }
    }

    /// A request to a path of the gateway, or to an absolute address.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = if path.starts_with('/') {
            format!("{}{path}", self.app.url)
        } else {
            path.to_owned()
        };
        let request = self.app.http.request(method, address);
        // Events come as a page, unless a test asks for the stream too: that does not end.
        let request = if path.contains("/events") {
            request.header(ACCEPT, "application/json")
        } else {
            request
        };
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// Sends a request, and asserts that the OpenAPI document lists the status of the answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let (http, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let answer = Answer::collect(http.execute(request).await.unwrap()).await;
        assert_documented(&method, &path, answer.status);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts a body of any content type.
    pub(crate) async fn post_text(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", content_type);
        self.send(request.body(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }
}
