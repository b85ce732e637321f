//! Jobs, runs, and the webhooks that report them.

use super::row::table;

table! {
    /// Jobs (the definitions), and the operations that start a run of one.
    JOBS below "/api/v2/accounts/{account_id}":
    GET    "/jobs/"                                list_jobs         Viewer   Reads;
    POST   "/jobs/"                                create_job        Admin    Changes;
    GET    "/jobs/{id}/"                           get_job           Viewer   Reads;
    POST   "/jobs/{id}/"                           update_job        Admin    Changes;
    DELETE "/jobs/{id}/"                           delete_job        Admin    Changes;
    POST   "/jobs/{job_id}/run/"                   trigger_job       Operator Changes;
    POST   "/jobs/{job_id}/rerun/"                 rerun_job         Operator Changes;
    GET    "/jobs/{job_id}/artifacts/{remainder}"  get_job_artifact  Viewer   Reads;
}

table! {
    /// Runs: single executions of jobs.
    RUNS below "/api/v2/accounts/{account_id}":
    GET  "/runs/"                                list_runs           Viewer   Reads;
    GET  "/runs/{id}/"                           get_run             Viewer   Reads;
    GET  "/runs/{run_id}/artifacts/"             list_run_artifacts  Viewer   Reads;
    GET  "/runs/{run_id}/artifacts/{remainder}"  get_run_artifact    Viewer   Reads;
    POST "/runs/{run_id}/cancel/"                cancel_run          Operator Changes;
    GET  "/runs/{run_id}/retry/"                 preview_retry       Viewer   Reads;
    POST "/runs/{run_id}/retry/"                 retry_run           Operator Changes;
    GET  "/steps/{id}/"                          get_run_step        Viewer   Reads;
}

table! {
    /// Webhooks. The test is a GET that makes dbt Cloud call the subscriber.
    WEBHOOKS below "/api/v3/accounts/{account_id}/webhooks":
    GET    "/subscriptions"                                           list_webhooks                Viewer Reads;
    POST   "/subscriptions"                                           create_webhook               Admin  Changes;
    GET    "/subscription/{subscription_id}"                          get_webhook                  Viewer Reads;
    PUT    "/subscription/{subscription_id}"                          update_webhook               Admin  Changes;
    DELETE "/subscription/{subscription_id}"                          delete_webhook               Admin  Changes;
    GET    "/subscription/{subscription_id}/test"                     test_webhook                 Admin  Changes;
    GET    "/subscription/{subscription_id}/events"                   list_webhook_events          Viewer Reads;
    GET    "/subscription/{subscription_id}/event/{event_id}/receipt" list_webhook_event_receipts  Viewer Reads;
    GET    "/event/{event_id}"                                        get_event                    Viewer Reads;
    GET    "/event/{event_id}/receipts"                               list_event_receipts          Viewer Reads;
    GET    "/receipt/{receipt_id}"                                    get_receipt                  Viewer Reads;
}
