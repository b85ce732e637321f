//! Every operation of dbt Cloud's specifications, relayed with a key of each role.

use model::{Effect, RelayedOperation, Role};
use reqwest::Method;
use serde_json::json;
use simulator::acme;

use super::refusal;
use crate::support::Setup;

fn path(operation: RelayedOperation) -> String {
    let segments: Vec<_> = operation
        .template()
        .split('/')
        .map(|segment| match segment {
            "{account_id}" => acme::ACCOUNT_ID.to_string(),
            "{remainder}" => "manifest.json".to_owned(),
            segment if segment.starts_with('{') => "4711".to_owned(),
            segment => segment.to_owned(),
        })
        .collect();
    segments.join("/")
}

#[tokio::test]
async fn each_operation_is_relayed_for_the_roles_that_may_use_it_and_refused_to_the_others() {
    let app = Setup {
        allow_token_minting: true,
        ..Setup::default()
    }
    .start()
    .await;
    let (mut relayed, mut refused) = (0, 0);
    for operation in dbt_routes::operations().filter(|each| !each.as_str().starts_with("list_accounts")) {
        for role in Role::ALL {
            let before = app.dbt.requests().len();
            let caller = app.caller(role);
            let method: Method = operation.method().clone();
            let mut request = caller.request(method, &path(operation));
            if operation.effect() == Effect::Change {
                request = request.json(&json!({}));
            }
            let answer = caller.send(request).await;
            let sent = app.dbt.requests().split_off(before);
            if role >= operation.needs() {
                relayed += 1;
                assert_eq!(sent.len(), 1, "{operation:?} as {role}: {}", answer.text);
                assert_eq!(
                    (sent[0].method.as_str(), sent[0].path()),
                    (operation.method().as_str(), &*path(operation))
                );
            } else {
                refused += 1;
                let needs = operation.needs();
                let message = format!("This needs a key with the role {needs}; yours is {role}.");
                assert_eq!(refusal(&answer, 403), message, "{operation:?} as {role}");
                assert!(sent.is_empty(), "{operation:?} as {role}");
            }
            let row = app.row_of(&answer).await;
            assert_eq!(row["request_type"], operation.as_str());
            assert_eq!(row["template"], operation.template());
            if operation.template().contains("{account_id}") {
                assert_eq!(row["account_id"], acme::ACCOUNT_ID);
            }
            assert_eq!(row["outcome"] == "refused", role < operation.needs());
        }
    }
    println!("{relayed} relayed, {refused} refused");
    assert_eq!(relayed + refused, 3 * (205 + 54));
}
