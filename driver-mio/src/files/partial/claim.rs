//! What there is already of a file that will be received.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::{self, ErrorKind},
    sync::Arc,
};

use cap_std::fs::Dir;
use gannet_protocol::{BLOCK_LEN, BodyLen, Hash, Meta, Name, Status};

use super::{
    Base, JournalFile, Owner, Partial, Stem, Target,
    aside::{Aside, remove},
    journal_file,
};
use crate::{
    files::{
        SourceFile,
        status::{status_of, status_of_name},
    },
    journal::{Header, Journal},
    sys::files::{
        allocated, bytes_of, create_own, file_number, is_our_own, metadata, named_number, open_own,
        own_metadata_in, path_of, remove_file, same_file, set_len, sync_directory, try_lock,
    },
};

/// Times that a partial file may be taken away while we open it.
const MAX_RACES: u32 = 10;

/// The partial file of a target that an owner's earlier transfers left, or an empty one, and nobody else's as long as
/// this is held.
#[derive(Debug)]
pub(crate) struct Claim {
    aside: Aside,
    file: Arc<File>,
    owner: Owner,
    name: Name,
    /// Whether it was made by this, with no journal beside it.
    is_new: bool,
    /// What counts of its journal.
    found: Option<(File, Journal)>,
    /// Whether the sender has to be told what groups hash to, even if they are of the same state of the source.
    is_offered: bool,
}

/// Which partial files are wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// One that is there.
    Found,
    /// A new one where there is none.
    Any,
}

/// Whether so much would be sent again that it is worth being written down what is there.
pub(crate) const fn is_worth_keeping(len: BodyLen) -> bool {
    matches!(len, BodyLen::Known(len) if len > BLOCK_LEN)
}

impl Claim {
    /// Takes the place aside of `target`; nothing if someone else has it.
    ///
    /// # Errors
    /// The system's.
    pub(in crate::files) fn take(
        dir: Dir,
        target: Target,
        owner: Owner,
        which: Which,
    ) -> Result<Option<Self>, Status> {
        let Ok(name) = Name::parse(target.leaf()) else { return Ok(None) };
        let stem = owner.stem(target.leaf());
        let locked = lock(&dir, &stem, which).map_err(|error| status_of_name(&error))?;
        let Some((file, is_new)) = locked else { return Ok(None) };
        let found = if is_new { None } else { find(&dir, &stem, &owner, &name, &file) };
        let aside = Aside { dir, stem, target, journal: None, published: false };
        let mut claim =
            Self { aside, file: Arc::new(file), owner, name, is_new, found, is_offered: false };
        claim.cut_journal().map_err(|error| status_of_name(&error))?;
        Ok(Some(claim))
    }

    /// What it holds.
    pub(crate) fn held(&self) -> Option<&Journal> {
        self.found.as_ref().map(|(_, journal)| journal)
    }

    /// # Errors
    /// As [`forget_journal`].
    fn cut_journal(&mut self) -> io::Result<()> {
        if let Some((file, journal)) = &self.found
            && let Ok(file) = same_file(file)
            && let Ok(journal) = JournalFile::go_on(file, journal, self.owner.boot())
        {
            // From now on what counts is left, whatever becomes of this.
            self.aside.journal = Some(Arc::new(journal));
            return Ok(());
        }
        self.found = None;
        self.forget_journal()
    }

    /// # Errors
    /// As [`forget_journal`].
    fn forget_journal(&mut self) -> io::Result<()> {
        if !self.is_new {
            forget_journal(&self.aside.dir, &self.aside.stem)?;
        }
        self.aside.journal = None;
        Ok(())
    }

    /// Forgets what it holds.
    pub(crate) fn forget(&mut self) {
        self.found = None;
    }

    /// Has what it holds be offered by hashes, as if it was of another state of the source.
    pub(crate) fn offer(&mut self) {
        self.is_offered = true;
    }

    /// Removes what is here: what stands under the name already is what was wanted.
    pub(crate) fn discard(&self) {
        // First the journal, which must not outlive the file.
        remove(&self.aside.dir, &self.aside.stem.journal());
        remove(&self.aside.dir, &self.aside.stem.part());
    }

    /// Prepares to receive what `meta` tells: goes on, if that is what is here, or else starts anew; what is here then, or at
    /// the `target`, may be the same in parts.
    ///
    /// # Errors
    /// [`Status::Full`] if the rest does not fit; others of the system's.
    pub(crate) fn begin(
        mut self,
        meta: &Meta,
        target: Option<SourceFile>,
    ) -> Result<Partial, Status> {
        let (kept, base) = match self.found.take() {
            Some((_, Journal { header, groups, .. }))
                if !self.is_offered
                    && header.len == meta.len
                    && header.identity == meta.identity =>
            {
                (groups, None)
            }
            found => {
                let groups =
                    found.map(|(_, journal)| usable(journal, meta.len)).unwrap_or_default();
                self.start_anew(meta, !groups.is_empty()).map_err(|error| status_of(&error))?;
                let base = if groups.is_empty() {
                    target.map(Base::from)
                } else {
                    Some(Base::Here(groups))
                };
                (BTreeMap::new(), base)
            }
        };
        let mut partial = Partial { aside: self.aside, file: self.file, kept, base, room: None };
        partial.make_room(meta.len)?;
        Ok(partial)
    }

