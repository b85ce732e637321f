//! The constraints of the table `request_log`.

use sqlx::AssertSqlSafe;

use crate::support::Db;

/// Inserts a row with the required columns and these; returns the violated constraint, if any.
async fn insert(db: &Db, columns: &[(&str, &str)]) -> Option<String> {
    let mut row = vec![
        ("request_uuid", "gen_random_uuid()"),
        ("started_at", "'2026-03-04 12:00:00Z'"),
        ("surface", "'rest'"),
        ("request_type", "'get_run'"),
        ("company_id", "1"),
        ("args", "'{}'"),
        ("attempts", "1"),
    ];
    row.retain(|(name, _)| columns.iter().all(|(other, _)| other != name));
    row.extend_from_slice(columns);
    let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
    let sql = format!(
        "INSERT INTO request_log ({}) VALUES ({})",
        names.join(", "),
        values.join(", ")
    );
    let inserted = sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.test.pool()).await;
    let error = inserted.err()?;
    let error = error.as_database_error().unwrap();
    assert!(error.is_check_violation(), "{error}");
    Some(error.constraint().unwrap().to_owned())
}

async fn db() -> Db {
    let db = Db::new().await;
    db.run("SELECT request_log_ensure_partition('2026-03-04')").await;
    db
}

#[tokio::test]
async fn values_just_outside_the_range_are_refused_and_just_inside_accepted() {
    let db = db().await;
    let cases = [
        ("surface", "'soap'", "'dbt'"),
        ("client_type", "'dbt_core'", "'dbt_cloud_metadata'"),
        ("request_type", "''", "'x'"),
        ("caller_request_id", "repeat('x', 129)", "repeat('x', 128)"),
        ("args", "'[]'", "'{}'"),
        ("exchanges", "'{}'", "'[]'"),
        ("attempts", "-1", "0"),
        ("status_code", "99", "100"),
        ("status_code", "600", "599"),
        ("bytes", "-1", "0"),
        ("error", "repeat('x', 8193)", "repeat('x', 8192)"),
        ("error", "repeat('é', 4097)", "repeat('é', 4096)"),
    ];
    for (column, bad, good) in cases {
        let violated = insert(&db, &[(column, bad)]).await;
        assert!(
            violated.as_ref().is_some_and(|name| name.contains(column)),
            "{column} = {bad}: {violated:?}"
        );
        assert_eq!(insert(&db, &[(column, good)]).await, None, "{column} = {good}");
    }
}

#[tokio::test]
async fn contradictory_rows_are_refused() {
    const ENDED: (&str, &str) = ("finished_at", "'2026-03-04 12:00:01Z'");
    const TOOK: (&str, &str) = ("duration_ms", "1");
    const NOT_SENT: (&str, &str) = ("attempts", "0");
    const SOURCE: (&str, &str) = ("source_request_uuid", "gen_random_uuid()");
    let db = db().await;
    let bad: [(&str, &[(&str, &str)]); 17] = [
        ("ended without an outcome", &[ENDED, TOOK]),
        ("an outcome without an end", &[("outcome", "'succeeded'")]),
        ("an unknown outcome", &[ENDED, TOOK, ("outcome", "'won'")]),
        ("a duration while open", &[TOOK]),
        ("an end without a duration", &[ENDED, ("outcome", "'succeeded'")]),
        ("an answer without an exchange", &[NOT_SENT, ("status_code", "200")]),
        ("bytes without an exchange", &[NOT_SENT, ("bytes", "0")]),
        (
            "served by dbt Cloud without an exchange",
            &[NOT_SENT, ("served_from", "'dbt'")],
        ),
        (
            "kept, and asked",
            &[("attempts", "1"), ("served_from", "'cache'"), SOURCE],
        ),
        ("an unknown source", &[NOT_SENT, ("served_from", "'memory'"), SOURCE]),
        ("kept from nobody", &[NOT_SENT, ("served_from", "'cache'")]),
        (
            "dbt Cloud's answer to another",
            &[("attempts", "1"), ("served_from", "'dbt'"), SOURCE],
        ),
        (
            "a negative duration",
            &[ENDED, ("outcome", "'succeeded'"), ("duration_ms", "-1")],
        ),
        (
            "a success with an error",
            &[ENDED, TOOK, ("outcome", "'succeeded'"), ("error", "'no'")],
        ),
        (
            "refused after an exchange",
            &[ENDED, TOOK, ("outcome", "'refused'"), ("attempts", "1")],
        ),
        (
            "refused with an answer",
            &[ENDED, TOOK, NOT_SENT, ("outcome", "'refused'"), ("status_code", "200")],
        ),
        ("an outcome of the empty text", &[ENDED, TOOK, ("outcome", "''")]),
    ];
    for (what, columns) in bad {
        assert!(insert(&db, columns).await.is_some(), "{what}");
    }
    let good: [&[(&str, &str)]; 5] = [
        &[],
        &[ENDED, ("outcome", "'succeeded'"), ("duration_ms", "0")],
        &[ENDED, ("outcome", "'abandoned'")],
        &[ENDED, TOOK, NOT_SENT, ("outcome", "'refused'"), ("error", "'no'")],
        &[
            ENDED,
            TOOK,
            ("outcome", "'not_found'"),
            ("status_code", "404"),
            ("error", "'no'"),
        ],
    ];
    for columns in good {
        assert_eq!(insert(&db, columns).await, None, "{columns:?}");
    }
}

#[tokio::test]
async fn a_request_has_one_row() {
    let db = db().await;
    let one = ("request_uuid", "'01996b5e-0000-7000-8000-000000000001'");
    assert_eq!(insert(&db, &[one]).await, None);
    let sql = "INSERT INTO request_log (request_uuid, started_at, surface, request_type, company_id, args) VALUES
        ('01996b5e-0000-7000-8000-000000000001', '2026-03-04 12:00:00Z', 'rest', 'get_run', 1, '{}')";
    let again = sqlx::query(sql).execute(db.test.pool()).await.unwrap_err();
    assert!(again.as_database_error().unwrap().is_unique_violation(), "{again}");
}
