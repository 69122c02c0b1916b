//! Contents of files, and the next ones of them.

use std::rc::Rc;

use crate::machines::Random;

const MIB: u64 = 1 << 20;

/// A content, by its number in a story.
pub(super) type Version = usize;

/// Every content of a story.
#[derive(Debug)]
pub(super) struct Contents {
    all: Vec<Rc<[u8]>>,
    /// Whether they are all long.
    are_long: bool,
}

impl Contents {
    pub(super) const fn new(are_long: bool) -> Self {
        Self { all: Vec::new(), are_long }
    }

    pub(super) fn get(&self, version: Version) -> &Rc<[u8]> {
        &self.all[version]
    }

    /// Which of these versions a content is.
    pub(super) fn find(
        &self,
        content: &[u8],
        of: impl IntoIterator<Item = Version>,
    ) -> Option<Version> {
        of.into_iter().find(|version| **self.get(*version) == *content)
    }

    /// Which version a content is, if any.
    pub(super) fn find_any(&self, content: &[u8]) -> Option<Version> {
        self.find(content, 0..self.all.len())
    }

    /// Makes a new one: a former one changed here and there, or another one.
    pub(super) fn make(&mut self, random: &mut Random, former: Option<Version>) -> Version {
        let mut bytes = match former {
            Some(former) if !random.one_in(3) => self.change(random, former),
            _ => fresh(random, self.are_long),
        };
        // No two are equal, so that it can be told which one is there.
        bytes.truncate(bytes.len() - bytes.len().min(8));
        bytes.extend((self.all.len() as u64 + 1).to_le_bytes());
        self.all.push(bytes.into());
        self.all.len() - 1
    }

    fn change(&self, random: &mut Random, former: Version) -> Vec<u8> {
        let mut bytes = self.get(former).to_vec();
        let len = bytes.len() as u64;
        match random.below(4) {
            0 => bytes.truncate(size(random.below(len + 1))),
            1 => bytes.extend(fresh(random, false)),
            _ => {
                for _ in 0..=random.below(3) {
                    let at = size(random.below(len));
                    bytes.iter_mut().skip(at).take(1000).for_each(|byte| *byte ^= 0x55);
                }
            }
        }
        bytes.truncate(size(4 * MIB));
        bytes
    }
}

fn fresh(random: &mut Random, is_long: bool) -> Vec<u8> {
    let len = match if is_long { 9 } else { random.below(10) } {
        0 => 0,
        1..=3 => random.below(3_000),
        4 | 5 => random.below(300_000),
        6 => MIB - 2 + random.below(5),
        7 | 8 => MIB + 1 + random.below(MIB),
        _ => 2 * MIB + random.below(2 * MIB),
    };
    let mut bytes = vec![0; size(len)];
    for block in bytes.chunks_mut(size(MIB)) {
        if !random.one_in(6) {
            fill(random, block);
        }
    }
    bytes
}

fn fill(random: &mut Random, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
    }
}

fn size(len: u64) -> usize {
    usize::try_from(len).expect("small files")
}
