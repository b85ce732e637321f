-- Creates the budget of requests to dbt Cloud: one row for each account and API, which all replicas share.

CREATE TABLE rate_budget (
    host               text NOT NULL,
    account_id         bigint NOT NULL,
    api                text NOT NULL
        CHECK (api IN ('dbt_cloud_administrative', 'dbt_cloud_metadata', 'dbt_cloud_semantic_layer')),
    -- The theoretical arrival time (GCRA): from then on the whole burst is free again.
    tat                timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The same for the part that is guaranteed to background work.
    background_tat     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- After a 429 of dbt Cloud: until then nothing is sent.
    cooldown_until     timestamptz,
    -- The cooldown has not been followed by an answer yet: one request at a time is sent to try.
    is_probing         boolean NOT NULL DEFAULT false,
    -- Until then one process tries.
    probe_until        timestamptz,
    -- When a try succeeded: the rate rises from then on.
    ramp_from          timestamptz,
    -- The last slice: what was granted to changes, reads and background work, and when more will be free.
    granted_changes    bigint NOT NULL DEFAULT 0,
    granted_reads      bigint NOT NULL DEFAULT 0,
    granted_background bigint NOT NULL DEFAULT 0,
    next_in_us         bigint NOT NULL DEFAULT 0,
    leased_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (host, account_id, api),
    CHECK (granted_changes >= 0 AND granted_reads >= 0 AND granted_background >= 0 AND next_in_us >= 0)
);
