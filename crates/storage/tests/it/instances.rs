//! The processes: who is alive, and whose open rows are closed for them.

use std::sync::Arc;
use std::time::Duration;

use model::{InstanceId, JobId};
use serde_json::{Value, json};
use storage::{Instances, LogRow, Outcome, RequestLog as _};

use crate::support::{Db, closing, fixed, noon, stamp_at};

const DEAD_AFTER: Duration = Duration::from_secs(30);

/// An open row of that process, and how it would be closed.
fn open_row(instance: Option<InstanceId>) -> (LogRow, LogRow) {
    let stamp = stamp_at(noon());
    let mut part = fixed(&stamp);
    part.job_id = Some(JobId(42));
    part.instance_id = instance;
    let part = Arc::new(part);
    (part.open(), part.open().close(closing(&stamp, Outcome::Succeeded)))
}

async fn outcome_of(db: &Db, row: &LogRow) -> Value {
    let uuid = row.request_uuid().to_string();
    let rows = db.rows().await;
    let mut found = rows.iter().filter(|found| found["request_uuid"] == uuid.as_str());
    found.next().unwrap()["outcome"].clone()
}

async fn silence(db: &Db, instance: InstanceId, secs: u32) {
    db.run(&format!(
        "UPDATE instance SET heartbeat_at = now() - interval '{secs} s' WHERE id = {instance}"
    ))
    .await;
}

/// Two processes with an open row each.
struct Two {
    db: Db,
    instances: Instances,
    ids: [InstanceId; 2],
    open: [LogRow; 2],
    closed: [LogRow; 2],
}

async fn two() -> Two {
    let db = Db::new().await;
    let instances = Instances::new(&db.database);
    let ids = [
        instances.register("one", "0.1.0").await.unwrap(),
        instances.register("two", "0.1.0").await.unwrap(),
    ];
    assert_ne!(ids[0], ids[1]);
    let [(one, one_closed), (two, two_closed)] = ids.map(|id| open_row(Some(id)));
    db.log().write(&[one.clone(), two.clone()]).await.unwrap();
    Two {
        db,
        instances,
        ids,
        open: [one, two],
        closed: [one_closed, two_closed],
    }
}

impl Two {
    async fn outcomes(&self) -> [Value; 2] {
        [
            outcome_of(&self.db, &self.open[0]).await,
            outcome_of(&self.db, &self.open[1]).await,
        ]
    }
}

#[tokio::test]
async fn a_process_registers_itself_alive() {
    let db = Db::new().await;
    let instances = Instances::new(&db.database);
    let id = instances.register("host-1", "0.1.0").await.unwrap();
    let rows = db.table("instance", "id").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["id"], &rows[0]["host"], &rows[0]["version"]),
        (&json!(id), &json!("host-1"), &json!("0.1.0"))
    );
    assert_eq!(
        (&rows[0]["heartbeat_at"], &rows[0]["ended_at"]),
        (&rows[0]["started_at"], &json!(null))
    );
}

#[tokio::test]
async fn the_open_rows_of_living_processes_are_left_alone() {
    let two = two().await;
    silence(&two.db, two.ids[0], 29).await;
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 0);
    assert_eq!(two.outcomes().await, [json!(null), json!(null)]);
}

#[tokio::test]
async fn the_open_rows_of_a_silent_process_are_abandoned_and_those_of_the_other_are_not() {
    let two = two().await;
    silence(&two.db, two.ids[0], 31).await;
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(two.outcomes().await, [json!("abandoned"), json!(null)]);
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn an_abandoned_row_keeps_what_is_needed_to_look_at_dbt_later() {
    let two = two().await;
    let before = two.db.rows().await;
    two.instances.end(two.ids[0]).await.unwrap();
    two.instances.close_abandoned(DEAD_AFTER).await.unwrap();
    for (mut row, old) in two.db.rows().await.into_iter().zip(before) {
        if row["outcome"] == "abandoned" {
            assert!(!row["finished_at"].take().is_null());
            row["outcome"] = json!(null);
        }
        assert_eq!(row, old, "nothing else changes");
    }
}

#[tokio::test]
async fn a_process_that_ended_well_is_not_waited_for() {
    let two = two().await;
    two.instances.end(two.ids[1]).await.unwrap();
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(two.outcomes().await, [json!(null), json!("abandoned")]);
}

#[tokio::test]
async fn a_heartbeat_says_that_the_process_is_alive_after_all() {
    let two = two().await;
    silence(&two.db, two.ids[0], 3600).await;
    silence(&two.db, two.ids[1], 3600).await;
    two.instances.beat(two.ids[0]).await.unwrap();
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 1);
    assert_eq!(two.outcomes().await, [json!(null), json!("abandoned")]);
}

#[tokio::test]
async fn a_process_that_knows_it_is_alone_ends_all_others() {
    let two = two().await;
    let third = two.instances.register("three", "0.1.0").await.unwrap();
    two.instances.end(two.ids[1]).await.unwrap();
    let ended_before = two.db.table("instance", "id").await[1]["ended_at"].clone();

    two.instances.end_all_but(third).await.unwrap();

    let rows = two.db.table("instance", "id").await;
    assert!(!rows[0]["ended_at"].is_null());
    assert_eq!(rows[1]["ended_at"], ended_before, "who ended before ended then");
    assert!(rows[2]["ended_at"].is_null());
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 2);
}

#[tokio::test]
async fn the_true_owners_late_close_overwrites_abandoned() {
    let two = two().await;
    two.instances.end_all_but(InstanceId(0)).await.unwrap();
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 2);
    two.db.log().write(&two.closed).await.unwrap();
    assert_eq!(two.outcomes().await, [json!("succeeded"), json!("succeeded")]);
    assert_eq!(
        two.instances.close_abandoned(DEAD_AFTER).await.unwrap(),
        0,
        "closed rows stay"
    );
    assert_eq!(two.outcomes().await, [json!("succeeded"), json!("succeeded")]);
}

#[tokio::test]
async fn a_row_without_a_process_is_nobodys_to_abandon() {
    let two = two().await;
    let (open, _) = open_row(None);
    two.db.log().write(std::slice::from_ref(&open)).await.unwrap();
    two.instances.end_all_but(InstanceId(0)).await.unwrap();
    assert_eq!(two.instances.close_abandoned(DEAD_AFTER).await.unwrap(), 2);
    assert_eq!(outcome_of(&two.db, &open).await, json!(null));
}
