//! The bodies that create and change a job: dbt Cloud's fields, as its specification lists them.

use garde::Validate;
use model::JobFields;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, Type};

/// Distinguishes `null` from an absent field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// A list of numbers up to `most`, or null.
fn numbers(description: &str, most: u32) -> RefOr<Schema> {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(most));
    let list = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(number);
    list.description(Some(description)).build().into()
}

fn days() -> RefOr<Schema> {
    numbers("0 (Sunday) to 6, for `days_of_week`.", 6)
}

fn hours() -> RefOr<Schema> {
    numbers("0 to 23, UTC, for `at_exact_hours`.", 23)
}

/// A list of texts that are not empty.
fn words() -> RefOr<Schema> {
    let word = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    ArrayBuilder::new().items(word).build().into()
}

/// Declares a body of optional fields, except those that it `needs`.
macro_rules! optional {
    ($(#[$doc:meta])* pub struct $name:ident $(needs {
        $($(#[$must_meta:meta])* $must:ident: $must_type:ty,)*
    })? {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    }) => {
        #[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$doc])*
        pub(crate) struct $name {
            $($($(#[$must_meta])* $must: $must_type,)*)?
            $(
                #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
                $(#[$meta])*
                $field: Option<$type>,
            )*
        }
    };
}

optional! {
    /// How a job is executed.
    pub struct JobExecutionBody {
        /// The number of seconds after which a run is cancelled; 0: never.
        #[garde(inner(range(min = 0)))]
        #[schema(minimum = 0, nullable = false)]
        timeout_seconds: i64,
    }
}

optional! {
    /// How dbt is called.
    pub struct JobSettingsBody {
        /// The number of threads, from 1.
        #[garde(inner(range(min = 1)))]
        #[schema(minimum = 1, nullable = false)]
        threads: i64,
        /// The value of `{{ target.name }}`.
        #[garde(inner(length(chars, min = 1)))]
        #[schema(min_length = 1, nullable = false)]
        target_name: String,
    }
}

optional! {
    /// What starts runs automatically.
    pub struct JobTriggersBody {
        #[garde(skip)]
        #[schema(nullable = false)]
        github_webhook: bool,
        #[garde(skip)]
        git_provider_webhook: Option<bool>,
        /// Whether the schedule is on.
        #[garde(skip)]
        #[schema(nullable = false)]
        schedule: bool,
        /// Whether a merge starts a run.
        #[garde(skip)]
        on_merge: Option<bool>,
        /// Deprecated by dbt Cloud.
        #[garde(skip)]
        custom_branch_only: Option<bool>,
    }
}

optional! {
    /// When a job runs, if `triggers.schedule` is on.
    pub struct JobScheduleBody {
        /// The schedule as a cron expression, in UTC.
        #[garde(inner(inner(length(chars, min = 1))))]
        #[schema(min_length = 1)]
        cron: Option<String>,
        #[garde(dive)]
        #[schema(nullable = false)]
        date: JobScheduleDateBody,
        #[garde(dive)]
        #[schema(nullable = false)]
        time: JobScheduleTimeBody,
    }
}

optional! {
    /// On which days a job runs.
    pub struct JobScheduleDateBody {
        /// `every_day`, `days_of_week`, `custom_cron` or `interval_cron`.
        #[serde(rename = "type")]
        #[garde(inner(length(chars, min = 1)))]
        #[schema(min_length = 1, nullable = false)]
        kind: String,
        /// 0 (Sunday) to 6, for `days_of_week`.
        #[garde(inner(inner(inner(range(min = 0, max = 6)))))]
        #[schema(schema_with = days)]
        days: Option<Vec<i64>>,
        /// For `custom_cron` and `interval_cron`.
        #[garde(inner(inner(length(chars, min = 1))))]
        #[schema(min_length = 1)]
        cron: Option<String>,
    }
}

optional! {
    /// At which hours a job runs.
    pub struct JobScheduleTimeBody {
        /// `every_hour` or `at_exact_hours`.
        #[serde(rename = "type")]
        #[garde(inner(length(chars, min = 1)))]
        #[schema(min_length = 1, nullable = false)]
        kind: String,
        /// 0 to 23, UTC, for `at_exact_hours`.
        #[garde(inner(inner(inner(range(min = 0, max = 23)))))]
        #[schema(schema_with = hours)]
        hours: Option<Vec<i64>>,
        /// Hours between two runs, from 1, for `every_hour`.
        #[garde(inner(inner(range(min = 1))))]
        #[schema(minimum = 1)]
        interval: Option<i64>,
    }
}

/// Declares both bodies: in the first `name`, `project_id` and `environment_id` are required.
macro_rules! job_bodies {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        optional! {
            /// A job to create. A field that is left out has the default in its description, or dbt Cloud's. The account
            /// is in the query.
            #[schema(example = json!({
                "name": "Nightly build", "project_id": 70_403_103_920_001_i64,
                "environment_id": 70_403_103_930_001_i64, "execute_steps": ["dbt build"], "generate_docs": true,
                "settings": {"threads": 8}, "triggers": {"schedule": true},
                "schedule": {"date": {"type": "every_day"}, "time": {"type": "at_exact_hours", "hours": [2]}}
            }))]
            pub struct CreateJobBody needs {
                #[garde(length(chars, min = 1))]
                #[schema(min_length = 1)]
                name: String,
                #[garde(range(min = 1))]
                #[schema(minimum = 1)]
                project_id: i64,
                #[garde(range(min = 1))]
                #[schema(minimum = 1)]
                environment_id: i64,
            } {
                $($(#[$meta])* $field: $type,)*
            }
        }
        optional! {
            /// The changes to a job, as a JSON merge patch: a field that is left out stays as it is, also within `execution`,
            /// `settings`, `triggers` and `schedule`, where `null` removes one. Lists are replaced.
            #[schema(min_properties = 1, example = json!({
                "description": "Moved to three o'clock", "dbt_version": null, "settings": {"threads": 8},
                "schedule": {"time": {"type": "at_exact_hours", "hours": [3]}}
            }))]
            pub struct UpdateJobBody {
                #[garde(inner(length(chars, min = 1)))]
                #[schema(min_length = 1, nullable = false)]
                name: String,
                #[garde(inner(range(min = 1)))]
                #[schema(minimum = 1, nullable = false)]
                project_id: i64,
                #[garde(inner(range(min = 1)))]
                #[schema(minimum = 1, nullable = false)]
                environment_id: i64,
                $($(#[$meta])* $field: $type,)*
            }
        }
    };
}

