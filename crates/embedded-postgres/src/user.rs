//! As whom the server runs. Postgres refuses to run as root, so root hands it to a user without privileges; anybody
//! else runs it as themselves. Called by `directory` and `cluster`.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::Error;

/// A user of this machine that is not us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUser {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl ServiceUser {
    /// The user to run the server as; `None` when that is ourselves.
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

    /// Run this program as the user. `std` drops the supplementary groups as well.
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
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:8::/:\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        let found = ServiceUser::named("postgres", passwd).expect("listed");
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(ServiceUser::named("nobody", passwd), None);
    }

    #[test]
    fn a_second_name_of_root_is_no_user_without_privileges() {
        assert_eq!(ServiceUser::named("postgres", "postgres:x:0:0::/:"), None);
    }
}
