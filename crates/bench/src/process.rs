//! Child processes: start, stop, CPU time and memory from `/proc`.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than a gateway takes to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);

/// Sends SIGTERM on drop: SIGKILL would leave the children of the process running.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    pub(crate) child: Child,
    pub(crate) pid: i32,
}

impl ChildProcess {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot start {}", command_name(command)))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            child,
            pid: pid.context("the process has no id")?,
        })
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate();
        timeout(STOP_TIMEOUT, self.child.wait())
            .await
            .context("a process did not stop")??;
        Ok(())
    }

    fn terminate(&self) {
        // The id cannot be reused before `wait` has returned.
        if self.child.id().is_some()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // The process may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.terminate();
    }
}

fn command_name(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

/// Runs a program to its end and returns its standard output.
pub(crate) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command_name(command);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("cannot start {name}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{name} failed: {}", errors.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// Processes whose CPU time is summed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CpuSource {
    Process(i32),
    /// Includes children that have ended.
    WithChildren(i32),
}

impl CpuSource {
    /// User and system time, in seconds.
    pub(crate) fn cpu_seconds(self) -> anyhow::Result<f64> {
        let ticks = match self {
            Self::Process(pid) => stat(pid)?.own,
            Self::WithChildren(pid) => {
                let parent = stat(pid)?;
                let children = processes()?.filter_map(|process| stat(process).ok());
                let running: u64 = children
                    .filter(|child| child.parent == pid)
                    .map(|child| child.own)
                    .sum();
                parent.own + parent.reaped + running
            }
        };
        let (ticks, per_second) = (
            u32::try_from(ticks)?,
            u32::try_from(rustix::param::clock_ticks_per_second())?,
        );
        Ok(f64::from(ticks) / f64::from(per_second))
    }
}

/// Fields of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// In clock ticks, user and system.
    own: u64,
    /// Of children that have ended.
    reaped: u64,
}

fn stat(pid: i32) -> anyhow::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).context("unreadable /proc/PID/stat")
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name of the program may contain any character, including parentheses.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

fn processes() -> anyhow::Result<impl Iterator<Item = i32>> {
    let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()))
}

/// Peak resident memory, in MiB.
pub(crate) fn peak_rss_mib(pid: i32) -> anyhow::Result<f64> {
    memory_mib(pid, "VmHWM")
}

/// Resident memory now, in MiB.
pub(crate) fn rss_mib(pid: i32) -> anyhow::Result<f64> {
    memory_mib(pid, "VmRSS")
}

fn memory_mib(pid: i32, name: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let named = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib: u32 = named
        .and_then(|size| size.trim().strip_suffix(" kB")?.parse().ok())
        .with_context(|| format!("no {name} in /proc/PID/status"))?;
    Ok(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    #[test]
    fn cpu_times_are_read_for_any_program_name() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194304 100 200 0 0 11 22 33 44 20 0 1 0 100 1000 10";
        let expected = Stat {
            parent: 7,
            own: 33,
            reaped: 77,
        };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat("42 (short) S"), None);
    }

    #[tokio::test]
    async fn a_dropped_process_receives_sigterm() {
        let mut shell = Command::new("sh");
        shell
            .args([
                "-c",
                "trap 'echo terminated; exit' TERM; echo ready; while :; do sleep 0.01; done",
            ])
            .stdout(Stdio::piped());
        let mut process = ChildProcess::start(&mut shell).unwrap();
        let mut lines = BufReader::new(process.child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        drop(process);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("terminated"));
    }

    #[test]
    fn cpu_time_and_memory_of_this_process_are_read() {
        let own_pid = i32::try_from(std::process::id()).unwrap();
        // In this order, because the CPU time grows between the two calls.
        let process = CpuSource::Process(own_pid).cpu_seconds().unwrap();
        assert!(CpuSource::WithChildren(own_pid).cpu_seconds().unwrap() >= process);
        assert!(peak_rss_mib(own_pid).unwrap() > 0.5);
    }
}
