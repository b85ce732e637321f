//! Counts words that the repository no longer uses, in its sources, pages, settings and scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::process::Command;

/// The words, in each form that counts.
const WORDS: [&[&str]; 14] = [
    &["floor", "floors"],
    &["bracket", "brackets", "bracketed"],
    &["face", "faces"],
    &["told"],
    &["came"],
    &["stands"],
    &["nobody"],
    &["whoever"],
    &["somebody"],
    &["goes on"],
    &["so many"],
    &["so long"],
    &["desk", "desks"],
    &["of ours"],
];

/// This file lists the words.
const THIS_FILE: &str = "crates/devtools/src/words.rs";

/// A table of the words: total, per crate, and outside the crates. Counts whole words in any case, also as parts of
/// identifiers (`DbtFace`, `face_of`).
///
/// # Errors
/// When `git ls-files` or the reading of a file fails.
pub fn audit(root: &Path) -> io::Result<String> {
    let mut counts: BTreeMap<String, [usize; WORDS.len()]> = BTreeMap::new();
    for file in files(root)? {
        let place = match file.strip_prefix("crates/").and_then(|below| below.split_once('/')) {
            Some((name, _)) => name,
            // After all crates in the order of names.
            None => "~elsewhere",
        };
        let text = std::fs::read_to_string(root.join(&file))?;
        let totals = counts.entry(place.to_owned()).or_default();
        for (total, found) in totals.iter_mut().zip(count(&text)) {
            *total += found;
        }
    }
    Ok(table(&counts))
}

fn files(root: &Path) -> io::Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "--", "*.rs", "*.md", "*.toml", "*.sql", "dev"])
        .current_dir(root)
        .output()?;
    if !listed.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
    }
    let names = String::from_utf8_lossy(&listed.stdout);
    let kept = names
        .lines()
        .filter(|name| *name != THIS_FILE && root.join(name).exists());
    Ok(kept.map(str::to_owned).collect())
}

/// How often each of the words is in a text.
fn count(text: &str) -> [usize; WORDS.len()] {
    let words = split(text);
    let of_form = |form: &&str| {
        let form: Vec<_> = form.split(' ').collect();
        let places = words.windows(form.len());
        places.filter(|found| found.iter().eq(form.iter())).count()
    };
    WORDS.map(|forms| forms.iter().map(of_form).sum())
}

/// The words of a text in lower case; an identifier is split at `_` and before its capitals.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_lower = false;
    for letter in text.chars() {
        if !letter.is_alphabetic() || letter.is_uppercase() && is_lower {
            words.push(String::new());
        }
        is_lower = letter.is_lowercase();
        if let (true, Some(word)) = (letter.is_alphabetic(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn table(counts: &BTreeMap<String, [usize; WORDS.len()]>) -> String {
    let places: Vec<_> = counts.keys().map(|place| place.trim_start_matches('~')).collect();
    let mut text = format!(
        "| word | total | {} |\n|---|---:|{}\n",
        places.join(" | "),
        "---:|".repeat(places.len())
    );
    let mut row = |word: &str, cells: Vec<usize>| {
        let total: usize = cells.iter().sum();
        let cells: Vec<_> = cells.iter().map(ToString::to_string).collect();
        // Writing into a string never fails.
        let _ = writeln!(text, "| {word} | {total} | {} |", cells.join(" | "));
    };
    for (at, forms) in WORDS.iter().enumerate() {
        row(forms[0], counts.values().map(|counts| counts[at]).collect());
    }
    row("all", counts.values().map(|counts| counts.iter().sum()).collect());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_in_any_case_and_inside_identifiers_but_not_inside_words() {
        let counts = count("Floor 1: DbtFace, face_of, an interface; it goes\n/// on. Told, told. Told");
        let counted = |word: &str| counts[WORDS.iter().position(|forms| forms[0] == word).unwrap()];
        assert_eq!(
            (counted("floor"), counted("face"), counted("goes on"), counted("told")),
            (1, 2, 1, 3)
        );
    }
}
