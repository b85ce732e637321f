//! The processes of the contestants: started, watched in `/proc`, ended.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than a gateway takes to stop.
const PATIENCE: Duration = Duration::from_secs(45);

/// A process that we started. Dropped, it is told to end: killed, it would leave its own children behind.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    pub(crate) pid: i32,
}

impl Started {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot start {}", command_name(command)))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            child,
            pid: pid.context("a process without an id")?,
        })
    }

    /// SIGTERM, and its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate();
        timeout(PATIENCE, self.child.wait())
            .await
            .context("a process did not stop")??;
        Ok(())
    }

    fn terminate(&self) {
        // Its id is its own until it has been waited for.
        if self.child.id().is_some()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.terminate();
    }
}

fn command_name(command: &Command) -> String {
    command.as_std().get_program().to_string_lossy().into_owned()
}

/// Runs a program to its end; what it printed.
pub(crate) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command_name(command);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.with_context(|| format!("cannot start {name}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{name} failed: {}", errors.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// The CPU time of one process, or of it and its children, those that have ended included; in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    Alone(i32),
    WithChildren(i32),
}

impl Counted {
    pub(crate) fn cpu_seconds(self) -> anyhow::Result<f64> {
        let ticks = match self {
            Self::Alone(pid) => stat(pid)?.own,
            Self::WithChildren(pid) => {
                let parent = stat(pid)?;
                let children = processes()?.filter_map(|process| stat(process).ok());
                let theirs: u64 = children
                    .filter(|child| child.parent == pid)
                    .map(|child| child.own)
                    .sum();
                parent.own + parent.reaped + theirs
            }
        };
        let (ticks, in_a_second) = (
            u32::try_from(ticks)?,
            u32::try_from(rustix::param::clock_ticks_per_second())?,
        );
        Ok(f64::from(ticks) / f64::from(in_a_second))
    }
}

/// Of `/proc/PID/stat`.
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
    // The program's name may hold anything, parentheses too.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
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

/// The most memory that the process ever held, in MiB.
pub(crate) fn peak_rss_mib(pid: i32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u32 = peak
        .and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok())
        .context("no VmHWM in /proc/PID/status")?;
    Ok(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;

    #[test]
    fn cpu_times_are_read_whatever_the_program_is_called() {
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
    async fn a_process_that_is_dropped_can_end_its_children() {
        let mut shell = Command::new("sh");
        shell
            .args([
                "-c",
                "trap 'echo told; exit' TERM; echo ready; while :; do sleep 0.01; done",
            ])
            .stdout(Stdio::piped());
        let mut started = Started::start(&mut shell).unwrap();
        let mut lines = BufReader::new(started.child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        drop(started);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("told"));
    }

    #[test]
    fn this_process_has_used_cpu_and_memory() {
        let us = i32::try_from(std::process::id()).unwrap();
        assert!(Counted::WithChildren(us).cpu_seconds().unwrap() >= Counted::Alone(us).cpu_seconds().unwrap());
        assert!(peak_rss_mib(us).unwrap() > 0.5);
    }
}
