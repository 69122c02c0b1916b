//! Directories of this machine that are moved with all that is in them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use gannet_protocol::{FileTime, Mode, Name, Status};

use crate::{
    files::{Durability, Found, Root, SourceFile, local_target},
    sys::files::path_of,
};

/// A held directory of this machine, for what is in it and below. No name leads out of it, neither by its components nor by
/// symbolic links, whenever they are put there.
///
/// Every call blocks on the disk.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Arc<Root>,
    path: PathBuf,
}

/// Something in a directory of a [`Tree`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalEntry {
    /// Its name: one component, as the system has it.
    pub name: OsString,
    /// What it is.
    pub kind: LocalKind,
}

/// What a [`LocalEntry`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalKind {
    /// A regular file of so many bytes.
    File(u64),
    /// A directory with these permission bits.
    Directory(Mode),
    /// A symbolic link, wherever it leads.
    Link,
    /// A fifo, socket or device.
    Other,
}

impl Tree {
    /// Holds the directory `path`, following symbolic links as users expect. An empty path is that of the current directory.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn open(path: &Path) -> Result<Self, Status> {
        let at = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self { root: Arc::new(Root::open_local(at)?), path: path.to_owned() })
    }

    /// Where it is, as it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its permission bits.
    ///
    /// # Errors
    /// The system's.
    pub fn mode(&self) -> Result<Mode, Status> {
        self.root.mode()
    }

    /// The path of what is below it, for messages.
    #[must_use]
    pub fn path_of(&self, below: Option<&Name>) -> PathBuf {
        match below {
            Some(name) => self.path.join(path_of(name.as_bytes())),
            None => self.path.clone(),
        }
    }

    /// What is in the directory itself or one `below` it, without our own partial files; in no particular order.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn list(&self, below: Option<&Name>) -> Result<Vec<LocalEntry>, Status> {
        self.root.below(below)?.entries()
    }

    /// Makes directories in it, or in one `below` it, each with permission bits and those by which its owner can use it, less
    /// what the umask takes away. One that is there is taken, unless it is a symbolic link. They last through a power failure if
    /// `sync` says so.
    ///
    /// # Errors
    /// If none of them can be made. Of each, in their order: [`Status::NotDirectory`] if something else has its name; others of
    /// the system's.
    pub fn make(
        &self,
        below: Option<&Name>,
        directories: &[(Name, Mode)],
        sync: bool,
    ) -> Result<Vec<Result<(), Status>>, Status> {
        self.root.below(below)?.make_directories(directories, Durability::of(sync))
    }

    /// Gives it, or a directory `below` it, its permission bits, less what the umask takes away, and its time of modification,
    /// once nothing is put into it any more.
    ///
    /// # Errors
    /// [`Status::NotFound`], [`Status::NotDirectory`], [`Status::Denied`]; others of the system's.
    pub fn settle(
        &self,
        below: Option<&Name>,
        mode: Mode,
        modified: Option<FileTime>,
    ) -> Result<(), Status> {
        self.root.below(below)?.settle_directory(mode, modified)
    }
}

/// A file of this machine.
#[derive(Clone, Debug)]
pub(super) enum Spot {
    /// Where the user says, through symbolic links.
    At(PathBuf),
    /// In a directory that it does not lead out of.
    In(Tree, Name),
}

