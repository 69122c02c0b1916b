//! Where files land: what `--to`, LOCAL and REMOTE mean.
//!
//! Such a path is a directory if it exists as one or ends in `/`, else the new name, which several files cannot share.
//! What the server has only it can tell, so there the question travels in a [`Destination`].

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use gannet_protocol::{Destination, Name, Status};

use crate::{
    directory::LocalDirectory,
    errors::{Action, Conflict, Error},
    names,
};

/// Stands for standard input or output.
pub(crate) const STREAM: &str = "-";
/// What standard input is called in a directory of the server.
const STDIN_LEAF: &str = "stdin";

/// A file that one verb moves: what it is called, or why it cannot be moved.
type Each<T> = Vec<Result<T, Error>>;

/// Where each of the server's files `texts` comes to lie on this machine.
///
/// # Errors
/// All of it is a contradiction, or `to` cannot be a place.
pub(crate) fn of_gets(
    texts: &[OsString],
    to: Option<&Path>,
    here: &LocalDirectory,
) -> Result<Each<(Name, PathBuf)>, Error> {
    let place = local_place(texts, to, here)?;
    let names: Each<Name> = texts
        .iter()
        .map(|text| {
            names::remote(text).map_err(|error| Error::BadName {
                action: Action::Get(text.clone()),
                name: text.clone(),
                error,
            })
        })
        .collect();
    refuse_collisions(texts, &names, Name::leaf)?;
    let landing = |name: Name| match &place {
        Place::Directory(directory) => (name.clone(), directory.join(names::local(&name.leaf()))),
        Place::File(path) => (name, path.clone()),
    };
    Ok(names.into_iter().map(|name| name.map(landing)).collect())
}

/// Where each of the local `files` comes to lie at the server.
///
/// # Errors
/// All of it is a contradiction, or `to` cannot be a name.
pub(crate) fn of_puts(
    files: &[PathBuf],
    to: Option<&OsStr>,
    here: &LocalDirectory,
) -> Result<Each<(PathBuf, Destination)>, Error> {
    let (path, into_directory) = remote_place(files, to)?;
    let leaves: Each<Name> = files.iter().map(|file| leaf_of(file)).collect();
    let texts: Vec<_> = files.iter().map(|file| file.clone().into_os_string()).collect();
    refuse_collisions(&texts, &leaves, Name::clone)?;
    let landing = |(leaf, file): (Result<Name, Error>, &PathBuf)| {
        let path = path.clone();
        leaf.map(|leaf| (here.resolve(file), Destination { path, leaf, into_directory }))
    };
    Ok(leaves.into_iter().zip(files).map(landing).collect())
}

/// A place on this machine.
enum Place {
    Directory(PathBuf),
    File(PathBuf),
}

