//! Complete job definitions, which dbt Cloud requires at each write.

use model::JobFields;
use serde_json::{Map, Value, json};

/// The fields of a job that dbt Cloud returns but does not accept.
const READ_ONLY: [&str; 17] = [
    "id",
    "account",
    "created_at",
    "cron_humanized",
    "custom_environment_variables",
    "environment",
    "fusion_readiness",
    "is_deferrable",
    "is_system",
    "lifecycle_webhooks_url",
    "most_recent_completed_run",
    "most_recent_run",
    "next_run",
    "next_run_humanized",
    "project",
    "raw_dbt_version",
    "run_failure_count",
];

/// The job types that dbt Cloud derives from the triggers; any other type is kept.
const DERIVED_TYPES: [&str; 4] = ["ci", "merge", "other", "scheduled"];

/// A new definition: the given fields, and the specification's defaults for the other required ones.
pub(crate) fn new(given: &JobFields) -> JobFields {
    let defaults = json!({
        "errors_on_lint_failure": true,
        "execution": {"timeout_seconds": 0},
        "generate_docs": false,
        "lifecycle_webhooks": false,
        "run_compare_changes": false,
        "run_generate_sources": false,
        "run_lint": false,
        "settings": {"threads": 1, "target_name": "default"},
        "state": 1,
        "triggers": {"github_webhook": false, "schedule": false},
    });
    let mut whole = match defaults {
        Value::Object(defaults) => defaults,
        _ => Map::new(),
    };
    merge(&mut whole, &given.0);
    JobFields(whole)
}

/// The current definition with the changes, as a JSON merge patch (RFC 7396), except that `null` for a top-level field is
/// written as `null`, since dbt Cloud may keep a field that is left out. Unknown fields are written back unchanged.
pub(crate) fn changed(current: JobFields, changes: &JobFields) -> JobFields {
    let JobFields(mut whole) = current;
    let was_type = whole.get("job_type").cloned();
    whole.retain(|name, value| {
        // dbt Cloud may refuse an empty string; a field that is left out stays empty.
        let empty = value.is_null() || value == "";
        let derived = name == "job_type" && value.as_str().is_some_and(|name| DERIVED_TYPES.contains(&name));
        !empty && !derived && name != "updated_at" && !READ_ONLY.contains(&name.as_str())
    });
    merge(&mut whole, &changes.0);
    let is_given = changes.0.get(NODE_SELECTION).is_some_and(|given| !given.is_null());
    if !is_given && is_ci_or_merge(&whole, &changes.0, was_type.as_ref()) {
        whole.remove(NODE_SELECTION);
    }
    JobFields(whole)
}

/// A field that dbt Cloud refuses (405) in the definition of a CI or merge job, with any value. This is not in its
/// specification: it is known from public reports of other clients.
const NODE_SELECTION: &str = "force_node_selection";

/// Whether the definition is that of a CI or merge job: by its triggers, by a type that is given, or by the type that it had
/// and keeps.
fn is_ci_or_merge(whole: &Map<String, Value>, changes: &Map<String, Value>, was_type: Option<&Value>) -> bool {
    let triggers = whole.get("triggers").unwrap_or(&Value::Null);
    let is_on = |names: &[&str]| names.iter().any(|name| triggers[*name] == true);
    let names_one = |kind: Option<&Value>| {
        let kind = kind.and_then(Value::as_str).unwrap_or_default();
        ["ci", "merge"].contains(&kind)
    };
    let keeps_type = !changes.contains_key("triggers") && !changes.contains_key("job_type") && !is_on(&["schedule"]);
    is_on(&["github_webhook", "git_provider_webhook", "on_merge"])
        || names_one(changes.get("job_type"))
        || (keeps_type && names_one(was_type))
}

fn merge(whole: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, change) in changes {
        match (whole.get_mut(name), change) {
            (Some(Value::Object(old)), Value::Object(new)) => merge_part(old, new),
            (_, Value::Object(new)) => {
                let mut part = Map::new();
                merge_part(&mut part, new);
                whole.insert(name.clone(), Value::Object(part));
            }
            _ => {
                whole.insert(name.clone(), change.clone());
            }
        }
    }
}

