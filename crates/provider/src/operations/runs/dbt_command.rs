//! What the command of a step does, told from its text: `dbt --warn-error build --select orders+`.

use model::ResultsFile;

/// Options that may stand before the subcommand and are followed by a value.
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

/// What is known of dbt's subcommands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Runs nodes in the warehouse, and tells how each fared.
    Builds,
    /// Tells how each node fared, and builds none.
    Tells,
    /// Leaves nothing about nodes.
    Silent,
    /// `dbt source freshness`
    Source,
}

const SUBCOMMANDS: [(&str, Kind); 19] = [
    ("build", Kind::Builds),
    ("retry", Kind::Builds),
    ("run", Kind::Builds),
    ("seed", Kind::Builds),
    ("snapshot", Kind::Builds),
    ("test", Kind::Builds),
    ("clone", Kind::Tells),
    ("compile", Kind::Tells),
    ("docs", Kind::Tells),
    ("run-operation", Kind::Tells),
    ("show", Kind::Tells),
    ("clean", Kind::Silent),
    ("debug", Kind::Silent),
    ("deps", Kind::Silent),
    ("init", Kind::Silent),
    ("list", Kind::Silent),
    ("ls", Kind::Silent),
    ("parse", Kind::Silent),
    ("source", Kind::Source),
];

/// Whether the command builds: runs, tests, seeds or snapshots nodes.
pub(crate) fn builds(command: &str) -> bool {
    kind(command) == Some(Kind::Builds)
}

/// The file in which the command tells how its nodes fared; `None` for one that has none. A command that is not known here
/// may have the usual one.
pub(crate) fn results_file(command: &str) -> Option<ResultsFile> {
    match kind(command) {
        Some(Kind::Silent) => None,
        Some(Kind::Source) => Some(ResultsFile::Sources),
        Some(Kind::Builds | Kind::Tells) | None => Some(ResultsFile::RunResults),
    }
}

/// By the first word that is a subcommand, and neither an option nor the value of one.
fn kind(command: &str) -> Option<Kind> {
    // Quotes that do not match are dbt's to complain of.
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
    fn the_subcommand_is_found_behind_global_options() {
        for (command, expected) in [
            ("dbt build", Some(Kind::Builds)),
            ("dbt --warn-error build --select orders+", Some(Kind::Builds)),
            ("dbt  --no-use-colors  --log-level debug run", Some(Kind::Builds)),
            ("dbt --target run seed", Some(Kind::Builds)),
            ("dbt -t build deps", Some(Kind::Silent)),
            ("dbt --target=build deps", Some(Kind::Silent)),
            (r#"dbt --vars '{"a": "run build"}' docs generate"#, Some(Kind::Tells)),
            ("dbt --an-option-of-tomorrow x test", Some(Kind::Builds)),
            ("dbt run-operation run", Some(Kind::Tells)),
            ("dbt run-operation grant --args '{role: build}'", Some(Kind::Tells)),
            ("dbt ls --select build", Some(Kind::Silent)),
            ("dbt source freshness", Some(Kind::Source)),
            ("dbt snapshot", Some(Kind::Builds)),
            ("dbt retry", Some(Kind::Builds)),
            ("dbt build --vars 'it''s", Some(Kind::Builds)),
            ("dbt", None),
            ("dbt brew", None),
            ("", None),
        ] {
            assert_eq!(kind(command), expected, "{command}");
        }
    }

    #[test]
    fn each_command_leaves_its_own_file() {
        assert_eq!(results_file("dbt build"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt docs generate"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt brew"), Some(ResultsFile::RunResults));
        assert_eq!(results_file("dbt source freshness"), Some(ResultsFile::Sources));
        assert_eq!(results_file("dbt deps"), None);
        assert!(builds("dbt test") && !builds("dbt compile") && !builds("dbt brew"));
    }
}
