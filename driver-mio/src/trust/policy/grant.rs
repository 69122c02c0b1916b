//! What someone may do, where, and how much.

use std::{error, fmt, str::FromStr};

use gannet_protocol::{BadName, Escaped, Name};

use super::{BadRole, Role};
use crate::{
    trust::words::{self, BadWords, Value, Word},
    units::{UnitError, parse_size},
};

/// A role, and what narrows it: a directory, and how much may be in it.
///
/// Its text is that of a line of `authorized_clients` without the key: `write`, `drop dir=inbox max=10GB`.
///
/// ```
/// use gannet_driver_mio::trust::policy::{Grant, Role};
///
/// let grant: Grant = "drop dir=inbox max=10GB".parse()?;
/// assert_eq!(grant.role(), Role::Drop);
/// assert_eq!(grant.max(), Some(10_000_000_000));
/// # Ok::<(), gannet_driver_mio::trust::policy::BadGrant>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    role: Role,
    dir: Option<Name>,
    max: Option<u64>,
}

impl Grant {
    /// Everything, everywhere: what a user's own key may on that user's server.
    pub const OWNER: Self = Self { role: Role::Admin, dir: None, max: None };

    /// Puts the three together: `dir` is a directory below the root, `max` the most bytes that may be in it.
    ///
    /// # Errors
    /// [`BadGrant::MaxUnused`]
    pub fn new(role: Role, dir: Option<Name>, max: Option<u64>) -> Result<Self, BadGrant> {
        if max.is_some() && !role.can_put() {
            return Err(BadGrant::MaxUnused);
        }
        Ok(Self { role, dir, max })
    }

    /// The role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The directory that all names are below, if that is not the root.
    #[must_use]
    pub const fn dir(&self) -> Option<&Name> {
        self.dir.as_ref()
    }

    /// Most bytes that the files below the directory may have together for a put to be taken.
    #[must_use]
    pub const fn max(&self) -> Option<u64> {
        self.max
    }

    /// Whether what `other` may do is within the directory and the most bytes of this; of roles it says nothing.
    pub(crate) fn bounds(&self, other: &Self) -> bool {
        let within = |own: &Name, dir: &Name| {
            let rest = dir.as_bytes().strip_prefix(own.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let in_dir =
            self.dir.as_ref().is_none_or(|own| other.dir.as_ref().is_some_and(|d| within(own, d)));
        let in_max = self.max.is_none_or(|own| other.max.is_some_and(|max| max <= own));
        in_dir && (in_max || !other.role.can_put())
    }

    /// What is left of `asked` within this: below its directory, and no more than may be there.
    pub(super) fn narrowed(&self, asked: &Self) -> Result<Self, BadName> {
        let dir = match (&self.dir, &asked.dir) {
            (Some(own), Some(asked)) => Some(own.join(asked)?),
            (own, asked) => own.as_ref().or(asked.as_ref()).cloned(),
        };
        let max = self.max.into_iter().chain(asked.max).min().filter(|_| asked.role.can_put());
        Ok(Self { role: asked.role, dir, max })
    }

    /// Reads the words behind a key.
    pub(in crate::trust) fn from_words(words: &[Word<'_>]) -> Result<Self, BadGrant> {
        let (role, options) = words.split_first().ok_or(BadGrant::NoRole)?;
        let role = match role.value {
            None => role.name.parse().map_err(BadGrant::Role)?,
            Some(_) => return Err(BadGrant::NoRole),
        };
        let (mut dir, mut max) = (None, None);
        for option in options {
            let value =
                || option.value.as_deref().ok_or_else(|| BadGrant::NoValue(option.name.into()));
            let again = match option.name {
                "dir" => dir.replace(directory(value()?)?).is_some(),
                "max" => max.replace(size(value()?)?).is_some(),
                unknown => return Err(BadGrant::Option(unknown.into())),
            };
            if again {
                return Err(BadGrant::Twice(option.name.into()));
            }
        }
        Self::new(role, dir, max)
    }
}

/// A slash at the end, as shells complete it, is let pass.
fn directory(value: &[u8]) -> Result<Name, BadGrant> {
    let value = value.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(value);
    Name::parse(value).map_err(BadGrant::Dir)
}

fn size(value: &[u8]) -> Result<u64, BadGrant> {
    parse_size(&String::from_utf8_lossy(value)).map_err(BadGrant::Max)
}

impl FromStr for Grant {
    type Err = BadGrant;

    fn from_str(text: &str) -> Result<Self, BadGrant> {
        if text.contains('\n') {
            return Err(BadGrant::Words(BadWords::NotText));
        }
        Self::from_words(&words::split(text.as_bytes()).map_err(BadGrant::Words)?)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role)?;
        if let Some(dir) = &self.dir {
            write!(f, " dir={}", Value(dir.as_bytes()))?;
        }
        if let Some(max) = self.max {
            write!(f, " max={max}")?;
        }
        Ok(())
    }
}

/// Why words are not a [`Grant`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadGrant {
    /// They are not words.
    Words(BadWords),
    /// No role is first.
    NoRole,
    /// What is first is no role.
    Role(BadRole),
    /// An option that is not known.
    Option(String),
    /// An option without a value.
    NoValue(String),
    /// An option that was there already.
    Twice(String),
    /// The directory is not one below the root.
    Dir(BadName),
    /// The size is none.
    Max(UnitError),
    /// A size for a role that stores nothing.
    MaxUnused,
}

impl fmt::Display for BadGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(why) => why.fmt(f),
            Self::NoRole => write!(f, "a role is missing: read, drop, write or admin"),
            Self::Role(why) => why.fmt(f),
            Self::Option(name) => write!(
                f,
                "'{}' is not an option: dir=PATH or max=SIZE; a comment begins with '#'",
                Escaped(name.as_bytes())
            ),
            Self::NoValue(name) => write!(f, "{name} needs a value, as in {name}=..."),
            Self::Twice(name) => write!(f, "{name}= is there twice"),
            Self::Dir(why) => write!(f, "dir=: {why}"),
            Self::Max(why) => write!(f, "max=: {}", Escaped(why.to_string().as_bytes())),
            Self::MaxUnused => {
                write!(f, "max= means nothing for the role read, which stores nothing")
            }
        }
    }
}

impl error::Error for BadGrant {}
