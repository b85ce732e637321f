//! Repeats tests as an unprivileged user, which takes other paths through most of the code.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{copy_for_all_users, is_root, scratch};

const NOBODY: u32 = 65_534;

#[test]
fn starts_and_crashes_work_for_an_ordinary_user() {
    if !is_root() {
        eprintln!("SKIPPED: only root can run tests as another user");
        return;
    }
    let scratch = scratch();
    let mut as_nobody = Command::new(copy_for_all_users(scratch.path()));
    as_nobody.args(["crash::", "start::", "--test-threads", "2"]);
    as_nobody.uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null());

    let output = as_nobody.output().unwrap();

    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "as nobody:\n{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        stdout.contains("crash::a_killed_server_is_restarted_with_every_committed_row ... ok"),
        "{stdout}"
    );
}
