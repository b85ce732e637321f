//! The gateway processes: heartbeats, and closing open rows of dead ones.

use std::sync::Arc;
use std::time::Duration;

use model::{InstanceId, JobId};
use serde_json::{Value, json};
use storage::{AbandonedSweep, Heartbeat, Instances, LogRow, Outcome, RequestLog as _};

use crate::support::{Db, TIMEOUT, as_runtime_role, closing, fixed, noon, stamp_at};

const DEAD_AFTER: Duration = Duration::from_secs(30);

/// An open row of that process, and the complete row that closes it.
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

async fn age_heartbeat(db: &Db, instance: InstanceId, secs: u32) {
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
    /// Closes the rows of dead processes, and returns their number.
    async fn sweep(&self) -> u64 {
        AbandonedSweep::new(&self.db.database, DEAD_AFTER).run().await.unwrap()
    }

    async fn outcomes(&self) -> [Value; 2] {
        [
            outcome_of(&self.db, &self.open[0]).await,
            outcome_of(&self.db, &self.open[1]).await,
        ]
    }
}

#[tokio::test]
async fn a_registered_process_is_alive() {
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
async fn open_rows_of_living_processes_stay_open() {
    let two = two().await;
    age_heartbeat(&two.db, two.ids[0], 29).await;
    assert_eq!(two.sweep().await, 0);
    assert_eq!(two.outcomes().await, [json!(null), json!(null)]);
}

#[tokio::test]
async fn only_open_rows_of_the_process_without_heartbeat_are_abandoned() {
    let two = two().await;
    age_heartbeat(&two.db, two.ids[0], 31).await;
    assert_eq!(two.sweep().await, 1);
    assert_eq!(two.outcomes().await, [json!("abandoned"), json!(null)]);
    assert_eq!(two.sweep().await, 0, "once");
}

#[tokio::test]
async fn an_abandoned_row_keeps_all_other_columns() {
    let two = two().await;
    let before = two.db.rows().await;
    two.instances.end(two.ids[0]).await.unwrap();
    two.sweep().await;
    for (mut row, old) in two.db.rows().await.into_iter().zip(before) {
        if row["outcome"] == "abandoned" {
            assert!(!row["finished_at"].take().is_null());
            row["outcome"] = json!(null);
        }
        assert_eq!(row, old, "the other columns are unchanged");
    }
}

#[tokio::test]
async fn open_rows_of_an_ended_process_are_abandoned_immediately() {
    let two = two().await;
    two.instances.end(two.ids[1]).await.unwrap();
    assert_eq!(two.sweep().await, 1);
    assert_eq!(two.outcomes().await, [json!(null), json!("abandoned")]);
}

#[tokio::test]
async fn a_late_heartbeat_keeps_the_process_alive() {
    let two = two().await;
    age_heartbeat(&two.db, two.ids[0], 3600).await;
    age_heartbeat(&two.db, two.ids[1], 3600).await;
    Heartbeat::new(&two.db.database, two.ids[0], TIMEOUT)
        .beat()
        .await
        .unwrap();
    assert_eq!(two.sweep().await, 1);
    assert_eq!(two.outcomes().await, [json!(null), json!("abandoned")]);
}

#[tokio::test]
async fn a_process_alone_on_its_database_ends_all_others() {
    let two = two().await;
    let third = two.instances.register("three", "0.1.0").await.unwrap();
    two.instances.end(two.ids[1]).await.unwrap();
    let ended_before = two.db.table("instance", "id").await[1]["ended_at"].clone();

    two.instances.end_all_except(third).await.unwrap();

    let rows = two.db.table("instance", "id").await;
    assert!(!rows[0]["ended_at"].is_null());
    assert_eq!(rows[1]["ended_at"], ended_before, "an earlier end is kept");
    assert!(rows[2]["ended_at"].is_null());
    assert_eq!(two.sweep().await, 2);
}

#[tokio::test]
async fn a_late_close_by_the_owner_overwrites_abandoned() {
    let two = two().await;
    two.instances.end_all_except(InstanceId(0)).await.unwrap();
    assert_eq!(two.sweep().await, 2);
    two.db.log().write(&two.closed).await.unwrap();
    assert_eq!(two.outcomes().await, [json!("succeeded"), json!("succeeded")]);
    assert_eq!(two.sweep().await, 0, "closed rows stay");
    assert_eq!(two.outcomes().await, [json!("succeeded"), json!("succeeded")]);
}

#[tokio::test]
async fn a_row_without_a_process_is_never_abandoned() {
    let two = two().await;
    let (open, _) = open_row(None);
    two.db.log().write(std::slice::from_ref(&open)).await.unwrap();
    two.instances.end_all_except(InstanceId(0)).await.unwrap();
    assert_eq!(two.sweep().await, 2);
    assert_eq!(outcome_of(&two.db, &open).await, json!(null));
}

#[tokio::test]
async fn a_jump_of_the_databases_clock_kills_no_living_process() {
    let two = two().await;
    // Unqualified, `now()` is this function in sessions whose search path names its schema first.
    two.db
        .run(
            "CREATE SCHEMA jumping;
             CREATE TABLE jumping.clock AS SELECT interval '0' AS ahead;
             CREATE FUNCTION jumping.now() RETURNS timestamptz LANGUAGE sql STABLE AS
                 'SELECT pg_catalog.now() + ahead FROM jumping.clock';
             GRANT USAGE ON SCHEMA jumping TO dbt_gateway_runtime;
             GRANT SELECT ON jumping.clock TO dbt_gateway_runtime",
        )
        .await;
    let name = two.db.name().await;
    two.db
        .run(&format!(
            "ALTER DATABASE {name} SET search_path = jumping, pg_catalog, public"
        ))
        .await;
    let database = storage::Database::new(&storage::DatabaseSettings {
        url: two.db.url().into(),
        max_connections: 2,
        acquire_timeout: TIMEOUT,
        direct_url: None,
        statement_timeout: TIMEOUT,
        migrations: storage::MigrationSettings::default(),
    })
    .unwrap();
    let [mut living, mut dying] = two.ids.map(|id| Heartbeat::new(&database, id, TIMEOUT));
    let mut sweep = AbandonedSweep::new(&database, DEAD_AFTER);
    living.beat().await.unwrap();
    dying.beat().await.unwrap();
    assert_eq!(sweep.run().await.unwrap(), 0);

    two.db.run("UPDATE jumping.clock SET ahead = '1 hour'").await;
    assert_eq!(sweep.run().await.unwrap(), 0, "both look an hour silent");
    living.beat().await.unwrap();

    // The other one is dead: it does not beat within the time that the process itself measures.
    tokio::time::pause();
    tokio::time::advance(DEAD_AFTER).await;
    tokio::time::resume();
    assert_eq!(sweep.run().await.unwrap(), 1);
    assert_eq!(two.outcomes().await, [json!(null), json!("abandoned")]);
}

#[tokio::test]
async fn a_heartbeat_on_a_silent_connection_fails_in_time_and_comes_back() {
    let db = Db::new().await;
    let id = Instances::new(&db.database).register("host-1", "0.1.0").await.unwrap();
    let options = db.test.url().parse().unwrap();
    let proxy = testkit::SwitchableProxy::start(&options).await;
    let database = storage::Database::new(&storage::DatabaseSettings {
        url: as_runtime_role(&proxy.url(&options)).into(),
        max_connections: 1,
        acquire_timeout: TIMEOUT,
        direct_url: None,
        statement_timeout: TIMEOUT,
        migrations: storage::MigrationSettings::default(),
    })
    .unwrap();
    let mut heartbeat = Heartbeat::new(&database, id, Duration::from_secs(1));
    heartbeat.beat().await.unwrap();
    proxy.set_existing(testkit::Flow::OnlyPings);
    let missed = tokio::time::timeout(TIMEOUT, heartbeat.beat()).await.unwrap();
    assert!(missed.unwrap_err().is_unavailable());
    age_heartbeat(&db, id, 60).await;
    heartbeat.beat().await.unwrap();
    let late = format!("SELECT count(*) FROM instance WHERE id = {id} AND heartbeat_at < now() - interval '30 s'");
    assert_eq!(db.number(&late).await, 0);
}

#[tokio::test]
async fn processes_that_ended_long_ago_are_removed_a_bounded_number_at_a_time() {
    let two = two().await;
    let ended = async |ago: &str| {
        two.db
            .run(&format!(
                "INSERT INTO instance (host, version, heartbeat_at, ended_at)
                 SELECT 'old', '0.1.0', now() - interval '{ago}', now() - interval '{ago}' FROM generate_series(1, 5)"
            ))
            .await;
    };
    ended("31 days").await;
    ended("29 days").await;
    // A process that died without an end, with an open row; and one that is alive since long ago.
    age_heartbeat(&two.db, two.ids[0], 40 * 86_400).await;
    two.db
        .run("UPDATE instance SET started_at = now() - interval '90 days'")
        .await;

    let keep = Duration::from_hours(30 * 24);
    assert_eq!(two.instances.remove_old(keep, 3).await.unwrap(), 3);
    assert_eq!(
        two.instances.remove_old(keep, 3).await.unwrap(),
        2,
        "not the one with an open row"
    );
    assert_eq!(two.sweep().await, 1);
    assert_eq!(two.instances.remove_old(keep, 3).await.unwrap(), 1);
    assert_eq!(two.instances.remove_old(keep, 3).await.unwrap(), 0);
    let left = "SELECT count(*) FROM instance WHERE host = 'old' OR id = 2";
    assert_eq!(two.db.number(left).await, 6);
}

#[tokio::test]
async fn a_process_that_was_removed_while_it_was_suspended_registers_again() {
    let two = two().await;
    two.db
        .run("UPDATE request_log SET finished_at = now(), outcome = 'abandoned'")
        .await;
    age_heartbeat(&two.db, two.ids[0], 3600).await;
    assert_eq!(two.instances.remove_old(Duration::from_mins(30), 10).await.unwrap(), 1);
    Heartbeat::new(&two.db.database, two.ids[0], TIMEOUT)
        .of_process("one", "0.1.0")
        .beat()
        .await
        .unwrap();
    let rows = two.db.table("instance", "id").await;
    assert_eq!((&rows[0]["id"], &rows[0]["host"]), (&json!(two.ids[0]), &json!("one")));
}

#[tokio::test]
async fn open_rows_of_a_process_without_a_record_are_abandoned() {
    let two = two().await;
    let (open, _) = open_row(Some(InstanceId(12_345)));
    two.db.log().write(std::slice::from_ref(&open)).await.unwrap();
    assert_eq!(two.sweep().await, 1);
    assert_eq!(outcome_of(&two.db, &open).await, json!("abandoned"));
}
