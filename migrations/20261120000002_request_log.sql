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
    face              text NOT NULL CHECK (face IN ('rest', 'compat', 'internal')),
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
        'unexpected_status', 'timeout', 'connect', 'disconnected', 'decode', 'too_large', 'internal_error',
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
    CHECK (outcome IS DISTINCT FROM 'refused' OR (attempts = 0 AND status_code IS NULL))
) PARTITION BY RANGE (started_at);

-- Finds the rows that a dead process left open.
CREATE INDEX request_log_open ON request_log (instance_id) WHERE finished_at IS NULL;

-- Makes the partition of one UTC day if it is missing. Attaching a ready table holds up no reader and no writer, which
-- `CREATE TABLE … PARTITION OF` would; the advisory lock lets replicas race for it.
CREATE FUNCTION request_log_ensure_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    partition text := 'request_log_' || to_char(day, 'YYYYMMDD');
    low timestamptz := day::timestamp AT TIME ZONE 'UTC';
    high timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('request_log_ensure_partition'));
    -- Not by to_regclass again: its cache does not know what another session made while this one waited.
    IF NOT EXISTS (SELECT FROM pg_class WHERE relname = partition AND relnamespace = current_schema()::regnamespace) THEN
        EXECUTE format('CREATE TABLE %I (LIKE request_log INCLUDING ALL)', partition);
        EXECUTE format('ALTER TABLE request_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, low, high);
    END IF;
END
$$;
