//! The flags of a run, held against its status: a client that polls until `is_complete` must come to an end.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Run, RunStatus};

impl Run {
    /// Derives the flags from the status. They stay as dbt Cloud sends them for a status that is missing or not in its
    /// specification, which may be a final one.
    fn flags_by_status(&mut self) {
        let Some(status) = self.status else { return };
        if matches!(status, RunStatus::Unknown(_)) {
            return;
        }
        let is_over = status.is_terminal();
        self.is_complete = Some(is_over);
        self.in_progress = Some(!is_over);
        self.is_running = Some(status == RunStatus::Running);
        self.is_success = Some(status == RunStatus::Success);
        self.is_error = Some(status == RunStatus::Error);
        self.is_cancelled = Some(status == RunStatus::Cancelled);
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived function, not this one.
        let mut run = Run::deserialize(deserializer)?;
        run.flags_by_status();
        Ok(run)
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Run::serialize(self, serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(of: &Value) -> Run {
        serde_json::from_str(&of.to_string()).unwrap()
    }

    /// Complete, in progress, running, success, error, cancelled.
    fn flags(run: &Run) -> [Option<bool>; 6] {
        [
            run.is_complete,
            run.in_progress,
            run.is_running,
            run.is_success,
            run.is_error,
            run.is_cancelled,
        ]
    }

    #[test]
    fn the_flags_follow_from_every_listed_status_whatever_dbt_cloud_sends() {
        for (status, true_ones) in [
            (1, vec![1]),
            (2, vec![1]),
            (3, vec![1, 2]),
            (10, vec![0, 3]),
            (20, vec![0, 4]),
            (30, vec![0, 5]),
        ] {
            let expected: Vec<_> = (0..6).map(|index| Some(true_ones.contains(&index))).collect();
            for sent in [Value::Null, json!(false), json!(true), json!("no")] {
                let run = run(&json!({
                    "id": 1, "status": status, "is_complete": sent, "in_progress": sent, "is_running": sent,
                    "is_success": sent, "is_error": sent, "is_cancelled": sent,
                }));
                assert_eq!(flags(&run).to_vec(), expected, "{status}, sent {sent}");
                assert_eq!(
                    serde_json::to_value(&run).unwrap()["is_complete"],
                    json!(expected[0].unwrap())
                );
            }
            assert_eq!(flags(&run(&json!({"id": 1, "status": status}))).to_vec(), expected);
        }
    }

    #[test]
    fn the_flags_of_a_status_that_is_not_listed_stay_as_they_are() {
        for status in [json!(40), json!(null), json!("Success")] {
            let run = run(&json!({"id": 1, "status": status, "is_complete": true, "is_error": false}));
            assert_eq!(
                flags(&run),
                [Some(true), None, None, None, Some(false), None],
                "{status}"
            );
        }
    }
}
