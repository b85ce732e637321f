//! What works as root has to work as a user without privileges, which is another way through most of the code.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{copy_for_everybody, is_root, scratch};

const NOBODY: u32 = 65_534;

#[test]
fn everything_works_for_an_ordinary_user_as_well() {
    if !is_root() {
        eprintln!("SKIPPED, already an ordinary user: only root can run the tests as somebody else");
        return;
    }
    let scratch = scratch();
    let mut as_nobody = Command::new(copy_for_everybody(scratch.path()));
    as_nobody.args(["crash::", "start::", "--test-threads", "2"]);
    as_nobody.uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null());

    let outcome = as_nobody.output().unwrap();

    let said = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        outcome.status.success(),
        "as nobody:\n{said}\n{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    assert!(
        said.contains("crash::a_server_killed_under_us_comes_back_with_every_committed_row ... ok"),
        "{said}"
    );
}