fn local_place(
    texts: &[OsString],
    to: Option<&Path>,
    here: &LocalDirectory,
) -> Result<Place, Error> {
    let Some(to) = to else {
        return Ok(Place::Directory(here.resolve(Path::new(""))));
    };
    let path = here.resolve(to);
    if path.is_dir() {
        return Ok(Place::Directory(path));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let first = texts.first().cloned().unwrap_or_default();
    let missing = |directory: &Path, path: &Path| Error::Local {
        action: Action::Get(first.clone()),
        path: path.into(),
        status: if directory.exists() { Status::NotDirectory } else { Status::NotFound },
    };
    match texts {
        [_, _, ..] => Err(Error::Conflict(Conflict::NotDirectory(to.into()))),
        _ if names::ends_in_slash(to.as_os_str()) => {
            let leaf = Path::new(&first).file_name().unwrap_or_default();
            Err(missing(&path, &path.join(leaf)))
        }
        _ if !parent.is_dir() => Err(missing(parent, &path)),
        _ => Ok(Place::File(path)),
    }
}

/// The path of a [`Destination`], and whether it has to be a directory.
fn remote_place(files: &[PathBuf], to: Option<&OsStr>) -> Result<(Option<Name>, bool), Error> {
    let Some(to) = to else {
        return Ok((None, true));
    };
    let path = names::remote_directory(to).map_err(|error| Error::BadName {
        action: Action::Put(files.first().cloned().unwrap_or_default()),
        name: to.into(),
        error,
    })?;
    let into_directory = path.is_none() || files.len() > 1 || names::ends_in_slash(to);
    Ok((path, into_directory))
}

/// The name that a local file has at the server if no other is given.
fn leaf_of(file: &Path) -> Result<Name, Error> {
    let action = || Action::Put(file.into());
    let file = if file == Path::new(STREAM) { Path::new(STDIN_LEAF) } else { file };
    match file.file_name() {
        // The root, or a path that ends in '..'.
        None => {
            Err(Error::Local { action: action(), path: file.into(), status: Status::IsDirectory })
        }
        Some(leaf) => names::remote(leaf).map_err(|error| Error::BadName {
            action: action(),
            name: leaf.into(),
            error,
        }),
    }
}

fn refuse_collisions(
    texts: &[OsString],
    names: &Each<Name>,
    lands_on: impl Fn(&Name) -> Name,
) -> Result<(), Error> {
    let mut seen: HashMap<Name, &OsString> = HashMap::new();
    for (text, name) in texts.iter().zip(names) {
        let Ok(name) = name else { continue };
        if let Some(&first) = seen.get(&lands_on(name)) {
            let (first, second) = (first.clone(), text.clone());
            return Err(Error::Conflict(Conflict::SameName { first, second }));
        }
        seen.insert(lands_on(name), text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::outcome::Outcome;

    fn texts(names: &[&str]) -> Vec<OsString> {
        names.iter().map(OsString::from).collect()
    }

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    fn here(root: &tempfile::TempDir) -> LocalDirectory {
        let mut here = LocalDirectory::default();
        here.change(root.path()).unwrap();
        here
    }

    fn landings(each: Each<(Name, PathBuf)>) -> Vec<PathBuf> {
        each.into_iter().map(|landing| landing.unwrap().1).collect()
    }

    #[test]
    fn a_get_lands_in_the_current_directory_under_its_last_component() {
        let here = LocalDirectory::default();
        let each = of_gets(&texts(&["a/b.iso", "c"]), None, &here).unwrap();
        assert_eq!(landings(each), paths(&["b.iso", "c"]));
    }

    #[test]
    fn a_path_is_a_directory_if_it_is_one_or_ends_in_a_slash() {
        let root = tempfile::tempdir().unwrap();
        let here = here(&root);
        let (top, sub) = (here.path().unwrap(), here.path().unwrap().join("sub"));
        fs::create_dir(&sub).unwrap();
        let get = |to: &str| of_gets(&texts(&["a/b"]), Some(Path::new(to)), &here).map(landings);

        assert_eq!(get("sub").unwrap(), [sub.join("b")]);
        assert_eq!(get("sub/").unwrap(), [sub.join("b")]);
        assert_eq!(get("new").unwrap(), [top.join("new")]);
        assert_eq!(get("sub/new").unwrap(), [sub.join("new")]);
        for missing in ["new/", "missing/new"] {
            assert_eq!(get(missing).unwrap_err().outcome(), Outcome::Failed, "{missing}");
        }
    }

    #[test]
    fn several_files_need_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let here = here(&root);
        fs::write(root.path().join("file"), "").unwrap();
        for to in ["file", "new", "new/"] {
            let error = of_gets(&texts(&["a", "b"]), Some(Path::new(to)), &here).unwrap_err();
            assert_eq!(error.outcome(), Outcome::Usage, "{to}");
        }
        let each = of_puts(&paths(&["a", "b"]), Some(OsStr::new("d")), &here).unwrap();
        assert!(each.iter().all(|landing| landing.as_ref().unwrap().1.into_directory));
    }

    #[test]
    fn two_arguments_that_land_on_one_name_are_a_usage_error() {
        let here = LocalDirectory::default();
        let error = of_gets(&texts(&["a/x", "y", "b/x"]), None, &here).unwrap_err();
        assert_eq!(error.outcome(), Outcome::Usage);
        assert!(error.to_string().contains("a/x and b/x"), "{error}");
        let error = of_puts(&paths(&["/tmp/x", "x"]), None, &here).unwrap_err();
        assert_eq!(error.outcome(), Outcome::Usage);
        let error = of_puts(&paths(&["x", "x"]), None, &here).unwrap_err();
        assert_eq!(error.outcome(), Outcome::Usage);
    }

    #[test]
    fn a_put_lands_in_the_root_under_its_last_component() {
        let here = LocalDirectory::default();
        let each = of_puts(&paths(&["x/y.iso"]), None, &here).unwrap();
        let (file, to) = each.into_iter().next().unwrap().unwrap();
        assert_eq!(file, Path::new("x/y.iso"));
        let leaf = Name::parse(b"y.iso").unwrap();
        assert_eq!(to, Destination { path: None, leaf, into_directory: true });
    }

    #[test]
    fn what_remote_means_is_left_to_the_server_unless_it_ends_in_a_slash() {
        let here = LocalDirectory::default();
        let put = |to: &str| {
            let each = of_puts(&paths(&["y"]), Some(OsStr::new(to)), &here)?;
            each.into_iter().next().unwrap().map(|(_, to)| (to.path, to.into_directory))
        };
        let name = |text: &str| Some(Name::parse(text.as_bytes()).unwrap());
        assert_eq!(put("d").unwrap(), (name("d"), false));
        assert_eq!(put("d/").unwrap(), (name("d"), true));
        assert_eq!(put(".").unwrap(), (None, true));
        assert_eq!(put("../d").unwrap_err().outcome(), Outcome::Failed);
    }

    #[test]
    fn a_bad_name_fails_alone() {
        let here = LocalDirectory::default();
        let each = of_gets(&texts(&["../a", "b", "/a"]), None, &here).unwrap();
        let fine: Vec<_> = each.iter().map(Result::is_ok).collect();
        assert_eq!(fine, [false, true, false]);
        let each = of_puts(&paths(&["..", "b", "/"]), None, &here).unwrap();
        let fine: Vec<_> = each.iter().map(Result::is_ok).collect();
        assert_eq!(fine, [false, true, false]);
    }
}
