//! Connections that still lead to a server that is no longer the primary, as after a failover. A failover itself is tested
//! in `gateway`.

use model::{InstanceId, RequestStamp, Surface, SystemClock};
use storage::{
    Companies, Database, DatabaseSettings, Heartbeat, Instances, MigrationSettings, Outcome, PgRequestLog,
    RequestLog as _,
};

use crate::support::{Db, TIMEOUT, complete_row};

fn stamp() -> RequestStamp {
    RequestStamp::now(&SystemClock, Surface::Internal, None)
}

/// A database whose existing connections are read-only, like those to a primary that was demoted in place.
struct Demoted {
    db: Db,
    name: String,
    database: Database,
}

impl Demoted {
    /// New connections are read-only until [`Self::end`]. The pool has one.
    async fn begin() -> Self {
        let db = Db::new().await;
        let name = db.name().await;
        let id = Instances::new(&db.database).register("host", "0.1.0").await.unwrap();
        assert_eq!(id, InstanceId(1));
        db.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
            .await;
        let settings = DatabaseSettings {
            url: db.url().into(),
            direct_url: None,
            max_connections: 1,
            acquire_timeout: TIMEOUT,
            statement_timeout: TIMEOUT,
            migrations: MigrationSettings::default(),
        };
        let database = Database::new(&settings).unwrap();
        database.schema().await.expect("reading still works");
        Self { db, name, database }
    }

    async fn end(&self) {
        let reset = format!("ALTER DATABASE {} RESET default_transaction_read_only", self.name);
        let mut server = self.db.connect_to_server().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(reset))
            .execute(&mut server)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_change_that_finds_a_demoted_primary_leaves_no_connection_to_it() {
    let demoted = Demoted::begin().await;
    demoted.end().await;
    let companies = Companies::new(&demoted.database);
    let refused = companies.create(&stamp(), "acme").await.unwrap_err();
    assert!(refused.is_unavailable(), "a caller may come back: {refused:?}");
    companies.create(&stamp(), "acme").await.expect("a new connection");
}

#[tokio::test]
async fn once_a_commit_or_a_heartbeat_was_refused_no_reader_uses_the_demoted_primary() {
    for by_commit in [true, false] {
        let demoted = Demoted::begin().await;
        if by_commit {
            let log = PgRequestLog::new(&demoted.database, TIMEOUT);
            log.write(&[complete_row(Outcome::Succeeded)]).await.unwrap_err();
        } else {
            let mut heartbeat = Heartbeat::new(&demoted.database, InstanceId(1), TIMEOUT);
            heartbeat.beat().await.unwrap_err();
        }
        demoted.end().await;
        // The first statement of the pool since: reading alone would not have found out.
        Companies::new(&demoted.database)
            .create(&stamp(), "acme")
            .await
            .expect("a new connection");
    }
}
