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
        '{succeeded,invalid_request,credentials,not_found,unprocessable_entity,too_many_requests,budget_exhausted,conflict,unexpected_status,timeout,connect,disconnected,decode,too_large,internal_error,refused,truncated,caller_gone,abandoned}')),
    error             text CHECK (octet_length(error) <= 8192),
    attempts          integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    exchanges         jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(exchanges) = 'array'),
    bytes             bigint CHECK (bytes >= 0),
    served_from       text CHECK (served_from = ANY ('{dbt,coalesced,cache,stale}')),
    -- The request whose exchange answered this one.
    source_request_uuid uuid,
    instance_id       bigint,
    started_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    duration_ms       double precision CHECK (duration_ms >= 0),
    PRIMARY KEY (started_at, request_uuid),
    CHECK ((finished_at IS NULL) = (outcome IS NULL)),
    CHECK (finished_at IS NOT NULL OR duration_ms IS NULL),
    CHECK (outcome IS DISTINCT FROM 'succeeded' OR error IS NULL),
    CHECK (outcome IS DISTINCT FROM 'refused' OR attempts = 0),
    -- Bytes are those of its own exchanges; the status is dbt Cloud's also where another request asked for it.
    CHECK (attempts > 0 OR bytes IS NULL),
    CHECK (attempts > 0 OR served_from IS NOT NULL OR status_code IS NULL),
    CHECK (served_from IS NULL OR (served_from = 'dbt') = (attempts > 0)),
    CHECK ((source_request_uuid IS NOT NULL) = (served_from IS NOT NULL AND served_from <> 'dbt')),
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