job_bodies! {
    #[garde(skip)]
    #[schema(nullable = false)]
    description: String,
    /// Overrides the environment's version of dbt.
    #[garde(inner(inner(length(chars, min = 1))))]
    #[schema(min_length = 1)]
    dbt_version: Option<String>,
    /// The environment that runs defer to.
    #[garde(inner(inner(range(min = 1))))]
    #[schema(minimum = 1)]
    deferring_environment_id: Option<i64>,
    /// The job that runs defer to.
    #[garde(inner(inner(range(min = 1))))]
    #[schema(minimum = 1)]
    deferring_job_definition_id: Option<i64>,
    /// The commands to run.
    #[garde(inner(inner(length(chars, min = 1))))]
    #[schema(schema_with = words)]
    execute_steps: Vec<String>,
    #[garde(dive)]
    #[schema(nullable = false)]
    execution: JobExecutionBody,
    /// Whether runs build all selected nodes, also unchanged ones. dbt Cloud refuses it for CI and merge jobs.
    #[garde(skip)]
    force_node_selection: Option<bool>,
    /// Whether each run ends with `dbt docs generate`. `false` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    generate_docs: bool,
    #[garde(skip)]
    #[schema(nullable = false)]
    generate_sources: bool,
    /// Whether each run begins with `dbt source freshness`. `false` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    run_generate_sources: bool,
    /// `ci`, `scheduled`, `other`, `merge`, …; dbt Cloud derives it from the triggers where it is left out, and may
    /// overrule it.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1, nullable = false)]
    job_type: String,
    /// `false` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    lifecycle_webhooks: bool,
    /// `false` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    run_compare_changes: bool,
    /// The changes to compare, in dbt's selection syntax.
    #[garde(inner(length(chars, min = 1)))]
    #[schema(min_length = 1, nullable = false)]
    compare_changes_flags: String,
    /// `false` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    run_lint: bool,
    /// `true` by default.
    #[garde(skip)]
    #[schema(nullable = false)]
    errors_on_lint_failure: bool,
    /// Of `state_aware_orchestration`, `efficient_testing`, `dbt_state`; dbt Cloud may rewrite it.
    #[garde(inner(inner(length(chars, min = 1))))]
    #[schema(schema_with = words)]
    cost_optimization_features: Vec<String>,
    #[garde(dive)]
    #[schema(nullable = false)]
    settings: JobSettingsBody,
    /// 1 (the default): active, 2: deleted.
    #[garde(inner(range(min = 1, max = 2)))]
    #[schema(minimum = 1, maximum = 2, nullable = false)]
    state: i64,
    #[garde(skip)]
    #[schema(nullable = false)]
    triggers_on_draft_pr: bool,
    #[garde(dive)]
    #[schema(nullable = false)]
    triggers: JobTriggersBody,
    #[garde(dive)]
    schedule: Option<JobScheduleBody>,
    /// The other job whose completion starts a run: `{"condition": {"job_id": …, "project_id": …, "statuses": [10]}}`. The
    /// specification calls it read-only; dbt's own Terraform provider writes it.
    #[garde(skip)]
    #[schema(value_type = Option<Object>)]
    job_completion_trigger_condition: Option<Map<String, Value>>,
}

impl From<CreateJobBody> for JobFields {
    fn from(body: CreateJobBody) -> Self {
        fields(&body)
    }
}

impl From<UpdateJobBody> for JobFields {
    fn from(body: UpdateJobBody) -> Self {
        fields(&body)
    }
}

fn fields(body: &impl Serialize) -> JobFields {
    // A struct of strings, numbers and JSON values always serialises to an object.
    match serde_json::to_value(body) {
        Ok(Value::Object(fields)) => JobFields(fields),
        _ => JobFields::default(),
    }
}
