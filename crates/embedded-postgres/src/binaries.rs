//! Finding the installed server programs: of the version that wrote the data where there is data, else the newest.
//! Called by `cluster`; runs nothing but `postgres --version`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::Error;

/// The oldest major version whose command-line options we rely on.
pub(crate) const OLDEST_MAJOR: u32 = 13;

const NEEDED: [&str; 4] = ["initdb", "postgres", "pg_isready", "createdb"];

/// Folders with one folder a version in them, as the packagers lay them out, each with its programs in `bin`.
const VERSIONED: [&str; 6] = [
    "/usr/lib/postgresql",       // Debian, Ubuntu, Alpine
    "/usr/local/lib/postgresql", // built by hand
    "/usr",                      // /usr/pgsql-17: packages of the PostgreSQL project for Red Hat
    "/opt/homebrew/opt",         // Homebrew on Apple silicon
    "/usr/local/opt",            // Homebrew on Intel
    "/Applications/Postgres.app/Contents/Versions",
];

/// Folders with the programs of one version.
const PLAIN: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];

/// The programs of one installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) folder: PathBuf,
    pub(crate) major: u32,
}

/// Finds the programs that can work on the data of version `data_major` in `data` (`None`: there is no data yet).
pub(crate) fn find(given: Option<&Path>, data: &Path, data_major: Option<u32>) -> Result<Binaries, Error> {
    let folders = given.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
    let installed: Vec<Binaries> = folders.into_iter().filter_map(installed_in).collect();
    choose(installed, data, data_major).unwrap_or_else(|| {
        let looked_in = given.map_or_else(|| PathBuf::from("the usual places"), Path::to_owned);
        Err(Error::NoBinaries { looked_in })
    })
}

/// `None` when nothing is installed at all.
fn choose(installed: Vec<Binaries>, data: &Path, data_major: Option<u32>) -> Option<Result<Binaries, Error>> {
    let newest = installed.iter().max_by_key(|found| found.major)?.clone();
    let chosen = match data_major {
        None => newest,
        Some(major) => match installed.into_iter().find(|found| found.major == major) {
            Some(found) => found,
            None => {
                return Some(Err(Error::OtherMajor {
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
    // PATH is where a system says its programs are, not a setting of ours.
    folders.extend(
        env::var_os("PATH")
            .iter()
            .flat_map(env::split_paths)
            .filter(|folder| folder.is_absolute()),
    );
    folders
}

fn installed_in(folder: PathBuf) -> Option<Binaries> {
    if !NEEDED.iter().all(|program| folder.join(program).is_file()) {
        return None;
    }
    let answer = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let major = major_version(&String::from_utf8_lossy(&answer.stdout))?;
    Some(Binaries { folder, major })
}

/// Reads `postgres (PostgreSQL) 15.13 (Debian 15.13-1)`, and `17beta1` or `18rc1` in the place of the number.
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
            .expect("some are installed")
            .map(|found| found.major)
    }

    #[test]
    fn the_version_is_read_from_releases_and_previews() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_version("postgres (PostgreSQL) 18rc1"), Some(18));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn new_data_gets_the_newest_version_and_old_data_its_own() {
        assert_eq!(chosen(&[15, 17, 16], None).expect("found"), 17);
        assert_eq!(chosen(&[15, 17, 16], Some(16)).expect("found"), 16);
    }

    #[test]
    fn data_of_a_version_that_is_not_installed_is_refused_by_name() {
        let error = chosen(&[15, 17], Some(14)).expect_err("14 is not installed");
        assert!(
            matches!(
                error,
                Error::OtherMajor {
                    data: 14,
                    installed: 17,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_version_that_lacks_what_we_need_is_refused() {
        assert!(matches!(chosen(&[12], None), Err(Error::TooOld { major: 12, .. })));
    }
}
