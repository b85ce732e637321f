//! Classifies the command of a step by its text: `dbt --warn-error build --select orders+`.

use model::ResultsFile;

/// Options before the subcommand that are followed by a value.
const WITH_VALUE: [&str; 19] = [
    "--defer-state",
    "--event-buffer-size",
    "--log-file-max-bytes",
    "--log-format",
    "--log-format-file",
    "--log-level",
    "--log-level-file",
    "--log-path",
    "--printer-width",
    "--profile",
    "--profiles-dir",
    "--project-dir",
    "--record-timing-info",
    "--state",
    "--target",
    "--target-path",
    "--threads",
    "--vars",
    "--warn-error-options",
];
/// Their short forms.
const SHORT_WITH_VALUE: [&str; 2] = ["-r", "-t"];

/// What a dbt subcommand does with nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandKind {
    /// Runs nodes in the warehouse and reports the result of each.
    Builds,
    /// Reports a result of each node without building any.
    Reports,
    /// Reports nothing about nodes.
    NoResults,
    /// `dbt source freshness`
    Source,
}

const SUBCOMMANDS: [(&str, CommandKind); 19] = [
    ("build", CommandKind::Builds),
    ("retry", CommandKind::Builds),
    ("run", CommandKind::Builds),
    ("seed", CommandKind::Builds),
    ("snapshot", CommandKind::Builds),
    ("test", CommandKind::Builds),
    ("clone", CommandKind::Reports),
    ("compile", CommandKind::Reports),
    ("docs", CommandKind::Reports),
    ("run-operation", CommandKind::Reports),
    ("show", CommandKind::Reports),
    ("clean", CommandKind::NoResults),
    ("debug", CommandKind::NoResults),
    ("deps", CommandKind::NoResults),
    ("init", CommandKind::NoResults),
    ("list", CommandKind::NoResults),
    ("ls", CommandKind::NoResults),
    ("parse", CommandKind::NoResults),
    ("source", CommandKind::Source),
];

/// Whether the command builds: runs, tests, seeds or snapshots nodes.
pub(crate) fn builds(command: &str) -> bool {
    kind(command) == Some(CommandKind::Builds)
}

/// The file with the results of the command's nodes; `None` where it writes none. An unknown command is expected to write
/// `run_results.json`.
pub(crate) fn results_file(command: &str) -> Option<ResultsFile> {
    match kind(command) {
        Some(CommandKind::NoResults) => None,
        Some(CommandKind::Source) => Some(ResultsFile::Sources),
        Some(CommandKind::Builds | CommandKind::Reports) | None => Some(ResultsFile::RunResults),
    }
}

/// Decided by the first word that is a subcommand and not the value of an option.
fn kind(command: &str) -> Option<CommandKind> {
    // Unbalanced quotes cannot be parsed.
    let words = shlex::split(command).unwrap_or_else(|| command.split_whitespace().map(str::to_owned).collect());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word) || SHORT_WITH_VALUE.contains(&word) {
            words.next();
        } else if let Some((_, kind)) = SUBCOMMANDS.iter().find(|(name, _)| *name == word) {
            return Some(*kind);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subcommand_is_found_after_global_options() {
        for (command, expected) in [
            ("dbt build", Some(CommandKind::Builds)),
            ("dbt --warn-error build --select orders+", Some(CommandKind::Builds)),
            ("dbt  --no-use-colors  --log-level debug run", Some(CommandKind::Builds)),
            ("dbt --target run seed", Some(CommandKind::Builds)),
            ("dbt -t build deps", Some(CommandKind::NoResults)),
            ("dbt --target=build deps", Some(CommandKind::NoResults)),
            (
                r#"dbt --vars '{"a": "run build"}' docs generate"#,
                Some(CommandKind::Reports),
            ),
            ("dbt --an-option-of-tomorrow x test", Some(CommandKind::Builds)),
            ("dbt run-operation run", Some(CommandKind::Reports)),
            (
                "dbt run-operation grant --args '{role: build}'",
                Some(CommandKind::Reports),
            ),
            ("dbt ls --select build", Some(CommandKind::NoResults)),
            ("dbt source freshness", Some(CommandKind::Source)),
            ("dbt snapshot", Some(CommandKind::Builds)),
            ("dbt retry", Some(CommandKind::Builds)),
            ("dbt build --vars 'it''s", Some(CommandKind::Builds)),
            ("dbt", None),
            ("dbt brew", None),
            ("", None),
        ] {
            assert_eq!(kind(command), expected, "{command}");
        }
    }

    #[test]
    fn each_command_has_its_results_file() {
        assert_eq!(results_file("dbt build"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt docs generate"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt brew"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt source freshness"), Some(ResultsFile::Sources));
        assert_eq!(results_file("dbt deps"), None);
        assert!(builds("dbt test") && !builds("dbt compile") && !builds("dbt brew"));
    }
}
