//! Settings of the embedded server. They are given on its command line at each start, so that a newer program brings
//! newer settings, and nobody's edits of `postgresql.conf` are lost: what we do not set is taken from there.

/// What the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Whether what is committed survives a power cut. Off only for throw-away clusters of tests.
    pub durable: bool,
    /// Memory of the machine, in MiB; none when unknown.
    pub memory_mib: Option<u64>,
}

impl Tuning {
    /// Memory of this machine, in MiB, where it can be told without asking a foreign program.
    pub fn memory_of_machine() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kib / 1024)
    }

    /// `name=value` for each setting.
    pub fn settings(self) -> Vec<String> {
        let memory = self.memory_mib.unwrap_or(1024);
        let shared = if self.durable {
            (memory / 8).clamp(64, 1024)
        } else {
            64
        };
        let mut all = vec![
            "listen_addresses=".to_owned(),
            "unix_socket_permissions=0700".to_owned(),
            "max_connections=200".to_owned(),
            format!("shared_buffers={shared}MB"),
            format!("effective_cache_size={}MB", (memory / 2).max(128)),
            "work_mem=16MB".to_owned(),
            "maintenance_work_mem=128MB".to_owned(),
            // Our tables are read by key: reading a page at random costs about as much as in order on any solid disk.
            "random_page_cost=1.1".to_owned(),
            // No query of ours is long enough to be worth compiling.
            "jit=off".to_owned(),
            "max_wal_size=2GB".to_owned(),
            "wal_compression=on".to_owned(),
            "wal_level=minimal".to_owned(),
            "max_wal_senders=0".to_owned(),
            "autovacuum_naptime=15s".to_owned(),
            "autovacuum_vacuum_scale_factor=0.05".to_owned(),
            "autovacuum_analyze_scale_factor=0.05".to_owned(),
            // The log must not show what people's records hold: no statements, no details of violated keys.
            "log_error_verbosity=terse".to_owned(),
            "log_min_error_statement=panic".to_owned(),
            "log_checkpoints=off".to_owned(),
            "log_timezone=UTC".to_owned(),
            "timezone=UTC".to_owned(),
        ];
        if !self.durable {
            all.extend(
                ["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(ToOwned::to_owned),
            );
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_survives_unless_it_is_thrown_away_anyway() {
        let real = Tuning {
            durable: true,
            memory_mib: Some(8192),
        };
        assert!(
            !real
                .settings()
                .iter()
                .any(|line| line.starts_with("fsync") || line.contains("commit=off"))
        );
        assert!(real.settings().contains(&"shared_buffers=1024MB".to_owned()));
        let test = Tuning {
            durable: false,
            ..real
        };
        assert!(test.settings().contains(&"fsync=off".to_owned()));
    }
}
