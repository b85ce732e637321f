//! Finds the installed server programs: of the version that wrote the data, or the newest if there is no data. Called by
//! `cluster`; runs only `postgres --version`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Error;

/// The oldest major version that supports the command-line options in use.
const OLDEST_MAJOR: u32 = 13;

const REQUIRED: [&str; 4] = ["initdb", "postgres", "pg_isready", "createdb"];

/// Parent folders of the versions; each version has its programs in `bin`.
const VERSIONED: [&str; 6] = [
    "/usr/lib/postgresql",       // Debian, Ubuntu, Alpine
    "/usr/local/lib/postgresql", // built from source
    "/usr",                      // /usr/pgsql-17: packages of the PostgreSQL project for Red Hat
    "/opt/homebrew/opt",         // Homebrew on Apple silicon
    "/usr/local/opt",            // Homebrew on Intel
    "/Applications/Postgres.app/Contents/Versions",
];

/// Folders of programs.
const PLAIN: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];

/// The programs of one installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) folder: PathBuf,
    pub(crate) major: u32,
}

/// Finds the programs for the data in `data`, written by version `data_major` (`None`: no data yet).
pub(crate) fn find(configured: Option<&Path>, data: &Path, data_major: Option<u32>) -> Result<Binaries, Error> {
    let folders = configured.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
    let installed: Vec<Binaries> = folders.into_iter().filter_map(installed_in).collect();
    choose(installed, data, data_major).unwrap_or_else(|| {
        let searched = configured.map_or_else(|| PathBuf::from("the usual folders and PATH"), Path::to_owned);
        Err(Error::NoBinaries { searched })
    })
}

/// `None` if nothing is installed.
fn choose(installed: Vec<Binaries>, data: &Path, data_major: Option<u32>) -> Option<Result<Binaries, Error>> {
    let newest = installed.iter().max_by_key(|found| found.major)?.clone();
    let chosen = match data_major {
        None => newest,
        Some(major) => match installed.into_iter().find(|found| found.major == major) {
            Some(found) => found,
            None => {
                return Some(Err(Error::MajorVersionMismatch {
                    directory: data.to_owned(),
                    data: major,
                    installed: newest.major,
                }));
            }
        },
    };
    if chosen.major < OLDEST_MAJOR {
        return Some(Err(Error::TooOld {
            major: chosen.major,
            oldest: OLDEST_MAJOR,
            directory: chosen.folder,
        }));
    }
    Some(Ok(chosen))
}

fn usual_folders() -> Vec<PathBuf> {
    let versioned = VERSIONED
        .iter()
        .filter_map(|base| fs::read_dir(base).ok())
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versioned.map(|entry| entry.path().join("bin")).collect();
    folders.extend(PLAIN.iter().map(PathBuf::from));
    // PATH belongs to the system; it is not a setting of the gateway.
    folders.extend(
        env::var_os("PATH")
            .iter()
            .flat_map(env::split_paths)
            .filter(|folder| folder.is_absolute()),
    );
    folders
}

fn installed_in(folder: PathBuf) -> Option<Binaries> {
    if !REQUIRED.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { folder, major })
}

/// Parses `postgres (PostgreSQL) 15.13 (Debian 15.13-1)`; the version may also be `17beta1` or `18rc1`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .map_or(version, |end| &version[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Binaries, choose, major_version};
    use crate::Error;
    use std::path::Path;

    fn installed(majors: &[u32]) -> Vec<Binaries> {
        majors
            .iter()
            .map(|&major| Binaries {
                folder: format!("/pg/{major}").into(),
                major,
            })
            .collect()
    }

    fn chosen(majors: &[u32], data: Option<u32>) -> Result<u32, Error> {
        choose(installed(majors), Path::new("/data"), data)
            .expect("at least one is installed")
            .map(|found| found.major)
    }

    #[test]
    fn the_version_of_releases_and_previews_is_parsed() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_version("postgres (PostgreSQL) 18rc1"), Some(18));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn new_data_gets_the_newest_version_and_existing_data_its_own_version() {
        assert_eq!(chosen(&[15, 17, 16], None).expect("found"), 17);
        assert_eq!(chosen(&[15, 17, 16], Some(16)).expect("found"), 16);
    }

    #[test]
    fn data_of_a_version_that_is_not_installed_is_rejected() {
        let error = chosen(&[15, 17], Some(14)).expect_err("14 is not installed");
        assert!(
            matches!(
                error,
                Error::MajorVersionMismatch {
                    data: 14,
                    installed: 17,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn an_unsupported_version_is_rejected() {
        assert!(matches!(chosen(&[12], None), Err(Error::TooOld { major: 12, .. })));
    }
}
