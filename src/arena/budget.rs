//! How much memory an arena may have.

/// How many bytes live blocks may occupy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u64);

/// What a machine is taken to have when it does not tell.
const UNKNOWN_MACHINE: u64 = 2 << 30;

impl Budget {
    /// Exactly so many bytes.
    pub fn bytes(bytes: u64) -> Budget {
        Budget(bytes)
    }

    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl Default for Budget {
    /// Half of the memory that the cgroup or, without a limit, the machine has.
    fn default() -> Budget {
        Budget(memory(|path| std::fs::read_to_string(path).ok()) / 2)
    }
}

/// The memory this process may have, by the files that `read` finds.
fn memory(read: impl Fn(&str) -> Option<String>) -> u64 {
    let machine = read("/proc/meminfo").and_then(|text| total_of(&text)).unwrap_or(UNKNOWN_MACHINE);
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    groups.lines().flat_map(limit_files).filter_map(|path| read(&path)?.trim().parse().ok()).fold(machine, u64::min)
}

/// `MemTotal:  24683928 kB`
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where the limits of a group stand, given its line `id:controllers:path`; a group is bound by those above it as well.
///
/// Within a container the path may be the one outside, of which only the root is visible here: files that do not exist do not bind.
fn limit_files(line: &str) -> Vec<String> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let roots: &[(&str, &str)] = match controllers {
        "" => &[("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/unified", "memory.max")],
        names if names.split(',').any(|name| name == "memory") => &[("/sys/fs/cgroup/memory", "memory.limit_in_bytes")],
        _ => &[],
    };
    let above = std::iter::successors(Some(path.trim_end_matches('/')), |path| path.rfind('/').map(|slash| &path[..slash]));
    above.flat_map(|group| roots.iter().map(move |(root, file)| format!("{root}{group}/{file}"))).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       24683928 kB\nMemFree:        23627000 kB\n";
    const MACHINE: u64 = 24683928 * 1024;

    fn with(files: &[(&str, &str)]) -> u64 {
        memory(|path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.to_string()))
    }

    #[test]
    fn without_limits_the_machine_counts() {
        assert_eq!(with(&[("/proc/meminfo", MEMINFO)]), MACHINE);
        assert_eq!(with(&[]), UNKNOWN_MACHINE);
        let garbage = [("/proc/meminfo", "MemTotal: lots"), ("/proc/self/cgroup", "nonsense\n0:\n:::"), ("/sys/fs/cgroup/memory.max", "?")];
        assert_eq!(with(&garbage), UNKNOWN_MACHINE);
    }

    #[test]
    fn the_tightest_group_above_counts_in_version_2() {
        let files = [
            ("/proc/meminfo", MEMINFO),
            ("/proc/self/cgroup", "0::/user.slice/job\n"),
            ("/sys/fs/cgroup/user.slice/job/memory.max", "max\n"),
            ("/sys/fs/cgroup/user.slice/memory.max", "1073741824\n"),
        ];
        assert_eq!(with(&files), 1 << 30);
    }

    #[test]
    fn version_1_and_containers_are_understood() {
        let files = [
            ("/proc/meminfo", MEMINFO),
            ("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"),
        ];
        assert_eq!(with(&files), 2 << 30);
        let unlimited = [files[0], files[1], ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(with(&unlimited), MACHINE);
    }
}