/// Merges within an object, where `null` removes a field.
fn merge_part(part: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, change) in changes {
        match (part.get_mut(name), change) {
            (_, Value::Null) => {
                part.remove(name);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge_part(old, new),
            (_, Value::Object(new)) => {
                let mut inner = Map::new();
                merge_part(&mut inner, new);
                part.insert(name.clone(), Value::Object(inner));
            }
            _ => {
                part.insert(name.clone(), change.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(value: Value) -> JobFields {
        let Value::Object(map) = value else {
            panic!("no object: {value}")
        };
        JobFields(map)
    }

    #[test]
    fn given_fields_of_a_new_definition_win_over_the_defaults() {
        let given = fields(json!({"name": "n", "run_lint": true, "settings": {"threads": 8}, "dbt_version": null}));
        let JobFields(whole) = new(&given);
        assert_eq!(whole["settings"], json!({"threads": 8, "target_name": "default"}));
        assert_eq!(
            (
                &whole["name"],
                &whole["run_lint"],
                &whole["state"],
                &whole["dbt_version"]
            ),
            (&json!("n"), &json!(true), &json!(1), &Value::Null)
        );
        assert_eq!(whole["triggers"], json!({"github_webhook": false, "schedule": false}));
    }

    #[test]
    fn a_change_keeps_fields_that_it_does_not_name_and_unknown_fields() {
        let current = fields(json!({
            "id": 7, "name": "old", "is_deferrable": true, "updated_at": "x", "raw_dbt_version": "1.9", "account": {},
            "settings": {"threads": 4, "target_name": "prod"}, "tomorrow": {"x": 1}, "generate_docs": true,
        }));
        let changes = fields(json!({"name": "new", "settings": {"threads": 8}}));
        let expected = json!({
            "name": "new", "settings": {"threads": 8, "target_name": "prod"}, "tomorrow": {"x": 1}, "generate_docs": true,
        });
        assert_eq!(changed(current, &changes), fields(expected));
    }

    #[test]
    fn null_is_written_for_a_top_level_field_and_removes_a_nested_one() {
        let current = fields(json!({
            "deferring_environment_id": 5, "dbt_version": null, "description": "",
            "schedule": {"date": {"type": "days_of_week", "days": [1]}, "time": {"type": "every_hour", "interval": 1}},
        }));
        let changes = fields(json!({
            "deferring_environment_id": null, "schedule": {"date": {"type": "every_day", "days": null}},
        }));
        let expected = json!({
            "deferring_environment_id": null,
            "schedule": {"date": {"type": "every_day"}, "time": {"type": "every_hour", "interval": 1}},
        });
        assert_eq!(changed(current, &changes), fields(expected));
    }

    #[test]
    fn a_list_is_replaced_and_an_object_may_become_null_or_be_added() {
        let current = fields(json!({"execute_steps": ["a", "b"], "schedule": {"cron": "x"}}));
        let changes =
            fields(json!({"execute_steps": ["c"], "schedule": null, "triggers": {"on_merge": null, "schedule": true}}));
        let expected = json!({"execute_steps": ["c"], "schedule": null, "triggers": {"schedule": true}});
        assert_eq!(changed(current, &changes), fields(expected));
    }

    #[test]
    fn the_node_selection_is_left_out_where_the_result_is_a_ci_or_merge_job() {
        let on = |name: &str| json!({name: true});
        for (current, changes, expected) in [
            // What it is.
            (json!({"triggers": on("github_webhook")}), json!({"name": "n"}), None),
            (
                json!({"triggers": on("git_provider_webhook")}),
                json!({"name": "n"}),
                None,
            ),
            (json!({"triggers": on("on_merge")}), json!({"name": "n"}), None),
            (json!({"job_type": "ci", "triggers": {}}), json!({"name": "n"}), None),
            (json!({"job_type": "merge"}), json!({"name": "n"}), None),
            (
                json!({"triggers": on("schedule")}),
                json!({"name": "n"}),
                Some(json!(true)),
            ),
            (
                json!({"job_type": "other", "triggers": {}}),
                json!({"name": "n"}),
                Some(json!(true)),
            ),
            (json!({}), json!({"name": "n"}), Some(json!(true))),
            // What it becomes.
            (
                json!({"triggers": on("schedule")}),
                json!({"triggers": on("on_merge")}),
                None,
            ),
            (json!({"triggers": {}}), json!({"job_type": "ci"}), None),
            (
                json!({"job_type": "ci", "triggers": on("github_webhook")}),
                json!({"triggers": {"github_webhook": false, "schedule": true}}),
                Some(json!(true)),
            ),
            (
                json!({"job_type": "ci", "triggers": on("github_webhook")}),
                json!({"triggers": {"github_webhook": null}}),
                Some(json!(true)),
            ),
            (
                json!({"triggers": on("github_webhook")}),
                json!({"job_type": "scheduled"}),
                None,
            ),
            // What is given is dbt Cloud's to refuse; null says nothing.
            (
                json!({"triggers": on("on_merge")}),
                json!({"force_node_selection": false}),
                Some(json!(false)),
            ),
            (
                json!({"triggers": on("on_merge")}),
                json!({"force_node_selection": null}),
                None,
            ),
            (
                json!({"triggers": on("schedule")}),
                json!({"force_node_selection": false}),
                Some(json!(false)),
            ),
        ] {
            let mut whole = fields(current.clone());
            whole.0.insert(NODE_SELECTION.to_owned(), json!(true));
            let written = changed(whole, &fields(changes.clone()));
            assert_eq!(written.0.get(NODE_SELECTION), expected.as_ref(), "{current} {changes}");
        }
    }

    #[test]
    fn the_type_is_left_out_unless_it_cannot_be_derived_or_is_given() {
        for (current, changes, written) in [
            (json!({"job_type": "other"}), json!({}), json!({})),
            (
                json!({"job_type": "adaptive"}),
                json!({}),
                json!({"job_type": "adaptive"}),
            ),
            (
                json!({"job_type": "other"}),
                json!({"job_type": "ci"}),
                json!({"job_type": "ci"}),
            ),
        ] {
            assert_eq!(changed(fields(current), &fields(changes)), fields(written));
        }
    }
}
