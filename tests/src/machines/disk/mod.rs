//! A disk that fails and loses its power.
//!
//! The files are real ones, in memory; beside them is kept what a real disk would have of them. A sync of a file makes its content
//! durable but not its name, a sync of a directory its names. What is pending when the power fails is there or not, as a seed has
//! it: names, lengths and the like up to a point of the file system's log, written sectors each by itself.

mod faults;
mod file;
mod names;
mod survive;

use std::{
    collections::BTreeMap,
    fs, io,
    os::{
        fd::AsFd,
        unix::fs::{FileExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use gannet_driver_mio::simulation::{Operation, Watcher, real_number, real_number_at};
use gannet_protocol::RESERVED_PREFIX;

use super::Random;
use file::{Change, File, State};
use names::Names;
use survive::Survival;

pub use faults::{Fault, Faults};

/// Which file or directory: the same before and after a power failure.
type Number = u64;

/// The directory that is the disk.
const ROOT: Number = 1;

/// Bytes of which a hole is a multiple.
const CHUNK: usize = 64 << 10;

/// A disk that fails and loses its power.
#[derive(Debug)]
pub struct Disk {
    /// Where all directories are that this disk ever was.
    base: PathBuf,
    /// Which one it is now: one more with each power failure.
    run: u64,
    random: Random,
    /// What goes wrong.
    pub faults: Faults,
    /// How it came to its end, after which every call fails.
    dead: Option<Fault>,
    calls: u64,
    /// Those that need room.
    roomy: Vec<u64>,
    changes: u64,
    /// How many visible names were changed.
    named: u64,
    trace: u64,
    prints: bool,
    numbers: BTreeMap<[u64; 2], Number>,
    next: Number,
    files: BTreeMap<Number, File>,
    names: Names,
}

/// A file, or none.
pub type Content = Option<Vec<u8>>;

impl Disk {
    /// An empty one, below the directory `base`.
    ///
    /// # Errors
    /// The real disk's.
    pub fn new(base: PathBuf, seed: u64) -> io::Result<Self> {
        let mut disk = Self {
            base,
            run: 0,
            random: Random::new(seed, 1),
            faults: Faults::default(),
            dead: None,
            calls: 0,
            roomy: Vec::new(),
            changes: 0,
            named: 0,
            trace: 0,
            prints: false,
            numbers: BTreeMap::new(),
            next: ROOT,
            files: BTreeMap::new(),
            names: Names::default(),
        };
        fs::create_dir_all(disk.root())?;
        disk.know(&disk.root())?;
        Ok(disk)
    }

    /// Where its files are.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.base.join(self.run.to_string())
    }

    /// Calls so far.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Those that fail where there is no room, by their numbers.
    #[must_use]
    pub fn roomy_calls(&self) -> &[u64] {
        &self.roomy
    }

    /// Changes of visible names so far.
    #[must_use]
    pub const fn named(&self) -> u64 {
        self.named
    }

    /// How often the power failed.
    #[must_use]
    pub const fn restarts(&self) -> u64 {
        self.run
    }

    /// How it came to its end, if it did.
    #[must_use]
    pub const fn dead(&self) -> Option<Fault> {
        self.dead
    }

    /// Ends what uses it.
    pub const fn end(&mut self, how: Fault) {
        self.dead = Some(how);
    }

    /// A number that differs from another run's if any call of them does.
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.trace
    }

    /// Prints every call from now on.
    pub const fn print(&mut self) {
        self.prints = true;
    }

    /// Puts a file there that is durable, whatever had its name, without anybody seeing it.
    ///
    /// # Errors
    /// The real disk's.
    pub fn install(&mut self, name: &str, content: &[u8], modified: SystemTime) -> io::Result<()> {
        let path = self.root().join(name);
        let _ = fs::remove_file(&path);
        let file = fs::File::create_new(&path)?;
        file.set_len(content.len() as u64)?;
        for (at, chunk) in (0..).step_by(CHUNK).zip(content.chunks(CHUNK)) {
            // What is zero is a hole.
            if chunk.iter().any(|byte| *byte != 0) {
                file.write_all_at(chunk, at)?;
            }
        }
        file.set_modified(modified)?;
        let number = self.know(&path)?;
        let state = State { content: content.to_vec(), mode: None, modified: Some(modified) };
        self.files.insert(number, File::durable(state));
        self.names.install((ROOT, name.into()), number);
        Ok(())
    }

    /// What is under a name below the root now.
    #[must_use]
    pub fn visible(&self, name: &Path) -> Content {
        fs::read(self.root().join(name)).ok()
    }

    /// What would be under a name below the root if the power failed at the worst moment; nothing if that depends.
    #[must_use]
    pub fn durable(&self, name: &Path) -> Option<Content> {
        let mut at = ROOT;
        for component in name {
            match self.names.durable(&(at, component.into())) {
                (_, true) => return None,
                (None, false) => return Some(None),
                (Some(number), false) => at = number,
            }
        }
        let file = self.files.get(&at)?;
        file.is_durable().then(|| Some(file.durable.content.clone()))
    }

    /// Starts anew after its end. If the power failed, with what had reached the disk; the former files are gone.
    ///
    /// # Errors
    /// The real disk's.
    pub fn restart(&mut self) -> io::Result<()> {
        if self.dead.take() != Some(Fault::Power) {
            return Ok(());
        }
        let mut survival = match self.random.below(8) {
            0 => Survival::nothing(),
            _ => Survival::new(&mut self.random, 0, self.changes),
        };
        let former = self.root();
        self.run += 1;
        let names = self.names.survive(&survival);
        let files: BTreeMap<_, _> = self
            .files
            .iter()
            .map(|(number, file)| (*number, file.survive(&mut survival)))
            .collect();
        self.numbers.clear();
        self.files.clear();
        self.names = names.clone();
        self.changes = 0;
        fs::create_dir(self.root())?;
        self.rebuild(&names, &files, ROOT, &self.root())?;
        fs::remove_dir_all(former)
    }

    fn rebuild(
        &mut self,
        names: &Names,
        files: &BTreeMap<Number, State>,
        number: Number,
        path: &Path,
    ) -> io::Result<()> {
        if let Some(state) = files.get(&number) {
            fs::write(path, &state.content)?;
            let file = fs::File::options().write(true).open(path)?;
            if let Some(mode) = state.mode {
                file.set_permissions(fs::Permissions::from_mode(mode | 0o600))?;
            }
            if let Some(modified) = state.modified {
                file.set_modified(modified)?;
            }
            self.files.insert(number, File::durable(state.clone()));
        } else {
            for (name, number) in names.in_directory(number) {
                let path = path.join(name);
                if !files.contains_key(&number) {
                    fs::create_dir(&path)?;
                }
                self.rebuild(names, files, number, &path)?;
            }
        }
        self.numbers.insert(number_at(path)?, number);
        Ok(())
    }

    /// Gives what is at a path a number of its own.
    fn know(&mut self, path: &Path) -> io::Result<Number> {
        let real = number_at(path)?;
        Ok(self.know_number(real))
    }

    fn know_number(&mut self, real: [u64; 2]) -> Number {
        let number = self.next;
        self.next += 1;
        self.numbers.insert(real, number);
        number
    }

    fn number_of(&self, file: &dyn AsFd) -> Number {
        let real = real_number(file).expect("an open file has a number");
        *self.numbers.get(&real).expect("it was seen when it was made")
    }

    fn note(&mut self, operation: &Operation<'_>, fate: &str) {
        let text = format!("{operation:?}{fate}");
        for byte in text.bytes() {
            // Fowler, Noll and Vo's hash.
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.prints {
            println!("{} {} {text}", self.base.display(), self.calls);
        }
    }

    fn change(&mut self, file: &fs::File, change: Change) {
        let number = self.number_of(file);
        self.changes += 1;
        if let Some(file) = self.files.get_mut(&number) {
            file.change(self.changes, change);
        }
    }

    fn create(&mut self, dir: &dyn AsFd, name: &Path) {
        let dir_number = self.number_of(dir);
        let (real, is_directory) = real_number_at(dir, name).expect("it was made just now");
        let number = self.know_number(real);
        if !is_directory {
            self.files.insert(number, File::default());
        }
        self.changes += 1;
        self.named += is_visible(name);
        self.names.link(self.changes, (dir_number, name.into()), number);
    }

    fn rename(&mut self, from: (&dyn AsFd, &Path), to: (&dyn AsFd, &Path)) {
        let (real, _) = real_number_at(to.0, to.1).expect("it was named so just now");
        let number = *self.numbers.get(&real).expect("it was seen before");
        let place = |(dir, name): (&dyn AsFd, &Path)| (self.number_of(dir), name.into());
        let named = is_visible(from.1) + is_visible(to.1);
        let (from, to) = (place(from), place(to));
        self.changes += 1;
        self.named += named;
        self.names.rename(self.changes, from, to, number);
    }
}

/// 1 for a name that is not one of partial files and journals.
fn is_visible(name: &Path) -> u64 {
    u64::from(!name.as_os_str().as_encoded_bytes().starts_with(RESERVED_PREFIX))
}

fn number_at(path: &Path) -> io::Result<[u64; 2]> {
    real_number(&fs::File::open(path)?)
}

fn size(len: u64) -> usize {
    usize::try_from(len).expect("small files")
}

impl Watcher for Disk {
    fn before(&mut self, operation: &Operation<'_>) -> io::Result<()> {
        let fault = match self.dead {
            Some(dead) => dead,
            None => {
                self.calls += 1;
                if faults::needs_room(operation) {
                    self.roomy.push(self.calls);
                }
                let Some(fault) = self.faults.take(self.calls) else { return Ok(()) };
                if matches!(fault, Fault::Kill | Fault::Power) {
                    self.dead = Some(fault);
                }
                fault
            }
        };
        let Some(error) = faults::error_of(fault, operation) else { return Ok(()) };
        if self.dead.is_none()
            && let Operation::SyncFile { file } = operation
        {
            let number = self.number_of(*file);
            if let Some(file) = self.files.get_mut(&number) {
                file.fail_sync();
            }
        }
        self.note(operation, " failed");
        Err(error)
    }

    fn after(&mut self, operation: &Operation<'_>) {
        self.note(operation, "");
        match operation {
            Operation::Write { file, offset, data } => {
                let (offset, data) = (size(*offset), data.to_vec());
                self.change(file, Change::Write { offset, data });
            }
            Operation::SetLen { file, len } => self.change(file, Change::SetLen(size(*len))),
            Operation::Punch { file, range } => {
                self.change(file, Change::Punch(size(range.start)..size(range.end)));
            }
            Operation::SetMode { file, bits } => self.change(file, Change::Mode(*bits)),
            Operation::SetModified { file, time } => self.change(file, Change::Modified(*time)),
            Operation::SyncFile { file } => {
                let number = self.number_of(*file);
                self.files.get_mut(&number).into_iter().for_each(File::sync);
            }
            Operation::SyncDirectory { dir } => {
                let number = self.number_of(*dir);
                self.names.sync(number);
            }
            Operation::Create { dir, name } => self.create(*dir, name),
            Operation::Rename { from_dir, from, to_dir, to } => {
                self.rename((*from_dir, from), (*to_dir, to));
            }
            Operation::Remove { dir, name } => {
                let place = (self.number_of(*dir), name.into());
                self.changes += 1;
                self.named += is_visible(name);
                self.names.unlink(self.changes, place);
            }
            _ => {}
        }
    }

    fn shorten(&mut self, len: usize) -> usize {
        let is_short = self.faults.short > 0 && self.random.one_in(self.faults.short);
        if is_short { size(self.random.below(len as u64)).max(1) } else { len }
    }

    fn number(&mut self, real: [u64; 2]) -> [u64; 2] {
        let number = self.numbers.get(&real).copied();
        [0, number.unwrap_or_else(|| self.know_number(real))]
    }

    fn boot_id(&self) -> [u8; 16] {
        u128::from(self.run + 1).to_be_bytes()
    }

    fn fill_random(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.random.next().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}
