-- Creates the tables of watched runs, of waits for them, and of their events.

-- The events of a company's runs in one account, in the order of `last_seq`.
CREATE TABLE run_stream (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     bigint NOT NULL,
    host           text NOT NULL,
    account_id     bigint NOT NULL,
    -- The newest event. Its row lock orders those that write events: numbers are committed in their order.
    last_seq       bigint NOT NULL DEFAULT 0,
    -- A caller listens to all runs of the account until then: new runs are looked for, by this credential.
    listened_until timestamptz NOT NULL DEFAULT '-infinity',
    credential     text,
    -- The newest run that was seen while a caller listened.
    newest_run_id  bigint,
    -- Not before: one process looks, and another if that one dies.
    next_look_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (company_id, host, account_id)
);

-- A run whose state is read again and again until it has ended. No foreign keys, as in the request log.
CREATE TABLE run_watch (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id     bigint NOT NULL,
    host           text NOT NULL,
    account_id     bigint NOT NULL,
    run_id         bigint NOT NULL,
    -- By which the run is read.
    credential     text NOT NULL,
    job_id         bigint,
    project_id     bigint,
    environment_id bigint,
    -- As dbt Cloud's number; NULL before the first look.
    status         integer,
    -- The run as it was last seen, as the REST API shows it.
    run            text,
    -- What the events say about its steps and logs.
    steps          jsonb,
    log_bytes      bigint NOT NULL DEFAULT 0,
    -- Seconds from start to end of a run that succeeded.
    run_secs       double precision,
    -- The usual of these of the job, when the run was first seen.
    usual_secs     double precision,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at        timestamptz,
    failures       integer NOT NULL DEFAULT 0,
    next_look_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The watch ends then, whatever the run does.
    watched_until  timestamptz NOT NULL,
    -- A caller waits until then.
    waited_until   timestamptz NOT NULL DEFAULT '-infinity',
    -- A caller listens until then: steps and logs are read too.
    detailed_until timestamptz NOT NULL DEFAULT '-infinity',
    ended_at       timestamptz,
    lease_owner    bigint,
    lease_until    timestamptz NOT NULL DEFAULT '-infinity',
    fence          bigint NOT NULL DEFAULT 1,
    UNIQUE (company_id, host, account_id, run_id)
);
CREATE INDEX run_watch_due ON run_watch (next_look_at) WHERE ended_at IS NULL;
CREATE INDEX run_watch_group ON run_watch (company_id, host, account_id, credential, next_look_at) WHERE ended_at IS NULL;
CREATE INDEX run_watch_ended ON run_watch (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX run_watch_durations ON run_watch (company_id, host, account_id, job_id, run_id) WHERE run_secs IS NOT NULL;

-- A caller that waits for a run.
CREATE TABLE run_wait (
    request_uuid  uuid PRIMARY KEY,
    company_id    bigint NOT NULL,
    host          text NOT NULL,
    account_id    bigint NOT NULL,
    -- NULL: the run of the trigger attempt of this request, whose caller disconnected before it was known.
    run_id        bigint,
    credential    text NOT NULL,
    deadline      timestamptz NOT NULL,
    -- Whether the run is cancelled if it has not ended by the deadline.
    cancels_late  boolean NOT NULL,
    -- The run is cancelled then, because the caller disconnected or the deadline passed.
    cancel_at     timestamptz,
    -- Whether another wait for the run keeps it from being cancelled: so if the caller disconnected.
    unless_waited boolean NOT NULL DEFAULT false,
    lease_until   timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX run_wait_run ON run_wait (company_id, host, account_id, run_id);
CREATE INDEX run_wait_cancels ON run_wait (coalesce(cancel_at, deadline)) WHERE cancel_at IS NOT NULL OR cancels_late;
CREATE INDEX run_wait_deadline ON run_wait (deadline);

CREATE TABLE run_event (
    stream_id      bigint NOT NULL,
    seq            bigint NOT NULL,
    at             timestamptz NOT NULL,
    kind           text NOT NULL,
    run_id         bigint NOT NULL,
    project_id     bigint,
    job_id         bigint,
    environment_id bigint,
    -- By which the run was read: a key that is bound to other credentials does not see the event.
    credential     text NOT NULL,
    data           text NOT NULL,
    PRIMARY KEY (stream_id, seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX run_event_run ON run_event (stream_id, run_id, seq);

-- As for the request log: one partition for each UTC day.
CREATE FUNCTION run_event_ensure_partition(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    partition text := 'run_event_' || to_char(day, 'YYYYMMDD');
    first timestamptz := day::timestamp AT TIME ZONE 'UTC';
    next timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'run_event'::regclass AND c.relname = partition)
    THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('run_event_ensure_partition'));
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE run_event INCLUDING ALL)', partition);
    IF NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'run_event'::regclass AND c.relname = partition)
    THEN
        EXECUTE format('ALTER TABLE run_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first, next);
    END IF;
END
$$;

-- Drops the oldest partition whose events are all older than `kept`, and returns its name; NULL if there is none.
CREATE FUNCTION run_event_drop_expired(kept interval) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    expired text;
BEGIN
    IF kept < interval '1 hour' THEN
        RAISE EXCEPTION 'events are kept for at least an hour' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('run_event_drop_expired')) THEN
        RETURN NULL;
    END IF;
    SELECT c.relname INTO expired
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'run_event'::regclass AND c.relname ~ '^run_event_[0-9]{8}$'
        AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= clock_timestamp() - kept
    ORDER BY c.relname LIMIT 1;
    IF expired IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I', expired);
    END IF;
    RETURN expired;
END
$$;

REVOKE EXECUTE ON FUNCTION run_event_ensure_partition(date) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION run_event_drop_expired(interval) FROM PUBLIC;

DO $$
DECLARE
    path text := format('SET search_path = %I, pg_temp', current_schema());
BEGIN
    EXECUTE 'ALTER FUNCTION run_event_ensure_partition(date) ' || path;
    EXECUTE 'ALTER FUNCTION run_event_drop_expired(interval) ' || path;
END
$$;
