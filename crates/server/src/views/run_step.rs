//! Steps of runs.

use model::Timestamp;

super::part! {
    /// A step of a run of dbt Cloud, with its logs.
    #[schema(example = json!({
        "id": 70_403_112_000_001_i64, "run_id": 70_403_110_000_001_i64, "account_id": 70_403_100_000_001_i64, "index": 4,
        "status": 10, "name": "Invoke dbt with `dbt build`", "logs": "02:00:31  Running with dbt=1.10.2\n",
        "debug_logs": "02:00:31  Running with dbt=1.10.2\n", "log_path": "logs/4.log", "debug_log_path": "logs/4-debug.log",
        "truncated_debug_logs": "02:00:31  Running with dbt=1.10.2\n", "started_at": "2026-03-19T02:00:30.559970Z",
        "finished_at": "2026-03-19T02:01:12.559970Z", "status_color": "success", "status_humanized": "Success",
        "duration": "00:00:42", "duration_humanized": "42 seconds", "created_at": "2026-03-19T02:00:00.559970Z",
        "updated_at": "2026-03-19T02:01:12.559970Z",
        "run_step_command": {"run_step_id": 70_403_112_000_001_i64, "dbt_command": "dbt build"},
        "run_step_invocation": {"run_step_id": 70_403_112_000_001_i64, "run_id": 70_403_110_000_001_i64}
    }))]
    pub struct RunStepView from RunStep {
        id: i64,
        run_id: i64,
        account_id: i64,
        /// From 1: the number that `step` of an artifact means.
        index: u32,
        /// The numbers of runs: 1 queued, 2 starting, 3 running, 10 success, 20 error, 30 cancelled. That of a skipped step
        /// is not documented: `status_humanized` says `Skipped`.
        status: i32,
        name: String,
        /// What dbt wrote to the console. May be empty for a moment after the step's end.
        logs: String,
        /// The last 1,000 lines, or all of them where `debug_logs=true` asked for them.
        debug_logs: String,
        log_path: String,
        debug_log_path: String,
        /// The end of the debug logs.
        truncated_debug_logs: String,
        started_at: Timestamp as DateTime<Utc>,
        finished_at: Timestamp as DateTime<Utc>,
        /// How dbt Cloud paints it.
        status_color: String,
        status_humanized: String,
        /// `HH:MM:SS`
        duration: String,
        duration_humanized: String,
        created_at: Timestamp as DateTime<Utc>,
        updated_at: Timestamp as DateTime<Utc>,
        run_step_command: RunStepCommandView,
        run_step_invocation: RunStepInvocationView,
    }
}

super::part! {
    /// The dbt command of a step; null where it runs none.
    pub struct RunStepCommandView from RunStepCommand {
        run_step_id: i64,
        dbt_command: String,
    }
}

super::part! {
    /// Which run a step's command was invoked for.
    pub struct RunStepInvocationView from RunStepInvocation {
        run_step_id: i64,
        run_id: i64,
    }
}
