//! The deployment files agree with the program and with each other. `./dev deployment` checks their syntax.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{program, text};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(top().join(file)).unwrap()).unwrap()
}

/// Replaces `${NAME:-default}` by its default, as `docker compose` does for an unset variable.
fn without_variables(value: &str) -> String {
    let mut text = value.to_owned();
    while let Some(at) = text.find("${") {
        let end = at + text[at..].find('}').unwrap();
        let default = text[at + 2..end].split_once(":-").unwrap().1.to_owned();
        text.replace_range(at..=end, &default);
    }
    text
}

/// The environment of the gateway's container: the image's, overridden by the compose file's.
fn environment() -> Vec<(String, String)> {
    let dockerfile = fs::read_to_string(top().join("Dockerfile")).unwrap();
    let image = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV "));
    let image = image
        .flat_map(|line| line.split(' '))
        .map(|pair| pair.split_once('=').unwrap());
    let mut environment: Vec<_> = image.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let compose = yaml("docker-compose.yml");
    let variables = compose["services"]["gateway"]["environment"].as_object().unwrap();
    for (name, value) in variables {
        environment.push((name.clone(), without_variables(value.as_str().unwrap())));
    }
    environment
}

/// The settings in the container by key, from `config show`.
fn container_settings() -> Vec<(String, String)> {
    let mut command = program(Path::new("/nowhere"));
    command.args(["config", "show"]).envs(environment());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in text(&output).lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((key, rest)) = line.split_once(" = ") {
            let value = rest.rsplit_once(" # ").unwrap().0;
            settings.push((format!("{section}.{key}"), value.trim_matches('"').to_owned()));
        }
    }
    settings
}

fn setting(settings: &[(String, String)], key: &str) -> String {
    settings.iter().find(|(name, _)| name == key).unwrap().1.clone()
}

#[test]
fn the_container_has_usable_settings_and_enough_time_to_stop() {
    let settings = container_settings();
    assert_eq!(setting(&settings, "server.listen"), "0.0.0.0:8080");
    let seconds = |key| setting(&settings, key).parse::<u64>().unwrap();
    let reports = seconds("tracing.flush_secs") + 3;
    let needed = seconds("server.drain_secs") + seconds("server.shutdown_secs") + reports;
    let compose = yaml("docker-compose.yml");
    let given = compose["services"]["gateway"]["stop_grace_period"].as_str().unwrap();
    let given: u64 = given.strip_suffix('s').unwrap().parse().unwrap();
    assert!(given > needed, "{given} s, but a shutdown may take {needed} s");
}

#[test]
fn prometheus_scrapes_the_health_listener_and_its_files_exist() {
    let port = setting(&container_settings(), "health.listen")
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let prometheus = yaml("config/prometheus.yml");
    let job = &prometheus["scrape_configs"][0];
    assert_eq!(
        job["static_configs"][0]["targets"],
        serde_json::json!([format!("gateway:{port}")])
    );
    let rules = fs::read_to_string(top().join("config/alerts.yml")).unwrap();
    let name = job["job_name"].as_str().unwrap();
    assert!(
        rules.contains(&format!("job=\"{name}\"")),
        "no rule uses the job {name}"
    );

    let compose = yaml("docker-compose.yml");
    let mounts = compose["services"]["prometheus"]["volumes"].as_array().unwrap();
    let files: Vec<_> = mounts
        .iter()
        .filter_map(|mount| mount.as_str()?.strip_prefix("./"))
        .collect();
    assert_eq!(files.len(), 2, "{mounts:?}");
    for mount in files {
        let file = mount.split(':').next().unwrap();
        assert!(top().join(file).is_file(), "{file}");
    }
}

#[test]
fn every_container_is_hardened() {
    let compose = yaml("docker-compose.yml");
    for (name, service) in compose["services"].as_object().unwrap() {
        let hardened = &compose["x-hardened"];
        for key in ["read_only", "cap_drop", "security_opt"] {
            let value = service.get(key).unwrap_or(&service["<<"][key]);
            assert_eq!(value, &hardened[key], "{name}: {key}");
        }
    }
}
