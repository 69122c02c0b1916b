//! What is done in a story, and what has to be true of what was told.

use super::*;
use crate::machines::command;

impl Story {
    /// Has a lane begin something else.
    pub(super) fn begin(&mut self, lane: usize) {
        let client = self.lanes[lane].client;
        let name = if self.is_narrow { NAMES[0] } else { *self.random.pick(&NAMES) }.to_owned();
        let how = match self.random.below(8) {
            0 => How { fresh: true, ..How::default() },
            1 => How { check: true, ..How::default() },
            _ => How::default(),
        };
        let kind = self.random.below(if self.is_narrow { 7 } else { 10 });
        let (command, change) = match kind {
            0..=4 => {
                let source = format!("source-{}-{name}", self.random.below(2));
                if !self.sources.contains_key(&(client, source.clone())) || self.random.one_in(3) {
                    self.renew(client, &source);
                }
                let version = self.sources[&(client, source.clone())];
                let to = command::name(&name);
                (Command::Put { from: source, to, how }, Some(Change::Put(name, version)))
            }
            5..=7 => {
                let from = command::name(&name);
                (Command::Get { from, to: format!("got-{name}"), how }, None)
            }
            8 => {
                let to = (*self.random.pick(&NAMES)).to_owned();
                let [from_name, to_name] = [&name, &to].map(|name| command::name(name));
                let command = Command::Rename { from: from_name, to: to_name };
                let change = (name != to).then(|| Change::Rename(name.clone(), to));
                (command, change)
            }
            _ => {
                let change = Change::Remove(name.clone());
                (Command::Remove(command::name(&name)), Some(change))
            }
        };
        self.attempt(lane, command, change);
    }

    /// Gives a file to be put another content.
    fn renew(&mut self, client: usize, source: &str) {
        let key = (client, source.to_owned());
        let former = self.sources.get(&key).copied();
        let version = self.contents.make(&mut self.random, former);
        let (content, time) = (self.contents.get(version).clone(), self.next_time());
        self.world.client_disk(client).install(source, &content, time).expect("there is room");
        self.sources.insert(key, version);
    }

    fn attempt(&mut self, lane: usize, command: Command, change: Option<Change>) {
        let client = self.lanes[lane].client;
        let mut is_contested = false;
        if let Some(change) = &change {
            let shares =
                |other: &Change| other.names().iter().any(|name| change.names().contains(name));
            for other in self.lanes.iter_mut().filter_map(|lane| lane.attempt.as_mut()) {
                if other.change.as_ref().is_some_and(shares) {
                    other.is_contested = true;
                    is_contested = true;
                }
            }
            is_contested |= self.ledger.is_haunted(change, self.world.elapsed());
        }
        if let Command::Get { to, .. } = &command {
            let others = self.lanes.iter_mut().filter(|other| other.client == client);
            for other in others.filter_map(|lane| lane.attempt.as_mut()) {
                if matches!(&other.command, Command::Get { to: other, .. } if other == to) {
                    other.is_contested = true;
                    is_contested = true;
                }
            }
        }
        let mut seen = States::new();
        if let Some(name) = first_name(&command) {
            seen.clone_from(self.ledger.now(&name));
        }
        if let Some(change) = &change {
            self.ledger.ask(change);
            self.ask_again();
        }
        if let Command::Get { from, to, .. } = &command {
            let from = from.to_string();
            let states = self.fetched.entry((client, to.clone())).or_default();
            states.extend(self.ledger.ever(&from).iter().filter(|state| state.is_some()));
        }
        // Whoever reads a name meanwhile may see what is made of it.
        self.widen();
        if self.prints {
            println!("{:?} {lane}: {command:?} {change:?}", self.world.elapsed());
        }
        let job = self.world.start(client, command.clone());
        self.lanes[lane].attempt = Some(Attempt { job, command, change, seen, is_contested });
    }

    /// What is being renamed may be what another one asked for just now.
    fn ask_again(&mut self) {
        let mut changes = self.ledger.ghosts(self.world.elapsed());
        let running = self.lanes.iter().filter_map(|lane| lane.attempt.as_ref());
        changes.extend(running.filter_map(|attempt| attempt.change.clone()));
        // So often that it comes all the way.
        for _ in NAMES {
            changes.iter().for_each(|change| self.ledger.ask(change));
        }
    }

    fn widen(&mut self) {
        for lane in &mut self.lanes {
            let Some(attempt) = &mut lane.attempt else { continue };
            let Some(name) = first_name(&attempt.command) else { continue };
            attempt.seen.extend(self.ledger.now(&name).iter().copied());
            if let Command::Get { to, .. } = &attempt.command {
                let states = self.fetched.entry((lane.client, to.clone())).or_default();
                states.extend(self.ledger.ever(&name).iter().filter(|state| state.is_some()));
            }
        }
    }

