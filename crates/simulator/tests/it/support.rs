//! A running simulator and its HTTP client.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use simulator::{Config, Running, Simulator, acme};

/// A simulator with a client.
pub(crate) struct TestSimulator {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) token: &'static str,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub(crate) fn ids(&self) -> Vec<i64> {
        self.data()
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect()
    }
}

pub(crate) fn client() -> Client {
    // An error means that another test of this process has installed a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl TestSimulator {
    pub(crate) async fn start() -> Self {
        Self::with(Config::frozen()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self {
            running: Simulator::start(config).await.unwrap(),
            client: client(),
            token: acme::TOKEN,
        }
    }

    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.running.base_url()));
        request = request.header("authorization", format!("Token {}", self.token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer {
            status,
            headers,
            text,
            json,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_send(Method::GET, path, None).await.unwrap()
    }

    /// A path below the Acme account: `v2("runs/")`.
    pub(crate) async fn v2(&self, path: &str) -> Answer {
        self.get(&v2(path)).await
    }

    pub(crate) async fn v3(&self, path: &str) -> Answer {
        self.get(&v3(path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_send(Method::POST, path, Some(body)).await.unwrap()
    }

    /// Triggers a job; returns the id of the run.
    pub(crate) async fn trigger(&self, job_id: i64) -> i64 {
        let answer = self
            .post(
                &v2(&format!("jobs/{job_id}/run/")),
                serde_json::json!({ "cause": "test" }),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.data()["id"].as_i64().unwrap()
    }

    /// `status_humanized` of a run.
    pub(crate) async fn status_of(&self, run_id: i64) -> String {
        self.v2(&format!("runs/{run_id}/")).await.data()["status_humanized"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.running.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn v2(path: &str) -> String {
    format!("/api/v2/accounts/{}/{path}", acme::ACCOUNT_ID)
}

pub(crate) fn v3(path: &str) -> String {
    format!("/api/v3/accounts/{}/{path}", acme::ACCOUNT_ID)
}
