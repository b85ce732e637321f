//! Helpers: scratch directories that the server's user can enter, `psql`, and a killable process with a private Postgres.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use embedded_postgres::{Options, PrivatePostgres};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const OWNER_DIRECTORY: &str = "EMBEDDED_POSTGRES_TEST_OWNER";

/// A test that waits longer fails.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// An empty directory that every user may enter, like `/var/lib`.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// Options without durability, which few tests need.
pub(crate) fn quick(directory: &Path) -> Options {
    Options::new(directory, "app").durable(false)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs the statement with `psql`; returns standard output or standard error.
pub(crate) fn try_sql(postgres: &PrivatePostgres, statement: &str) -> Result<String, String> {
    let mut psql = Command::new(postgres.programs().join("psql"));
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &postgres.url(), "-c", statement]);
    let output = psql.output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

pub(crate) fn sql(postgres: &PrivatePostgres, statement: &str) -> String {
    try_sql(postgres, statement).unwrap()
}

/// Repeats the statement until it succeeds.
pub(crate) fn sql_when_restarted(postgres: &PrivatePostgres, statement: &str) -> String {
    eventually("the server is restarted", || try_sql(postgres, statement).ok())
}

/// Waits until `probe` returns a value.
pub(crate) fn eventually<T>(condition: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + TIMEOUT;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < until, "timeout: {condition}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The process id of the server in this directory; `None` once it has shut down cleanly.
pub(crate) fn server_pid(directory: &Path) -> Option<Pid> {
    let text = fs::read_to_string(directory.join("data/postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.parse().ok()?)
}

pub(crate) fn kill_9(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

/// Runs the command as the owner of this file or folder.
pub(crate) fn as_owner_of(path: &Path, command: &mut Command) {
    let found = fs::metadata(path).unwrap();
    if found.uid() != rustix::process::geteuid().as_raw() {
        command.gid(found.gid()).uid(found.uid());
    }
}

/// Another process that owns the directory and runs its Postgres.
pub(crate) struct OwnerProcess {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl OwnerProcess {
    /// Starts the process; its Postgres is still starting.
    pub(crate) fn launch(directory: &Path) -> Self {
        Self::launch_by(directory, Command::new(env::current_exe().unwrap()))
    }

    /// Starts the process from a copy of this program or as another user.
    pub(crate) fn launch_by(directory: &Path, mut this_program: Command) -> Self {
        this_program.args(["--exact", "support::owner_process", "--ignored", "--nocapture"]);
        this_program
            .env(OWNER_DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = this_program.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Starts the process and waits until its Postgres runs.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut owner = Self::launch(directory);
        assert_eq!(owner.next_message(), "up");
        owner
    }

    /// The next message of the process; its error if the start failed.
    pub(crate) fn next_message(&mut self) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some((_, message)) = line.trim_end().split_once("owner: ") {
                return message.to_owned();
            }
            line.clear();
        }
        "end of output".to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process, but not its server, and waits for its end.
    pub(crate) fn kill_9(self) {
        drop(self);
    }

    /// Makes the process stop its server and end.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        assert_eq!(self.next_message(), "stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

/// Also ends the process if the test fails.
impl Drop for OwnerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A copy of this program that every user can run.
pub(crate) fn copy_for_all_users(folder: &Path) -> PathBuf {
    let copy = folder.join("tests");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    copy
}

#[test]
#[ignore = "not a test: the process that other tests start and kill"]
fn owner_process() {
    let Some(directory) = env::var_os(OWNER_DIRECTORY) else {
        return;
    };
    match PrivatePostgres::start(&Options::new(PathBuf::from(directory), "app")) {
        Ok(postgres) => {
            println!("owner: up");
            let mut until_closed = String::new();
            std::io::stdin().read_line(&mut until_closed).unwrap();
            postgres.stop().unwrap();
            println!("owner: stopped");
        }
        Err(error) => println!("owner: {error:?}"),
    }
}
