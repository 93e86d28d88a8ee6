//! Lock files. The kernel lets go of them when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;

const POLL: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(180);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _open: File,
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::file("cannot open the lock file", path))
}

fn outcome(file: File, tried: Result<(), TryLockError>, path: &Path) -> Result<Option<Lock>, Error> {
    match tried {
        Ok(()) => Ok(Some(Lock { _open: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(Error::file("cannot lock", path)(source)),
    }
}

impl Lock {
    /// The lock for oneself; none when somebody has it.
    pub fn try_alone(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        let tried = file.try_lock();
        outcome(file, tried, path)
    }

    /// The lock beside others who share it; none when somebody has it alone.
    pub fn try_shared(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        let tried = file.try_lock_shared();
        outcome(file, tried, path)
    }

    /// The lock for oneself, as soon as it is free.
    pub async fn alone(path: &Path, data_dir: &Path) -> Result<Self, Error> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(lock) = Self::try_alone(path)? {
                return Ok(lock);
            }
            if waited >= LONGEST_WAIT {
                return Err(Error::Busy {
                    data_dir: PathBuf::from(data_dir),
                });
            }
            tokio::time::sleep(POLL).await;
            waited = waited.saturating_add(POLL);
        }
    }
}