    fn start_anew(&mut self, meta: &Meta, keeps_content: bool) -> io::Result<()> {
        // In this order: nothing is ever said of bytes that are gone.
        self.forget_journal()?;
        match meta.len {
            BodyLen::Known(len) if keeps_content && metadata(&self.file)?.len() <= len => {}
            BodyLen::Known(len) if keeps_content => set_len(&self.file, len)?,
            _ => set_len(&self.file, 0)?,
        }
        if !is_worth_keeping(meta.len) {
            return Ok(());
        }
        let header = Header {
            boot: self.owner.boot(),
            len: meta.len,
            identity: meta.identity,
            name: self.name.clone(),
        };
        let file = create_own(&self.aside.dir, &self.aside.stem.journal())?;
        let journal = JournalFile::start(file, &header)?;
        self.aside.journal = Some(Arc::new(journal));
        Ok(())
    }
}

/// Removes the journal of a partial file that is to have other bytes. It does not come back after a power failure either: bytes may
/// reach the disk long before names do.
///
/// # Errors
/// The system's: what says something of bytes that will be gone must not stay.
fn forget_journal(dir: &Dir, stem: &Stem) -> io::Result<()> {
    let journal = stem.journal();
    // To look costs less than to remove what is not there, for which a file system locks the directory.
    match own_metadata_in(dir, path_of(bytes_of(&journal))) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        _ => {}
    }
    match remove_file(dir, journal.as_ref()) {
        Ok(()) => sync_directory(dir),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The groups of a former body that can be groups of one of length `len`.
fn usable(journal: Journal, len: BodyLen) -> BTreeMap<u64, Hash> {
    let (Some(before), BodyLen::Known(now)) = (journal.len(), len) else { return BTreeMap::new() };
    let group_len = len.group_len();
    if journal.header.len.group_len() != group_len || !is_worth_keeping(len) {
        return BTreeMap::new();
    }
    let mut groups = journal.groups;
    let end = |index: u64| index.saturating_add(1).saturating_mul(group_len);
    // The last one of either is shorter than the others.
    groups.retain(|&index, _| {
        before == now && index < now.div_ceil(group_len) || end(index) <= before.min(now)
    });
    groups
}

impl From<SourceFile> for Base {
    fn from(target: SourceFile) -> Self {
        let version = target.version();
        Self::Target(Arc::new(target.into_file()), version)
    }
}

/// Opens the partial file and locks it, or makes it; nothing if someone else has locked it. Tells whether it was made.
fn lock(dir: &Dir, stem: &Stem, which: Which) -> io::Result<Option<(File, bool)>> {
    let part = stem.part();
    for _ in 0..MAX_RACES {
        let (file, is_new) = match open_own(dir, &part) {
            Ok(file) => (file, false),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Whoever put the file in place may have been killed before this.
                forget_journal(dir, stem)?;
                if which == Which::Found {
                    return Ok(None);
                }
                match create_own(dir, &part) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    made => (made?, true),
                }
            }
            Err(error) => return Err(error),
        };
        if try_lock(&file).is_err() {
            return Ok(None);
        }
        // Who had it locked before may have put it in place, or removed it.
        if is_named(dir, &part, &file) {
            return Ok((is_new || is_ours(&file)).then_some((file, is_new)));
        }
    }
    Ok(None)
}

/// Whether `file` has this name itself.
pub(super) fn is_named(dir: &Dir, name: &OsStr, file: &File) -> bool {
    let number = metadata(file).map(|metadata| file_number(&metadata));
    matches!((named_number(dir, name), number), (Ok(named), Ok(number)) if named == number)
}

/// Whether nobody else can change it.
fn is_ours(file: &File) -> bool {
    metadata(file).is_ok_and(|metadata| is_our_own(&metadata))
}

/// What is known of a partial file that was there.
fn find(
    dir: &Dir,
    stem: &Stem,
    owner: &Owner,
    name: &Name,
    part: &File,
) -> Option<(File, Journal)> {
    let path = stem.journal();
    let file = open_own(dir, &path).ok()?;
    if !is_named(dir, &path, &file) || !is_ours(&file) {
        return None;
    }
    let journal = journal_file::read(&file, owner.boot())?;
    let counts = journal.header.name == *name && belongs(&journal, metadata(part).ok()?.len());
    counts.then_some((file, journal))
}

/// Whether all that a journal says is there of a file can be.
fn belongs(journal: &Journal, part_len: u64) -> bool {
    let BodyLen::Known(len) = journal.header.len else { return false };
    let group_len = journal.header.len.group_len();
    let end = |index: &u64| index.saturating_add(1).saturating_mul(group_len).min(len);
    journal.groups.keys().next_back().is_some_and(|last| end(last) <= part_len)
}

/// Bytes that a file of this name takes on the disk, if it is one of ours that nobody uses.
pub(in crate::files) fn left_behind(dir: &Dir, name: &OsStr) -> u64 {
    if Stem::parse(bytes_of(name)).is_none() {
        return 0;
    }
    match open_own(dir, name) {
        Ok(file) if try_lock(&file).is_ok() && is_named(dir, name, &file) => allocated(&file),
        _ => 0,
    }
}
