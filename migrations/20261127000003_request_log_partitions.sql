-- Creates the functions that create and drop the partitions of the request log.
--
-- SECURITY DEFINER: they run with the rights of the role that migrates, which owns the tables, so that the role of a running
-- gateway needs no table of its own (migrations/roles/runtime.sql). Their search path is fixed below.

-- The state of a day's table: `attached`, `half detached`, `detached`, or NULL if there is none. Does not use
-- to_regclass: its cache misses tables that another session created a moment ago.
CREATE FUNCTION request_log_partition_state(partition text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'half detached' ELSE 'attached' END
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'request_log'::regclass
    WHERE c.relname = partition AND c.relnamespace = current_schema()::regnamespace
$$;

-- Creates the partition of one UTC day if it is missing. Attaching an existing table blocks neither readers nor writers;
-- `CREATE TABLE ... PARTITION OF` would. The advisory lock serialises replicas. A table of that day that was detached,
-- completely or halfway, is attached again with its rows; one whose definition no longer fits is renamed.
CREATE FUNCTION request_log_ensure_partition(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
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

-- Drops the oldest partition that is older than `retention_days` before the earlier of `today` and the database's date, and
-- returns its name. One that another session is using is passed over (`is_in_use`): waiting for it would block the whole
-- log. The wait for the log itself is limited by the caller's `lock_timeout`. Of several processes one drops.
--
-- Names of equal length sort by day; a day after the year 9999 has a longer name and never expires. A day that an operator
-- detached is kept: it is no partition.
CREATE FUNCTION request_log_drop_expired(today date, retention_days integer, OUT dropped text, OUT is_in_use boolean)
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    expired record;
BEGIN
    is_in_use := false;
    IF retention_days < 1 THEN
        RAISE EXCEPTION 'the request log is kept for at least a day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtext('request_log_drop_expired')) THEN
        RETURN;
    END IF;
    FOR expired IN
        SELECT c.oid, c.relname
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'request_log'::regclass AND c.relkind = 'r' AND c.relname ~ '^request_log_[0-9]{8}$'
            AND c.relname < 'request_log_' || to_char(
                least(today, (now() AT TIME ZONE 'UTC')::date) - retention_days, 'YYYYMMDD')
        ORDER BY c.relname
    LOOP
        IF EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.relation = expired.oid AND l.pid <> pg_backend_pid())
        THEN
            is_in_use := true;
        ELSE
            -- Also one that an interrupted `DETACH PARTITION ... CONCURRENTLY` left half detached.
            EXECUTE format('DROP TABLE %I', expired.relname);
            dropped := expired.relname;
            RETURN;
        END IF;
    END LOOP;
END
$$;

REVOKE EXECUTE ON FUNCTION request_log_ensure_partition(date) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION request_log_drop_expired(date, integer) FROM PUBLIC;

-- The schema of these tables; a caller's temporary tables come last.
DO $$
DECLARE
    path text := format('SET search_path = %I, pg_temp', current_schema());
BEGIN
    EXECUTE 'ALTER FUNCTION request_log_partition_state(text) ' || path;
    EXECUTE 'ALTER FUNCTION request_log_ensure_partition(date) ' || path;
    EXECUTE 'ALTER FUNCTION request_log_drop_expired(date, integer) ' || path;
END
$$;
