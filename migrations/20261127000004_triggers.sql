-- Creates the tables that start a run exactly once: the attempts, the callers' idempotency keys, and the locks of jobs.

-- One row per POST that starts a run, committed before dbt Cloud is contacted. No foreign keys, as in the request log.
CREATE TABLE trigger_attempt (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_uuid     uuid NOT NULL UNIQUE,
    company_id       bigint NOT NULL,
    api_key_id       bigint NOT NULL,
    credential       text NOT NULL,
    host             text NOT NULL,
    account_id       bigint NOT NULL,
    -- NULL where only the run to retry is known.
    job_id           bigint,
    kind             text NOT NULL CHECK (kind IN ('trigger', 'rerun', 'retry')),
    retried_run_id   bigint,
    -- SHA-256 of what was asked, and of the cause as it was sent.
    fingerprint      bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    cause_hash       bytea CHECK (octet_length(cause_hash) = 32),
    -- The same of its first characters, by which a cause is known that dbt Cloud has cut.
    cause_start_hash bytea CHECK (octet_length(cause_start_hash) = 32),
    -- At the end of the cause; NULL where none was sent.
    marker           text CHECK (char_length(marker) = 16),
    -- The newest run of the account that the gateway knew before the POST, and since when: it was created before that.
    -- NULL: `sent_at` serves instead.
    watermark_run_id bigint,
    watermark_known_at timestamptz,
    state            text NOT NULL DEFAULT 'sending'
        CHECK (state IN ('sending', 'ambiguous', 'confirmed', 'failed', 'started', 'not_started', 'unresolved')),
    -- Not yet while the job's active runs are looked at first.
    is_sent          boolean NOT NULL DEFAULT true,
    run_id           bigint,
    -- The run was found without a marker: exactly one fitted.
    is_probable      boolean NOT NULL DEFAULT false,
    candidates       bigint[],
    reason           text CHECK (char_length(reason) <= 1000),
    sent_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Until then the run is looked for.
    deadline         timestamptz NOT NULL,
    looks            integer NOT NULL DEFAULT 0,
    next_look_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at         timestamptz,
    lease_owner      bigint,
    lease_until      timestamptz NOT NULL,
    fence            bigint NOT NULL DEFAULT 1,
    CHECK ((ended_at IS NULL) = (state IN ('sending', 'ambiguous'))),
    CHECK (run_id IS NULL OR state IN ('confirmed', 'started')),
    CHECK (state NOT IN ('confirmed', 'started') OR run_id IS NOT NULL),
    CHECK ((watermark_run_id IS NULL) = (watermark_known_at IS NULL))
);
CREATE INDEX trigger_attempt_due ON trigger_attempt (next_look_at) WHERE ended_at IS NULL;
CREATE INDEX trigger_attempt_job ON trigger_attempt (host, account_id, job_id, sent_at);
CREATE INDEX trigger_attempt_run ON trigger_attempt (host, account_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX trigger_attempt_ended ON trigger_attempt (ended_at) WHERE ended_at IS NOT NULL;

-- The first answer to each idempotency key of a caller. An attempt and its key are written together.
CREATE TABLE idempotency_key (
    api_key_id   bigint NOT NULL,
    key          text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    request_uuid uuid NOT NULL,
    -- One HMAC-SHA256 for each field of the request, by the field's name.
    salt         bytea NOT NULL CHECK (octet_length(salt) = 16),
    fingerprint  jsonb NOT NULL CHECK (jsonb_typeof(fingerprint) = 'object'),
    state        text NOT NULL DEFAULT 'in_flight' CHECK (state IN ('in_flight', 'answered', 'not_replayable')),
    status_code  integer CHECK (status_code BETWEEN 200 AND 299),
    answer       text,
    -- The API key that the request made: the answer holds its text, so it is not stored.
    made_api_key_id bigint,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    -- Without an attempt: until then the request is in progress.
    lease_until  timestamptz NOT NULL,
    PRIMARY KEY (api_key_id, key),
    CHECK (state <> 'answered' OR (status_code IS NOT NULL AND answer IS NOT NULL)),
    CHECK ((state = 'not_replayable') = (made_api_key_id IS NOT NULL))
);
CREATE INDEX idempotency_key_expires ON idempotency_key (expires_at);
CREATE INDEX idempotency_key_request ON idempotency_key (request_uuid);

-- Who looks at a job's runs and then acts. A lease, since no transaction may be open during exchanges with dbt Cloud.
CREATE TABLE job_lock (
    host        text NOT NULL,
    account_id  bigint NOT NULL,
    job_id      bigint NOT NULL,
    lease_owner uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    PRIMARY KEY (host, account_id, job_id)
);
