//! Startup: its requirements and its error messages.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Caller, Gateway, Site, program, text};

fn assert_fails(mut command: Command, expected: &[&str]) {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    for part in expected {
        assert!(text(&output).contains(part), "{part:?} is not in:\n{}", text(&output));
    }
}

#[tokio::test]
async fn keys_are_created_before_the_first_start_and_while_a_gateway_runs() {
    let site = Site::new().await;
    let before = site.key("viewer");
    let gateway = site.serve();
    let during = site.key("operator");
    for key in [before, during] {
        assert_eq!(Caller::new(&key).get(&gateway, "/projects").await.unwrap().status, 200);
    }
    let logged = site
        .rows("SELECT surface, outcome, args->>'role' AS role FROM request_log WHERE request_type = 'create_api_key'");
    assert_eq!(logged.len(), 2, "each creation of a key is logged: {logged:?}");
    gateway.stop();
}

#[tokio::test]
async fn migrate_creates_the_tables_and_prints_nothing_on_standard_output() {
    let site = Site::new().await;
    for _again in 0..2 {
        let output = site.command(&["migrate"]).output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output));
    }
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_refused_by_migrate_and_serve_with_what_to_do() {
    let expected = [
        "created by an earlier version of dbt-gateway",
        "use a new database, or delete the data directory",
    ];
    let site = Site::new().await;
    let gateway = site.serve();
    let edited = Command::new("psql")
        .arg(site.database_url())
        .arg("-qc")
        .arg(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (20261120000001, 'of an earlier version', true, '', 0)",
        )
        .output()
        .unwrap();
    assert!(edited.status.success(), "{}", text(&edited));
    assert_fails(site.command(&["migrate"]), &expected);
    gateway.stop();
    assert_fails(site.command(&["serve"]), &expected);
}

#[tokio::test]
async fn a_start_that_may_not_migrate_requires_current_tables() {
    let site = Site::new().await;
    let serve = ["serve", "--no-migrate"];
    assert_fails(
        site.command(&serve),
        &["tables are too old", "Run `dbt-gateway migrate` of this version"],
    );
    let migrated = site.command(&["migrate"]).output().unwrap();
    assert!(migrated.status.success(), "{}", text(&migrated));
    Gateway::start(site.command(&serve)).stop();
}

#[tokio::test]
async fn a_second_gateway_on_the_same_directory_fails_with_the_reason() {
    let site = Site::new().await;
    let gateway = site.serve();
    assert_fails(site.command(&["serve"]), &["another process"]);
    gateway.stop();
}

#[test]
fn a_directory_with_other_files_is_refused_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.txt"), "mine").unwrap();
    let mut command = program(directory.path());
    command.arg("migrate");
    assert_fails(command, &["not empty"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no file was added");
}

#[test]
fn missing_postgres_binaries_are_reported_with_a_remedy() {
    let (data, empty) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = program(&data.path().join("data"));
    command.arg("migrate").env("PG_BIN_DIR", empty.path());
    assert_fails(command, &["DATABASE_URL"]);
}

#[test]
fn an_invalid_setting_stops_the_start_and_is_named() {
    let data = tempfile::tempdir().unwrap();
    for (name, value, expected) in [
        (
            "DBT_GATEWAY__GATHER__CONCURRENCY",
            "99",
            "gather.concurrency: 99 is not in 1 to 32",
        ),
        ("DBT_GATEWAY__GATHER__CONCURENCY", "9", "is gather.concurrency meant?"),
        ("DBT_ACCOUNT_ID", "1", "DBT_TOKEN"),
    ] {
        let mut command = program(data.path());
        command.arg("serve").env(name, value);
        assert_fails(command, &[expected]);
    }
}

#[test]
fn config_check_and_config_show_start_nothing() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("gateway.toml");
    fs::write(&file, "[retry]\nmax_retries = 1\n").unwrap();
    let config = |arguments: [&str; 2]| {
        let mut command = program(&data.path().join("data"));
        command.args(["config", arguments[0], "--config"]).arg(&file);
        command.env("DATABASE_URL", arguments[1]);
        command
    };
    let checked = config(["check", "postgres://u:s3cret@h/d"]).output().unwrap();
    assert!(checked.status.success(), "{}", text(&checked));
    assert_eq!(text(&checked), "the settings are usable\n");
    let shown = config(["show", "postgres://u:s3cret@h/d"]).output().unwrap();
    assert!(shown.status.success(), "{}", text(&shown));
    for line in [
        format!("max_retries = 1 # {}", file.display()),
        "url = \"postgres://u:********@h/d\" # DATABASE_URL".to_owned(),
    ] {
        assert!(text(&shown).contains(&line), "{line} is not in {}", text(&shown));
    }
    assert!(!text(&shown).contains("s3cret"));
    for command in ["check", "show"] {
        assert_fails(
            config([command, "mysql://u:s3cret@h/d"]),
            &["unusable setting database.url"],
        );
    }
    fs::write(&file, "[retry]\nmax_retries = 3\n").unwrap();
    let expected = ["unusable setting retry.max_retries: 3 is not in 0 to 2", "gateway.toml"];
    assert_fails(config(["check", ""]), &expected);
    let mut keys = program(data.path());
    keys.args(["config", "check"])
        .env("DBT_GATEWAY_SECRET_KEYS", "2026:short");
    assert_fails(keys, &["DBT_GATEWAY_SECRET_KEYS"]);
    assert!(!data.path().join("data").exists(), "nothing was started");
}

#[test]
fn an_unreachable_database_is_waited_for_until_the_timeout() {
    let data = tempfile::tempdir().unwrap();
    let mut command = program(data.path());
    command
        .arg("serve")
        .env("DBT_GATEWAY_LISTEN", "127.0.0.1:0")
        .env("DATABASE_URL", "postgres://nobody:s3cret@127.0.0.1:1/nothing")
        .env("DBT_GATEWAY__DATABASE__START_WAIT_SECS", "1")
        .env("DBT_GATEWAY__DATABASE__ACQUIRE_TIMEOUT_SECS", "1");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let printed = text(&output);
    assert!(
        printed.contains("not up yet") && printed.contains("Connection refused"),
        "{printed}"
    );
    assert!(!printed.contains("s3cret"), "{printed}");
}

#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised_and_a_low_hard_limit_is_reported() {
    let site = Site::new().await;
    let serve = site.command(&["serve"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -Sn 512 && ulimit -Hn 2000 && exec \"$0\" \"$@\""])
        .arg(serve.get_program())
        .args(serve.get_args())
        .env_clear()
        .envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let gateway = Gateway::start(limited);
    let log = gateway.log();
    let warning = log
        .lines()
        .find(|line| line.contains("limits.max_connections"))
        .unwrap();
    let warning: Value = serde_json::from_str(warning).unwrap();
    assert_eq!((&warning["allowed"], &warning["wanted"]), (&json!(2000), &json!(4100)));
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.pid())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(open_files.split_whitespace().nth(3), Some("2000"), "{open_files}");
    gateway.stop();
}
