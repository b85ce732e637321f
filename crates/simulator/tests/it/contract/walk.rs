//! Calls every operation once, in a sensible order, and keeps the answers.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use simulator::acme;

use crate::support::TestSimulator;

/// The answer of an operation.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
}

pub(super) struct Walk {
    pub(super) dbt: TestSimulator,
    /// Keyed by `GET /api/v2/…`.
    pub(super) answers: BTreeMap<String, Answered>,
}

impl Walk {
    pub(super) async fn start() -> Self {
        Self {
            dbt: TestSimulator::start().await,
            answers: BTreeMap::new(),
        }
    }

    /// One request; `{account_id}` is filled in, the other parameters in their order.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        template: &str,
        params: &[&dyn std::fmt::Display],
        body: Option<Value>,
    ) -> Value {
        let mut left = params.iter();
        let parts = template.split('/').map(|part| match part {
            "{account_id}" => acme::ACCOUNT_ID.to_string(),
            _ if part.starts_with('{') => left.next().unwrap().to_string(),
            _ => part.to_owned(),
        });
        let path = parts.collect::<Vec<_>>().join("/");
        let query = left.next().map_or_else(String::new, |query| format!("?{query}"));
        let method: Method = method.parse().unwrap();
        let answer = self
            .dbt
            .try_send(method.clone(), &format!("{path}{query}"), body)
            .await
            .unwrap();
        assert!(
            answer.status.is_success(),
            "{method} {path}{query}: {} {}",
            answer.status,
            answer.text
        );
        let data = answer.json["data"].clone();
        let answered = Answered {
            status: answer.status.as_u16(),
            body: answer.json,
        };
        // The first answer is kept.
        self.answers.entry(format!("{method} {template}")).or_insert(answered);
        data
    }

    pub(super) async fn get(&mut self, template: &str, params: &[&dyn std::fmt::Display]) -> Value {
        self.ask("GET", template, params, None).await
    }

    pub(super) async fn post(&mut self, template: &str, params: &[&dyn std::fmt::Display], body: Value) -> Value {
        self.ask("POST", template, params, Some(body)).await
    }

    pub(super) async fn delete(&mut self, template: &str, params: &[&dyn std::fmt::Display]) {
        self.ask("DELETE", template, params, None).await;
    }

    /// The five usual verbs; `update` is the method of an update. Returns the id of a row that was not deleted.
    pub(super) async fn usual(
        &mut self,
        list: &str,
        one: &str,
        update: &str,
        parents: &[&dyn std::fmt::Display],
        body: Value,
    ) -> i64 {
        let with = |id: i64| -> Vec<String> {
            parents
                .iter()
                .map(ToString::to_string)
                .chain([id.to_string()])
                .collect()
        };
        let id = self.post(list, parents, body.clone()).await["id"].as_i64().unwrap();
        let params = with(id);
        let params: Vec<&dyn std::fmt::Display> = params.iter().map(|param| param as &dyn std::fmt::Display).collect();
        if self.dbt.running.operations().contains(&format!("GET {list}")) {
            self.get(list, parents).await;
        }
        self.get(one, &params).await;
        self.ask(update, one, &params, Some(body.clone())).await;
        if self.dbt.running.operations().contains(&format!("DELETE {one}")) {
            self.delete(one, &params).await;
            let kept = self.post(list, parents, body).await["id"].as_i64().unwrap();
            assert_ne!(kept, id);
            return kept;
        }
        id
    }
}
