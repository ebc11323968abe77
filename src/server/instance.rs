//! The data folder: made if missing, held by one process at a time, with the node's name in it.

use rand::Rng;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// A data folder that this process holds. Dropping it lets go; so does the end of the process, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// Folders that were missing, the innermost first.
    made: Vec<PathBuf>,
    _lock: File,
}

/// Why a data folder cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process holds it.
    #[error("the data folder {} is in use by process {holder}; stop that one, or start with another --data DIR", .path.display())]
    InUse {
        /// Which folder.
        path: PathBuf,
        /// The other process, as it wrote itself down.
        holder: String,
    },
    /// It cannot be made or written.
    #[error("cannot use the data folder {}: {why}; it must be a folder that this user may write, or start with another --data DIR", .path.display())]
    Unusable {
        /// Which folder.
        path: PathBuf,
        /// Why; told above, so not told again as its cause.
        why: io::Error,
    },
}

impl DataFolder {
    /// Makes the folder where it is missing (for this user alone) and takes its lock.
    pub fn hold(path: &Path) -> Result<Self, DataFolderError> {
        let unusable = |why| DataFolderError::Unusable { path: path.to_owned(), why };
        let missing = path.ancestors().take_while(|each| !each.as_os_str().is_empty() && !each.exists());
        let made = missing.map(Path::to_owned).collect();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(unusable(error.into()));
            }
            let mut holder = String::new();
            let _ = lock.take(32).read_to_string(&mut holder);
            let holder = if holder.trim().is_empty() { "?".into() } else { holder.trim().to_owned() };
            return Err(DataFolderError::InUse { path: path.to_owned(), holder });
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(unusable)?;
        writeln!(lock, "{}", std::process::id()).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), made, _lock: lock })
    }

    /// Lets go, and takes away what [`DataFolder::hold`] has made, as far as nothing else lies in it: for a start that came to
    /// nothing.
    pub fn give_back(self) {
        if self.made.is_empty() {
            return;
        }
        let emptied = fs::remove_file(self.path.join("lock"));
        let _ = emptied.and_then(|()| self.made.iter().try_for_each(fs::remove_dir));
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node's name: made once, and kept here, so that a node knows its own former work after a restart.
    pub fn node_id(&self) -> Result<String, DataFolderError> {
        let file = self.path.join("node-id");
        let unusable = |why| DataFolderError::Unusable { path: self.path.clone(), why };
        match fs::read_to_string(&file) {
            Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(error)),
            _ => {
                let id = format!("node-{:08x}", rand::rng().random::<u32>());
                fs::write(&file, format!("{id}\n")).map_err(unusable)?;
                Ok(id)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_holds_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = DataFolder::hold(folder.path()).expect("free");
        let refused = DataFolder::hold(folder.path()).expect_err("held");
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        drop(held);
        DataFolder::hold(folder.path()).expect("free again");
    }

    #[test]
    fn what_was_made_for_nothing_is_taken_away_and_nothing_else() {
        let home = tempfile::tempdir().expect("a folder");
        let (outer, inner) = (home.path().join("outer"), home.path().join("outer/inner"));
        DataFolder::hold(&inner).expect("free").give_back();
        assert!(!outer.exists() && home.path().exists());
        fs::create_dir(&outer).expect("made by somebody else");
        DataFolder::hold(&inner).expect("free").give_back();
        assert!(!inner.exists() && outer.exists());
        let used = DataFolder::hold(&inner).expect("free");
        used.node_id().expect("made");
        used.give_back();
        assert!(inner.join("node-id").exists());
        let lock = inner.join("lock");
        DataFolder::hold(&inner).expect("free").give_back();
        assert!(lock.exists(), "the folder was there before");
    }

    #[test]
    fn the_name_of_a_node_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = DataFolder::hold(folder.path()).expect("free");
        let id = held.node_id().expect("made");
        assert_eq!(held.node_id().expect("kept"), id);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let refused = DataFolder::hold(Path::new("/proc/nowhere")).expect_err("not a place for folders");
        let told = format!("{:#}", anyhow::Error::new(refused));
        assert!(told.contains("--data"), "{told}");
        assert_eq!(told.matches("os error").count(), 1, "told once: {told}");
    }
}
