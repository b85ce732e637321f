-- The least role that `dbt-gateway serve` needs. Run this as the owner of the tables, or as a superuser, after
-- `dbt-gateway migrate` of each version (it can be repeated):
--
--     psql "$OWNER_URL" --file migrations/roles/runtime.sql
--     psql "$OWNER_URL" --command "CREATE ROLE gateway LOGIN PASSWORD '…' IN ROLE dbt_gateway_runtime"
--
-- The role owns nothing and makes no table, except that functions with the rights of the owner create a day's partition
-- of the request log and of the events of runs, and drop those that have expired.

BEGIN;
-- No partition is created meanwhile: both change the catalogue of the log.
LOCK TABLE request_log IN SHARE UPDATE EXCLUSIVE MODE;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dbt_gateway_runtime') THEN
        CREATE ROLE dbt_gateway_runtime NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- Created by another session at the same time.
END
$$;

-- Whether the tables are new enough. Nothing but a migration writes here.
GRANT SELECT ON _sqlx_migrations TO dbt_gateway_runtime;
-- Companies and keys are never deleted. UPDATE: `SELECT … FOR UPDATE` needs it.
GRANT SELECT, INSERT, UPDATE ON company, api_key TO dbt_gateway_runtime;
GRANT SELECT, INSERT, UPDATE, DELETE ON credential TO dbt_gateway_runtime;
GRANT USAGE ON SEQUENCE credential_id_seq TO dbt_gateway_runtime;
-- DELETE: processes that ended long ago.
GRANT SELECT, INSERT, UPDATE, DELETE ON instance TO dbt_gateway_runtime;
-- Rows are opened and closed; whole days are dropped by the function below.
GRANT SELECT, INSERT, UPDATE ON request_log TO dbt_gateway_runtime;
GRANT EXECUTE ON FUNCTION request_log_ensure_partition(date), request_log_drop_expired(date, integer)
    TO dbt_gateway_runtime;
-- Attempts to start a run, idempotency keys and locks of jobs: written, and removed when they have expired.
GRANT SELECT, INSERT, UPDATE, DELETE ON trigger_attempt, idempotency_key, job_lock TO dbt_gateway_runtime;
-- The budget of requests to dbt Cloud; rows of accounts that are not used any more are removed.
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_budget TO dbt_gateway_runtime;
-- Watched runs, waits and events: written, and removed when they have expired; whole days of events by the function.
GRANT SELECT, INSERT, UPDATE, DELETE ON run_stream, run_watch, run_wait TO dbt_gateway_runtime;
GRANT SELECT, INSERT ON run_event TO dbt_gateway_runtime;
GRANT EXECUTE ON FUNCTION run_event_ensure_partition(date), run_event_drop_expired(interval) TO dbt_gateway_runtime;

COMMIT;