    /// Takes how an attempt ended.
    pub(super) fn ended(&mut self, lane: usize, end: &End) {
        let attempt = self.lanes[lane].attempt.take().expect("it is under way");
        if self.prints {
            println!("{:?} {lane}: {end:?}", self.world.elapsed());
        }
        match end {
            End::Done(told) => {
                self.check_told(lane, &attempt, told.as_ref());
                self.lanes[lane].left -= 1;
            }
            End::Failed(failure) if self.is_final(&attempt, failure) => self.lanes[lane].left -= 1,
            _ => self.again(lane, attempt),
        }
    }

    /// Whether a failure is what is to be expected.
    fn is_final(&self, attempt: &Attempt, failure: &Failure) -> bool {
        let spoilt = matches!(
            failure,
            Failure::Unverified | Failure::Remote { status: Status::Corrupt | Status::Changed, .. }
        );
        assert!(!spoilt, "{failure:?} of {attempt:?}");
        let Failure::Remote { status, .. } = failure else { return false };
        match (&attempt.command, status) {
            (Command::Rename { .. }, Status::Exists) => true,
            (
                Command::Get { .. } | Command::Rename { .. } | Command::Remove(_),
                Status::NotFound,
            ) => {
                assert!(attempt.seen.contains(&None), "{attempt:?} was not found");
                true
            }
            _ => false,
        }
    }

    /// Tries something again, perhaps with another content.
    fn again(&mut self, lane: usize, attempt: Attempt) {
        let client = self.lanes[lane].client;
        let Attempt { mut command, mut change, .. } = attempt;
        if let Some(change) = &change {
            self.ledger.haunt(change, self.world.elapsed());
        }
        if let (Command::Put { from, .. }, Some(Change::Put(name, version))) =
            (&mut command, &mut change)
        {
            let source = format!("source-{}-{name}", self.random.below(2));
            if self.random.one_in(3) && self.sources.contains_key(&(client, source.clone())) {
                // One that was put before, perhaps, and in part.
                *from = source;
            } else if self.random.one_in(4) {
                self.renew(client, from);
            }
            *version = self.sources[&(client, from.clone())];
        }
        self.attempt(lane, command, change);
    }

    fn check_told(
        &mut self,
        lane: usize,
        attempt: &Attempt,
        told: Option<&gannet_driver_mio::client::Transferred>,
    ) {
        if let (Command::Get { to, .. }, Some(told)) = (&attempt.command, told) {
            let client = self.lanes[lane].client;
            return self.check_got(client, to, attempt, told);
        }
        let Some(change) = attempt.change.as_ref().filter(|_| !attempt.is_contested) else {
            return;
        };
        self.ledger.tell(change, &attempt.seen);
        for name in change.names() {
            let durable = self.world.server_disk().durable(Path::new(name));
            let Some(durable) = durable else { panic!("{name} may be lost after {attempt:?}") };
            self.expect(&durable, self.ledger.now(name), name);
        }
        if let (Change::Put(_, version), Some(told)) = (change, told) {
            self.check_content(told, *version);
        }
    }

    fn check_got(
        &mut self,
        client: usize,
        to: &str,
        attempt: &Attempt,
        told: &gannet_driver_mio::client::Transferred,
    ) {
        let disk = self.world.client_disk(client);
        let content = disk.visible(Path::new(to)).expect("what was fetched is there");
        let durable = disk.durable(Path::new(to));
        drop(disk);
        // Of two that fetch to one name at once, one may put what it was asked for before over what the other has just found there.
        let states = if attempt.is_contested {
            self.fetched.get(&(client, to.to_owned())).cloned().unwrap_or_default()
        } else {
            attempt.seen.clone()
        };
        let version = self.contents.find(&content, states.iter().copied().flatten());
        let version = version.expect("what was fetched is what was there");
        if !attempt.is_contested {
            assert!(durable == Some(Some(content)), "{to} may be lost after {attempt:?}");
            self.check_content(told, version);
            self.fetched.insert((client, to.to_owned()), [Some(version)].into());
        }
    }

    fn check_content(&self, told: &gannet_driver_mio::client::Transferred, version: Version) {
        let content = self.contents.get(version);
        assert_eq!(told.len, content.len() as u64);
        if let Some(hash) = told.hash {
            assert_eq!(hash, *blake3::hash(content).as_bytes());
        }
    }

    /// Has something go wrong that is no call of a disk.
    pub(super) fn trouble(&mut self) {
        if self.troubles == 0 || !self.random.one_in(1000) {
            return;
        }
        self.troubles -= 1;
        match self.random.below(3) {
            0 => self.world.server_disk().end(Fault::Kill),
            1 => self.world.server_disk().end(Fault::Power),
            _ => {
                let client = self.lanes[0].client;
                self.world.client_disk(client).end(Fault::Kill);
            }
        }
    }
}

/// The name of the server that a command is about first of all.
fn first_name(command: &Command) -> Option<String> {
    Some(match command {
        Command::Get { from, .. } | Command::Rename { from, .. } => from.to_string(),
        Command::Put { to, .. } => to.to_string(),
        Command::Remove(name) | Command::MakeDirectory(name) | Command::Stat(name) => {
            name.to_string()
        }
        Command::List => return None,
    })
}
