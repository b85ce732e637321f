//! Description of the machine that ran the benchmark.

use std::fs;
use std::path::Path;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    /// Of the folder of the databases.
    filesystem: String,
    pub(crate) postgres: String,
    pub(crate) nginx: Option<String>,
    /// Over the minute before the run.
    load_average: String,
}

impl Machine {
    pub(crate) fn inspect(scratch: &Path) -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        Self {
            processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: value(&read("/proc/meminfo"), "MemTotal")
                .and_then(|total| total.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib.div_ceil(1024 * 1024)),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem(&read("/proc/self/mounts"), scratch).unwrap_or_default(),
            postgres: String::new(),
            nginx: None,
            load_average: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// The value of the first line `name : value`.
fn value(text: &str, name: &str) -> Option<String> {
    let named = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = named.filter(|(key, _)| key.trim() == name);
    found.next().map(|(_, value)| value.trim().to_owned())
}

/// Type and device of the mount that contains `folder`.
fn filesystem(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    let nearest = mounts.max_by_key(|fields| fields[1].len())?;
    Some(format!("{} on {}", nearest[2], nearest[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filesystem_is_that_of_the_innermost_mount() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmpfiles xfs rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/tmp/bench")).unwrap(), "tmpfs on tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/var/lib")).unwrap(), "ext4 on /dev/vda");
    }

    #[test]
    fn a_value_is_found_by_its_name() {
        let text = "processor\t: 0\nmodel name\t: A B\nmodel name\t: C\n";
        assert_eq!(value(text, "model name").unwrap(), "A B");
        assert_eq!(value(text, "flags"), None);
    }
}
