//! Finds installed programs: nginx, psql, pgbench.

use std::path::{Path, PathBuf};

/// Often missing from the PATH of an ordinary user.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/// Searches `PATH`, the usual folders, then the Postgres versions, newest first.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(FOLDERS.map(PathBuf::from));
    folders.extend(postgres_folders(Path::new("/usr/lib/postgresql")));
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Newest version first.
fn postgres_folders(base: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_postgres_comes_first() {
        let base = tempfile::tempdir().unwrap();
        for version in ["9", "15", "common"] {
            std::fs::create_dir(base.path().join(version)).unwrap();
        }
        let expected = ["15/bin", "9/bin"].map(|folder| base.path().join(folder));
        assert_eq!(postgres_folders(base.path()), expected);
    }
}
