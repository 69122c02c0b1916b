//! What a side holds of bodies, and what it does when the other does.

use gannet_protocol::{
    BLOCK_LEN, BodyId, BodyLen, FileTime, Get, Have, Held, Identity, Misuse, Name, Note, Session,
    Version,
};

use super::{
    operation::{Has, Says},
    side::Side,
};

/// A hash that both sides take for that of the group.
const SAME: [u8; 32] = [1; 32];
/// The identity of every source.
const SOURCE: Identity = Identity([0; 16]);

/// Asks for a file of which something may be here.
pub(super) fn get(name: Name, version: bool, has: Option<Has>) -> Get {
    let unless = version.then(|| Version { len: 0, modified: FileTime::default() });
    Get { name, unless, have: has.map(have) }
}

fn have(has: Has) -> Have {
    let groups = (0..8).filter(|bit| has.groups & 1 << bit != 0).map(|bit| bit..bit + 1).collect();
    let identity = if has.other { Identity([9; 16]) } else { SOURCE };
    Have { identity, groups }
}

impl Side {
    /// As the receiver of a body: says something of what it holds.
    pub(super) fn hold(&mut self, which: u8, says: Says) {
        let Some(at) = usize::from(which).checked_rem(self.receiving.len()) else { return };
        let Some((&body, _)) = self.receiving.iter().nth(at) else { return };
        let held = match says {
            Says::Groups(has) => Held::Groups(have(has)),
            Says::Hashes { first, count, same } => {
                let hash = if same { SAME } else { [2; 32] };
                Held::Hashes { first: first.into(), hashes: vec![hash; count.into()] }
            }
            Says::Nothing => Held::Nothing,
            Says::Again(index) => Held::Again(index.into()),
        };
        self.with(body, |session| session.held(body, held));
    }

    /// Holds nothing more of any body.
    pub(super) fn hold_nothing(&mut self) {
        for body in self.receiving.keys().copied().collect::<Vec<_>>() {
            self.with(body, |session| session.held(body, Held::Nothing));
        }
    }

    /// As the sender of a body: hears what its receiver holds. Where that is the same it says so, and does not send it.
    pub(super) fn hear(&mut self, body: BodyId, held: Held) {
        let Some(len) = self.sending.get(&body).map(|sending| sending.len) else { return };
        let Held::Hashes { first, hashes } = held else { return };
        for (index, _) in (first..).zip(hashes).filter(|(_, hash)| *hash == SAME) {
            let range = group(index, len);
            self.with(body, |session| {
                session.note(body, Note::Group { index, hash: SAME })?;
                session.skip(body, range)
            });
        }
    }

    /// As the receiver of a body: keeps what the sender has, too.
    pub(super) fn compare(&mut self, body: BodyId, note: Note) {
        let (Note::Group { index, hash: SAME }, Some(BodyLen::Known(len))) =
            (note, self.receiving.get(&body))
        else {
            return;
        };
        let range = group(index, *len);
        self.with(body, |session| session.keep(body, range));
    }

    /// Gives a command for a body; tells whether it may.
    pub(super) fn with(
        &mut self,
        body: BodyId,
        command: impl FnOnce(&mut Session<'_>) -> Result<(), Misuse>,
    ) -> bool {
        let owner = self.endpoint.exchange_of(body);
        let session = owner.and_then(|owner| self.endpoint.session(owner.connection()));
        session.is_some_and(|mut session| command(&mut session).is_ok())
    }
}

/// A group of a body that is short enough for the least ones.
fn group(index: u64, len: u64) -> std::ops::Range<u64> {
    (index * BLOCK_LEN).min(len)..((index + 1) * BLOCK_LEN).min(len)
}
