//! The local directory that relative paths start from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The process's current directory, until the menu's `lcd` says another.
///
/// `lcd` changes what relative paths of the menu mean and nothing else: the process stays where it was started.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalDirectory(Option<PathBuf>);

impl LocalDirectory {
    /// Where `path` leads from here: unchanged until `lcd`, so that messages name what the user wrote.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        match &self.0 {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }

    /// Goes to another directory.
    ///
    /// # Errors
    /// It cannot be found, entered, or is none.
    pub(crate) fn change(&mut self, to: &Path) -> io::Result<()> {
        let directory = fs::canonicalize(self.resolve(to))?;
        // Only a directory that can be opened is worth being in.
        fs::read_dir(&directory)?;
        self.0 = Some(directory);
        Ok(())
    }

    /// Its absolute path.
    ///
    /// # Errors
    /// The process's directory is gone.
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        self.0.clone().map_or_else(std::env::current_dir, Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_changes_what_relative_paths_mean_and_not_the_process() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        let before = std::env::current_dir().unwrap();

        let mut here = LocalDirectory::default();
        assert_eq!(here.resolve(Path::new("a")), Path::new("a"));
        here.change(root.path()).unwrap();
        here.change(Path::new("sub")).unwrap();
        let sub = root.path().canonicalize().unwrap().join("sub");
        assert_eq!(here.resolve(Path::new("a")), sub.join("a"));
        assert_eq!(here.resolve(Path::new("/a")), Path::new("/a"));
        here.change(Path::new("..")).unwrap();
        assert_eq!(here.path().unwrap(), root.path().canonicalize().unwrap());
        assert_eq!(std::env::current_dir().unwrap(), before);
    }

    #[test]
    fn a_place_that_is_no_directory_leaves_it_where_it_was() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let mut here = LocalDirectory::default();
        here.change(root.path()).unwrap();
        let before = here.path().unwrap();
        assert!(here.change(Path::new("file")).is_err());
        assert!(here.change(Path::new("missing")).is_err());
        assert_eq!(here.path().unwrap(), before);
    }
}
