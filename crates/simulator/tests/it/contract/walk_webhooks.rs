//! Webhook subscriptions, with a listener.

use axum::Router;
use axum::routing::any;
use serde_json::json;
use simulator::acme;
use tokio::net::TcpListener;

use super::walk::Walk;

impl Walk {
    pub(super) async fn webhooks(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let listening = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(any(|| async { "thanks" })))
                .await
                .unwrap();
        });
        let base = "/api/v3/accounts/{account_id}/webhooks";
        let (list, one) = (
            format!("{base}/subscriptions"),
            format!("{base}/subscription/{{subscription_id}}"),
        );
        let body = json!({ "name": "Walk", "client_url": url, "event_types": ["job.run.started"], "active": true,
            "job_ids": [acme::HOURLY_JOB_ID] });
        let id = self.post(&list, &[], body.clone()).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        self.get(&list, &[]).await;
        self.get(&one, &[&id]).await;
        self.ask("PUT", &one, &[&id], Some(body)).await;
        self.get(&format!("{one}/test"), &[&id]).await;
        self.dbt.trigger(acme::HOURLY_JOB_ID).await;
        self.dbt.pass(60);
        let (event, receipt) = loop {
            let events = self.get(&format!("{one}/events"), &[&id]).await;
            let event = events[0]["id"].as_str().unwrap().to_owned();
            // Waits for the receipt of the delivery.
            let path = format!("{base}/event/{event}/receipts").replace("{account_id}", &acme::ACCOUNT_ID.to_string());
            let receipts = self.dbt.get(&path).await;
            if let Some(receipt) = receipts.data()[0]["id"].as_str() {
                break (event, receipt.to_owned());
            }
            tokio::task::yield_now().await;
        };
        self.get(&format!("{base}/event/{{event_id}}"), &[&event]).await;
        self.get(&format!("{base}/event/{{event_id}}/receipts"), &[&event])
            .await;
        self.get(&format!("{base}/receipt/{{receipt_id}}"), &[&receipt]).await;
        self.get(&format!("{one}/event/{{event_id}}/receipt"), &[&id, &event])
            .await;
        self.delete(&one, &[&id]).await;
        listening.abort();
    }
}
