-- Creates the request log (one row per request) and the table of gateway processes that write it.

-- One row per process. A process whose heartbeat stops is dead; other processes close its open rows.
CREATE TABLE instance (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host         text NOT NULL,
    version      text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);

-- No foreign keys: a row must be accepted whatever other tables contain, and is kept after what it refers to is deleted.
-- Lists of values are array constants: Postgres parses and folds a list of expressions (`IN (...)`) again for every
-- statement, which costs each commit more than a row does.
CREATE TABLE request_log (
    request_uuid      uuid NOT NULL,
    caller_request_id text CHECK (char_length(caller_request_id) <= 128),
    surface           text NOT NULL CHECK (surface = ANY ('{rest,dbt,internal}')),
    client_type       text CHECK (client_type = ANY (
        '{dbt_cloud_administrative,dbt_cloud_metadata,dbt_cloud_semantic_layer}')),
    request_type      text NOT NULL CHECK (request_type <> ''),
    template          text,
    company_id        bigint NOT NULL,
    api_key_id        bigint,
    credential        text,
    account_id        bigint,
    job_id            bigint,
    run_id            bigint,
    args              jsonb NOT NULL CHECK (jsonb_typeof(args) = 'object'),
    status_code       integer CHECK (status_code BETWEEN 100 AND 599),
    outcome           text CHECK (outcome = ANY (
        '{succeeded,invalid_request,credentials,not_found,unprocessable_entity,too_many_requests,conflict,unexpected_status,timeout,connect,disconnected,decode,too_large,internal_error,refused,truncated,caller_gone,abandoned}')),
    error             text CHECK (octet_length(error) <= 8192),
    attempts          integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    exchanges         jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(exchanges) = 'array'),
    bytes             bigint CHECK (bytes >= 0),
    served_from       text CHECK (served_from IN ('dbt')),
    instance_id       bigint,
    started_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    duration_ms       double precision CHECK (duration_ms >= 0),
    PRIMARY KEY (started_at, request_uuid),
    CHECK ((finished_at IS NULL) = (outcome IS NULL)),
    CHECK (finished_at IS NOT NULL OR duration_ms IS NULL),
    CHECK (outcome IS DISTINCT FROM 'succeeded' OR error IS NULL),
    CHECK (outcome IS DISTINCT FROM 'refused' OR attempts = 0),
    -- These describe exchanges with dbt Cloud.
    CHECK (attempts > 0 OR (status_code IS NULL AND bytes IS NULL AND served_from IS NULL)),
    -- Every ended request has a duration, except those whose process died.
    CHECK (finished_at IS NULL OR outcome = 'abandoned' OR duration_ms IS NOT NULL)
) PARTITION BY RANGE (started_at);

-- Finds the open rows of a dead process.
CREATE INDEX request_log_open ON request_log (instance_id) WHERE finished_at IS NULL;

-- One index for each search, newest first: by company, by key, by run, by job, and failed requests. A successful row
-- without a run and a job is in two of them.
CREATE INDEX request_log_company ON request_log (company_id, started_at);
CREATE INDEX request_log_api_key ON request_log (api_key_id, started_at);
CREATE INDEX request_log_run ON request_log (run_id, started_at) WHERE run_id IS NOT NULL;
CREATE INDEX request_log_job ON request_log (job_id, started_at) WHERE job_id IS NOT NULL;
CREATE INDEX request_log_failed ON request_log (company_id, outcome, started_at) WHERE outcome <> 'succeeded';

-- Creates the partition of one UTC day if it is missing. Attaching an existing table blocks neither readers nor writers;
-- `CREATE TABLE ... PARTITION OF` would. The advisory lock serialises replicas. A table of that day that was detached,
-- completely or halfway, is attached again with its rows; one whose definition no longer fits is renamed.
CREATE FUNCTION request_log_ensure_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'request_log_' || to_char(day, 'YYYYMMDD');
    attach text := format('ALTER TABLE request_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition,
        day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    state text := request_log_partition_state(partition);
BEGIN
    IF state = 'attached' THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('request_log_ensure_partition'));
    -- Another session may have created it while this one waited.
    state := request_log_partition_state(partition);
    IF state = 'attached' THEN
        RETURN;
    ELSIF state = 'half detached' THEN
        EXECUTE format('ALTER TABLE request_log DETACH PARTITION %I FINALIZE', partition);
    END IF;
    IF state IS NOT NULL THEN
        BEGIN
            EXECUTE attach;
            EXECUTE format('COMMENT ON TABLE %I IS NULL', partition);
            RETURN;
        EXCEPTION WHEN datatype_mismatch OR check_violation OR not_null_violation OR wrong_object_type
            OR invalid_table_definition THEN
            EXECUTE format('ALTER TABLE %I RENAME TO %I', partition,
                partition || '_aside_' || partition::regclass::oid);
        END;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE request_log INCLUDING ALL)', partition);
    EXECUTE attach;
EXCEPTION WHEN invalid_object_definition THEN
    -- A partition with another name already covers that day.
    NULL;
END
$$;

-- The state of a day's table: `attached`, `half detached`, `detached`, or NULL if there is none. Does not use
-- to_regclass: its cache misses tables that another session created a moment ago.
CREATE FUNCTION request_log_partition_state(partition text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'half detached' ELSE 'attached' END
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'request_log'::regclass
    WHERE c.relname = partition AND c.relnamespace = current_schema()::regnamespace
$$;