impl Spot {
    /// What stands for it in messages.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::At(path) => path.clone(),
            Self::In(tree, name) => tree.path_of(Some(name)),
        }
    }

    /// Opens it to be sent. Blocks on the disk.
    pub(super) fn open(&self) -> Result<SourceFile, Status> {
        match self {
            Self::At(path) => SourceFile::open_local(path),
            Self::In(tree, name) => tree.root.open_source(name),
        }
    }

    /// The directory that it is to be stored in, and its name there. Blocks on the disk.
    pub(super) fn target(&self) -> Result<(Root, Name), Status> {
        let (tree, name) = match self {
            Self::At(path) => return local_target(path),
            Self::In(tree, name) => (tree, name),
        };
        let (root, leaf) = (tree.root.below(name.parent().as_ref())?, name.leaf());
        match root.look_at(&leaf)? {
            Found::Directory => Err(Status::IsDirectory),
            Found::Other => Err(Status::NotRegular),
            Found::File | Found::Link | Found::Nothing => Ok((root, leaf)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, thread};

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text.as_bytes()).unwrap()
    }

    fn mode(bits: u32) -> Mode {
        Mode::from_bits(bits)
    }

    #[test]
    fn what_is_in_a_directory_is_told_as_itself() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "12345").unwrap();
        fs::write(dir.path().join(".gannet-00.part"), "ours").unwrap();
        fs::create_dir_all(dir.path().join("sub/inner")).unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let list = |below: Option<&Name>| {
            let mut found = tree.list(below).unwrap();
            found.sort_by(|a, b| a.name.cmp(&b.name));
            found.into_iter().map(|entry| (entry.name.into_string().unwrap(), entry.kind))
        };
        let found: Vec<_> = list(None).collect();
        assert_eq!(found[0], ("file".into(), LocalKind::File(5)));
        assert_eq!(found[1], ("link".into(), LocalKind::Link));
        assert!(matches!(&found[2], (sub, LocalKind::Directory(_)) if sub == "sub"));
        assert_eq!(found.len(), 3);
        assert_eq!(list(Some(&name("sub"))).count(), 1);
        assert_eq!(tree.list(Some(&name("file"))), Err(Status::NotDirectory));
        assert_eq!(tree.list(Some(&name("none"))), Err(Status::NotFound));
    }

    #[test]
    fn directories_are_made_or_taken_and_settled() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        symlink(".", dir.path().join("link")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let wanted = ["new", "file", "link"].map(|text| (name(text), mode(0o500)));
        for _ in 0..2 {
            let made = tree.make(None, &wanted, true).unwrap();
            assert_eq!(made, [Ok(()), Err(Status::NotDirectory), Err(Status::NotDirectory)]);
        }
        let look = || fs::metadata(dir.path().join("new")).unwrap();
        let bits = |metadata: fs::Metadata| {
            std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
        };
        assert_eq!(bits(look()), 0o700, "its owner can use it");
        let time = FileTime::new(1_000_000_000, 5);
        tree.settle(Some(&name("new")), mode(0o500), Some(time)).unwrap();
        assert_eq!(bits(look()), 0o500);
        let since = look().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!((since.as_secs(), since.subsec_nanos()), (1_000_000_000, 5));
        assert_eq!(tree.make(None, &wanted[..1], false), Ok(vec![Ok(())]));
        assert_eq!(bits(look()), 0o700, "it can be gone on with");
    }

    /// `docs/hostile-input.md`, row 43.
    #[test]
    fn no_name_leads_out_of_a_tree() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(elsewhere.path(), dir.path().join("out")).unwrap();
        symlink(elsewhere.path().join("file"), dir.path().join("file")).unwrap();
        fs::write(elsewhere.path().join("file"), "secret").unwrap();
        let (tree, out) = (Tree::open(dir.path()).unwrap(), name("out"));
        assert_eq!(tree.list(Some(&out)), Err(Status::Denied));
        assert_eq!(tree.make(Some(&out), &[(name("new"), mode(0o755))], true), Err(Status::Denied));
        assert_eq!(tree.settle(Some(&out), mode(0o777), None), Err(Status::Denied));
        let inner = Spot::In(tree.clone(), name("out/file"));
        assert_eq!(inner.target().map(drop), Err(Status::Denied));
        assert_eq!(inner.open().map(drop), Err(Status::Denied));
        assert_eq!(Spot::In(tree.clone(), name("file")).open().map(drop), Err(Status::Denied));
        // It is replaced, and not followed.
        assert!(Spot::In(tree, name("file")).target().is_ok());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }

    /// `docs/hostile-input.md`, row 44.
    #[test]
    fn a_directory_of_a_tree_that_becomes_a_link_does_not_lead_out() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tree = Tree::open(dir.path()).unwrap();
        let (spot, outside) = (dir.path().join("spot"), elsewhere.path().to_owned());
        let swapping = thread::spawn(move || {
            for _ in 0..300 {
                let _ = fs::remove_dir_all(&spot);
                let _ = symlink(&outside, &spot);
                let _ = fs::remove_file(&spot);
                let _ = fs::create_dir(&spot);
            }
        });
        let new = [(name("new"), mode(0o755))];
        while !swapping.is_finished() {
            let _ = tree.make(None, &[(name("spot"), mode(0o755))], false);
            let _ = tree.make(Some(&name("spot")), &new, false);
            let _ = tree.settle(Some(&name("spot")), mode(0o700), None);
            if let Ok((root, leaf)) = Spot::In(tree.clone(), name("spot/file")).target() {
                let _ = root.make_directory(&leaf, None);
            }
        }
        swapping.join().unwrap();
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
