//! Between what users type, what file systems hold and what travels: names as text, as paths and as [`Name`]s.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

use gannet_protocol::{BadName, Escaped, Name};

/// A local path or a name as the user wrote it, made harmless for a terminal when displayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a>(pub(crate) &'a OsStr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.0.as_encoded_bytes()).fmt(f)
    }
}

impl<'a> From<&'a Path> for Shown<'a> {
    fn from(path: &'a Path) -> Self {
        Self(path.as_os_str())
    }
}

/// Reads a name of a file at the server.
pub(crate) fn remote(text: &OsStr) -> Result<Name, BadName> {
    Name::parse(text.as_encoded_bytes())
}

/// Reads a name of a directory at the server, with or without slashes at its end; `.` is all that is shared, which has
/// no name.
pub(crate) fn remote_directory(text: &OsStr) -> Result<Option<Name>, BadName> {
    match without_slashes(text.as_encoded_bytes()) {
        b"." => Ok(None),
        b"" if !text.is_empty() => Err(BadName::Absolute),
        bytes => Name::parse(bytes).map(Some),
    }
}

/// Whether a path ends in a slash, and so can only be a directory.
pub(crate) fn ends_in_slash(text: &OsStr) -> bool {
    text.as_encoded_bytes().last() == Some(&b'/')
}

/// Reads a name at the server that may be a directory's, with or without slashes at its end.
pub(crate) fn remote_path(text: &OsStr) -> Result<Name, BadName> {
    match without_slashes(text.as_encoded_bytes()) {
        b"" if !text.is_empty() => Err(BadName::Absolute),
        bytes => Name::parse(bytes),
    }
}

fn without_slashes(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b'/'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A name as a path on this machine.
pub(crate) fn local(name: &Name) -> PathBuf {
    os_string(name.as_bytes().to_vec()).into()
}

/// Bytes of a name or of a line as text of the system's.
#[cfg(unix)]
pub(crate) fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// Bytes of a name or of a line as text of the system's, which holds nothing but Unicode.
#[cfg(not(unix))]
pub(crate) fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_may_end_in_slashes_and_a_dot_is_the_root() {
        let directory = |text: &str| remote_directory(OsStr::new(text));
        assert_eq!(directory("takes/"), Ok(Some(Name::parse(b"takes").unwrap())));
        assert_eq!(directory("a/b//"), Ok(Some(Name::parse(b"a/b").unwrap())));
        assert_eq!(directory("."), Ok(None));
        assert_eq!(directory("./"), Ok(None));
        assert_eq!(directory("/"), Err(BadName::Absolute));
        assert_eq!(directory(""), Err(BadName::Empty));
        assert_eq!(directory("../"), Err(BadName::DotComponent));
    }

    #[test]
    fn all_that_is_shared_has_no_name() {
        let path = |text: &str| remote_path(OsStr::new(text));
        assert_eq!(path("a/b//"), Ok(Name::parse(b"a/b").unwrap()));
        assert_eq!(path("./"), Err(BadName::DotComponent));
        assert_eq!(path("//"), Err(BadName::Absolute));
        assert_eq!(path(""), Err(BadName::Empty));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_pass_unchanged() {
        let text = os_string(b"caf\xe9".to_vec());
        assert_eq!(local(&remote(&text).unwrap()), Path::new(&text));
        assert_eq!(Shown(&text).to_string(), r"caf\xe9");
    }
}
