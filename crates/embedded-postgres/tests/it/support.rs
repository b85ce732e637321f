//! What the tests share: a scratch directory that the server's user can reach, `psql`, and a process of its own that
//! runs a private Postgres and can be killed.

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

const HOLDER_DIRECTORY: &str = "EMBEDDED_POSTGRES_TEST_HOLDER";

/// Nothing is awaited longer: a test that gets here fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// An empty directory that every user may pass through, as `/var/lib` is.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .unwrap()
}

/// The options of most tests: quick, since durability is the matter of a few only.
pub(crate) fn quick(directory: &Path) -> Options {
    Options::new(directory, "app").durable(false)
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What `psql` prints for this statement, or what it complains about.
pub(crate) fn try_sql(postgres: &PrivatePostgres, statement: &str) -> Result<String, String> {
    let mut psql = Command::new(postgres.programs().join("psql"));
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &postgres.url(), "-c", statement]);
    let answer = psql.output().unwrap();
    if answer.status.success() {
        Ok(String::from_utf8(answer.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&answer.stderr).into_owned())
    }
}

pub(crate) fn sql(postgres: &PrivatePostgres, statement: &str) -> String {
    try_sql(postgres, statement).unwrap()
}

/// Repeats the statement until the server answers it.
pub(crate) fn sql_when_back(postgres: &PrivatePostgres, statement: &str) -> String {
    eventually("the server is back", || try_sql(postgres, statement).ok())
}

/// Waits until `look` sees something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "waited in vain until {what}");
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

/// A command run by the owner of this file or folder.
pub(crate) fn as_owner_of(path: &Path, command: &mut Command) {
    let found = fs::metadata(path).unwrap();
    if found.uid() != rustix::process::geteuid().as_raw() {
        command.gid(found.gid()).uid(found.uid());
    }
}

/// Another process, with a private Postgres in `directory`.
pub(crate) struct Holder {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Holder {
    /// Starts the process; its Postgres is on its way.
    pub(crate) fn launch(directory: &Path) -> Self {
        Self::launch_by(directory, Command::new(env::current_exe().unwrap()))
    }

    /// The same from another copy of this program, or as another user.
    pub(crate) fn launch_by(directory: &Path, mut this_program: Command) -> Self {
        this_program.args(["--exact", "support::holder_process", "--ignored", "--nocapture"]);
        this_program
            .env(HOLDER_DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = this_program.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Starts the process and waits until its Postgres is up.
    pub(crate) fn start(directory: &Path) -> Self {
        let mut holder = Self::launch(directory);
        assert_eq!(holder.next_word(), "up");
        holder
    }

    /// The next thing the process has to say; its error when it could not start.
    pub(crate) fn next_word(&mut self) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some((_, word)) = line.trim_end().split_once("holder: ") {
                return word.to_owned();
            }
            line.clear();
        }
        "nothing more".to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process, not its server, and waits until the process is gone.
    pub(crate) fn kill_9(self) {
        drop(self);
    }

    /// Has the process stop its server and end.
    pub(crate) fn finish(mut self) {
        drop(self.child.stdin.take());
        assert_eq!(self.next_word(), "stopped");
        assert!(self.child.wait().unwrap().success());
    }
}

/// A test that fails leaves nothing running either.
impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A copy of this program that any user can run, wherever the original lies.
pub(crate) fn copy_for_everybody(folder: &Path) -> PathBuf {
    let copy = folder.join("tests");
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    copy
}

#[test]
#[ignore = "not a test, but the process that other tests start and kill"]
fn holder_process() {
    let Some(directory) = env::var_os(HOLDER_DIRECTORY) else {
        return;
    };
    match PrivatePostgres::start(&Options::new(PathBuf::from(directory), "app")) {
        Ok(postgres) => {
            println!("holder: up");
            let mut until_closed = String::new();
            std::io::stdin().read_line(&mut until_closed).unwrap();
            postgres.stop().unwrap();
            println!("holder: stopped");
        }
        Err(error) => println!("holder: {error:?}"),
    }
}
