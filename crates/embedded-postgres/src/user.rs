//! The OS user that runs the server. Postgres refuses to run as root, so root uses an unprivileged user. Called by
//! `directory` and `cluster`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// An unprivileged OS user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUser {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl ServiceUser {
    /// `None` if this process is not root: the server then runs as the same user.
    pub(crate) fn if_root() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let path = Path::new("/etc/passwd");
        let passwd = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let user = ["postgres", "nobody"]
            .iter()
            .find_map(|name| Self::named(name, &passwd));
        user.map(Some).ok_or(Error::NoServiceUser)
    }

    /// Runs `command` as the user. `std` also drops the supplementary groups.
    pub(crate) fn applied_to(&self, command: &mut Command) {
        command.gid(self.gid).uid(self.uid);
    }

    fn named(name: &str, passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next() != Some(name) {
                return None;
            }
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            (uid != 0).then(|| Self {
                name: name.to_owned(),
                uid,
                gid,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceUser;

    #[test]
    fn a_user_is_found_by_its_full_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:8::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let found = ServiceUser::named("postgres", passwd).expect("listed");
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(ServiceUser::named("nobody", passwd), None);
    }

    #[test]
    fn a_user_with_user_id_0_is_not_used() {
        assert_eq!(ServiceUser::named("postgres", "postgres:x:0:0::/:"), None);
    }
}
