-- The same rules, written as constants: a list of expressions is read and folded anew for every statement, which costs
-- each commit of the log more than a row does.
ALTER TABLE request_log
    DROP CONSTRAINT request_log_surface_check,
    DROP CONSTRAINT request_log_client_type_check,
    DROP CONSTRAINT request_log_outcome_check,
    ADD CONSTRAINT request_log_surface_check CHECK (surface = ANY ('{rest,dbt,internal}')),
    ADD CONSTRAINT request_log_client_type_check CHECK (client_type = ANY (
        '{dbt_cloud_administrative,dbt_cloud_metadata,dbt_cloud_semantic_layer}')),
    ADD CONSTRAINT request_log_outcome_check CHECK (outcome = ANY (
        '{succeeded,invalid_request,credentials,not_found,unprocessable_entity,too_many_requests,conflict,unexpected_status,timeout,connect,disconnected,decode,too_large,internal_error,refused,truncated,caller_gone,abandoned}'));
