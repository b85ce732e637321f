-- The memory of the gateway: one row a request, and the processes that write them.

-- One row a process. A process that stops beating is dead, and its open rows are closed for it.
CREATE TABLE instance (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host         text NOT NULL,
    version      text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);

-- No foreign keys: a row must never fail to be written because of another table, and outlives what it names.
CREATE TABLE request_log (
    request_uuid      uuid NOT NULL,
    caller_request_id text CHECK (char_length(caller_request_id) <= 128),
    surface              text NOT NULL CHECK (surface IN ('rest', 'dbt', 'internal')),
    client_type       text CHECK (client_type IN
        ('dbt_cloud_administrative', 'dbt_cloud_metadata', 'dbt_cloud_semantic_layer')),
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
    outcome           text CHECK (outcome IN (
        'succeeded', 'invalid_request', 'credentials', 'not_found', 'unprocessable_entity', 'too_many_requests',
        'conflict', 'unexpected_status', 'timeout', 'connect', 'disconnected', 'decode', 'too_large', 'internal_error',
        'refused', 'truncated', 'caller_gone', 'abandoned')),
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
    -- Without an exchange there is nothing to tell of one.
    CHECK (attempts > 0 OR (status_code IS NULL AND bytes IS NULL AND served_from IS NULL)),
    -- How long a request took is known of all that ended but those whose process died.
    CHECK (finished_at IS NULL OR outcome = 'abandoned' OR duration_ms IS NOT NULL)
) PARTITION BY RANGE (started_at);

-- Finds the rows that a dead process left open.
CREATE INDEX request_log_open ON request_log (instance_id) WHERE finished_at IS NULL;

-- One for each way to search the log, the newest first: a company's rows, a key's own, what a run or a job was asked,
-- and what went wrong. A row that succeeds and names no run is in two of them.
CREATE INDEX request_log_company ON request_log (company_id, started_at);
CREATE INDEX request_log_api_key ON request_log (api_key_id, started_at);
CREATE INDEX request_log_run ON request_log (run_id, started_at) WHERE run_id IS NOT NULL;
CREATE INDEX request_log_job ON request_log (job_id, started_at) WHERE job_id IS NOT NULL;
CREATE INDEX request_log_failed ON request_log (company_id, outcome, started_at) WHERE outcome <> 'succeeded';

-- Makes the partition of one UTC day if it is missing. Attaching a ready table holds up no reader and no writer, which
-- `CREATE TABLE … PARTITION OF` would; the advisory lock lets replicas race for it. A day's table that was taken out of
-- the log, half or whole, comes back with its rows; one that does not fit any more is put aside under another name.
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
    -- Another session may have been first.
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
    -- A partition of another name has that day: its rows have a place.
    NULL;
END
$$;

-- What has become of that table: `attached`, `half detached`, `detached`; NULL where there is none. Not by to_regclass,
-- whose cache does not know what another session made a moment ago.
CREATE FUNCTION request_log_partition_state(partition text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'half detached' ELSE 'attached' END
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'request_log'::regclass
    WHERE c.relname = partition AND c.relnamespace = current_schema()::regnamespace
$$;
