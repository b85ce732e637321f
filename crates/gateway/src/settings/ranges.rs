//! The ranges of the numbers among the settings, as `config/default.toml` names them.

use std::ops::RangeInclusive;

/// The range of that setting; `None` where it is no number.
pub(super) fn range_of(key: &str) -> Option<RangeInclusive<i64>> {
    let found = RANGES.iter().find(|(name, _)| *name == key);
    found.map(|(_, range)| range.clone())
}

/// Every number, by its key, in the order of the file.
const RANGES: &[(&str, RangeInclusive<i64>)] = &[
    ("server.max_body_bytes", 1024..=64 << 20),
    ("server.idle_timeout_secs", 1..=3600),
    ("server.drain_secs", 0..=300),
    ("server.idle_grace_ms", 0..=10_000),
    ("server.shutdown_secs", 1..=600),
    ("limits.requests_per_second", 0..=100_000),
    ("limits.burst", 1..=100_000),
    ("limits.replicas", 1..=1000),
    ("limits.max_connections", 1..=100_000),
    ("limits.max_concurrent_requests", 1..=100_000),
    ("limits.max_url_bytes", 256..=64 << 10),
    ("limits.max_header_bytes", 1024..=256 << 10),
    ("api_keys.max_age_ms", 0..=4_500),
    ("api_keys.capacity", 1..=1_000_000),
    ("tracing.sample_percent", 0..=100),
    ("tracing.queue_spans", 512..=1_000_000),
    ("tracing.export_interval_ms", 50..=60_000),
    ("tracing.export_timeout_secs", 1..=60),
    ("tracing.flush_secs", 1..=60),
    ("sentry.max_events_per_minute", 1..=10_000),
    ("sentry.sample_percent", 1..=100),
    ("upstream.account_id", 0..=i64::MAX),
    ("upstream.connect_timeout_secs", 1..=60),
    ("upstream.read_timeout_secs", 1..=600),
    ("upstream.deadline_secs", 1..=3600),
    ("upstream.max_body_bytes", 64 << 10..=1 << 30),
    ("upstream.pool_idle_timeout_secs", 1..=600),
    ("upstream.pool_max_idle_per_host", 0..=1024),
    ("retry.max_retries", 0..=2),
    ("retry.min_pause_ms", 1..=10_000),
    ("retry.max_pause_ms", 1..=60_000),
    ("gather.concurrency", 1..=32),
    ("relay.collect_max_bytes", 0..=16 << 20),
    ("stream.buffer_pieces", 1..=64),
    ("stream.stall_secs", 1..=3600),
    ("graphql.max_depth", 4..=256),
    ("graphql.max_tokens", 100..=1_000_000),
    ("graphql.max_pages", 1..=1000),
    ("graphql.poll_min_ms", 10..=10_000),
    ("graphql.poll_max_ms", 10..=60_000),
    ("graphql.deadline_secs", 1..=3600),
    ("new_runs.young_secs", 0..=600),
    ("new_runs.wait_ms", 0..=30_000),
    ("new_runs.pause_ms", 50..=5_000),
    ("run_failure.max_nodes", 0..=1000),
    ("run_failure.message_max_bytes", 256..=65_536),
    ("run_failure.log_tail_bytes", 256..=1_048_576),
    ("database.max_connections", 1..=500),
    ("database.acquire_timeout_secs", 1..=60),
    ("database.start_wait_secs", 0..=600),
    ("request_log.queue_capacity", 2..=1_000_000),
    ("request_log.group_max_rows", 1..=10_000),
    ("request_log.write_wait_ms", 100..=60_000),
    ("request_log.close_wait_ms", 0..=60_000),
    ("request_log.commit_timeout_ms", 100..=60_000),
    ("request_log.retry_min_ms", 1..=60_000),
    ("request_log.retry_max_ms", 1..=60_000),
    ("request_log.text_max_bytes", 256..=8192),
    ("request_log.json_max_bytes", 1024..=1 << 20),
    ("request_log.retention_days", 0..=36_500),
    ("request_log.read_connections", 1..=100),
    ("request_log.read_timeout_secs", 1..=600),
    ("request_log.max_exports", 1..=100),
    ("request_log.export_stall_secs", 1..=3600),
    ("instance.heartbeat_secs", 1..=60),
    ("instance.dead_after_secs", 3..=3600),
    ("instance.sweep_secs", 1..=3600),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use crate::settings::Settings;
    use crate::settings::layers::{DEFAULTS, Layers};

    use super::*;

    /// "8 to 64" as often as the text has it.
    fn ranges_in(text: &str) -> Vec<(i64, i64)> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.trim_end_matches(['.', ',', ';', ':']).parse::<i64>().ok();
        words
            .windows(3)
            .filter(|words| words[1] == "to")
            .filter_map(|words| Some((number(words[0])?, number(words[2])?)))
            .collect()
    }

    /// The range that the manual names for each number: in the comment above it, or above the group of keys that it
    /// stands in. A comment that names several has one for each key of the group.
    fn of_the_manual() -> BTreeMap<String, (i64, i64)> {
        let mut found = BTreeMap::new();
        let (mut section, mut comment, mut group) = (String::new(), String::new(), Vec::new());
        // The empty line at the end closes the last group.
        for line in DEFAULTS.lines().chain([""]) {
            let begins_another = line.starts_with('#') || line.trim().is_empty();
            if begins_another && !group.is_empty() {
                let ranges = ranges_in(&comment);
                assert!(
                    ranges.is_empty() || ranges.len() == 1 || ranges.len() == group.len(),
                    "{group:?} have the ranges {ranges:?}"
                );
                for (place, key) in group.drain(..).enumerate() {
                    if let Some(range) = ranges.get(place).or(ranges.first()) {
                        found.insert(key, *range);
                    }
                }
                comment.clear();
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut section);
                comment.clear();
            } else if let Some(text) = line.strip_prefix('#') {
                comment.push_str(text);
            } else if let Some((key, _)) = line.split_once(" = ") {
                group.push(format!("{section}.{key}"));
            }
        }
        found
    }

    #[test]
    fn the_manual_names_a_range_for_every_number_and_nothing_else() {
        let layers = Layers::read(None, &HashMap::new()).unwrap();
        let numbers = layers.0.iter().filter(|setting| setting.value.is_integer());
        let numbers: Vec<_> = numbers.map(|setting| setting.key.clone()).collect();
        let mut named: Vec<_> = of_the_manual().into_keys().collect();
        let mut checked: Vec<_> = RANGES.iter().map(|(key, _)| (*key).to_owned()).collect();
        for list in [&mut named, &mut checked] {
            list.sort();
        }
        let mut numbers = numbers;
        numbers.sort();
        assert_eq!(named, numbers);
        assert_eq!(checked, numbers);
    }

    #[test]
    fn every_range_of_the_manual_is_checked_at_both_ends() {
        let with = |key: &str, value: i64| {
            let variable = format!("DBT_GATEWAY__{}", key.to_uppercase().replace('.', "__"));
            let mut environment = HashMap::from([(variable, value.to_string())]);
            // What goes together goes along.
            match key {
                "upstream.account_id" if value > 0 => {
                    environment.insert("DBT_TOKEN".to_owned(), "t".to_owned());
                }
                "instance.heartbeat_secs" => {
                    environment.insert("DBT_GATEWAY__INSTANCE__DEAD_AFTER_SECS".to_owned(), "3600".to_owned());
                }
                "instance.dead_after_secs" => {
                    environment.insert("DBT_GATEWAY__INSTANCE__HEARTBEAT_SECS".to_owned(), "1".to_owned());
                }
                _ => {}
            }
            Settings::of(None, &environment).map_err(|error| error.to_string())
        };
        let manual = of_the_manual();
        assert!(manual.len() > 50, "{manual:?}");
        for (key, (from, to)) in manual {
            for usable in [from, to] {
                let settings = with(&key, usable);
                assert!(settings.is_ok(), "{key} = {usable}: {settings:?}");
            }
            for outside in [from.checked_sub(1), to.checked_add(1)].into_iter().flatten() {
                let complaint = with(&key, outside).expect_err(&key);
                let expected = format!("unusable setting {key}: {outside} is not in {from} to {to} (");
                assert!(complaint.contains(&expected), "{complaint}");
            }
        }
    }
}
