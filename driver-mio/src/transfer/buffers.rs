//! Memory for bodies, of which there is only so much.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gannet_protocol::BLOCK_LEN;

/// [`BLOCK_LEN`] as a length of a slice.
pub(super) const BLOCK: usize = BLOCK_LEN as usize;

/// An account of memory with a cap, and the buffers that it is spent on. What is taken comes back by itself when it is dropped,
/// on whatever thread.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Account>);

#[derive(Debug)]
struct Account {
    cap: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// Buffers of a whole block that were used before: their pages are there already.
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// An account of `cap` bytes.
    pub(super) fn new(cap: u64) -> Self {
        Self(Arc::new(Account { cap, state: Mutex::default() }))
    }

    /// The cap in bytes.
    pub(super) fn cap(&self) -> u64 {
        self.0.cap
    }

    /// Bytes that are taken.
    pub(super) fn used(&self) -> u64 {
        self.0.lock().used
    }

    /// A buffer of `len` bytes of no matter what, at most a block; nothing if the cap does not allow it.
    pub(super) fn take(&self, len: usize) -> Option<Buffer> {
        self.take_beyond(len, 0)
    }

    /// As [`Self::take`], up to `extra` bytes over the cap.
    pub(super) fn take_beyond(&self, len: usize, extra: u64) -> Option<Buffer> {
        // What is about a block takes a whole one, which can be used again by any other.
        let size = if len > BLOCK / 2 { BLOCK.max(len) } else { len };
        let mut state = self.0.lock();
        let used = state.used.checked_add(size as u64)?;
        if used > self.0.cap.saturating_add(extra) {
            return None;
        }
        state.used = used;
        let reused = if size == BLOCK { state.free.pop() } else { None };
        // Free blocks count too where there is no block to reuse, so that both together stay below the cap.
        let unneeded = if reused.is_none() { state.trim(self.0.cap) } else { Vec::new() };
        drop(state);
        drop(unneeded);
        let grant = Grant { account: Arc::clone(&self.0), len: size as u64 };
        Some(Buffer { bytes: reused.unwrap_or_else(|| vec![0; size]), len, grant })
    }

    /// Accounts for memory that cannot be refused.
    pub(super) fn grant(&self, len: u64) -> Grant {
        self.0.lock().used += len;
        Grant { account: Arc::clone(&self.0), len }
    }
}

impl Account {
    /// The lock is never poisoned: nothing that is done under it panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out the free blocks that no longer fit below the cap.
    fn trim(&mut self, cap: u64) -> Vec<Vec<u8>> {
        let fitting = cap.saturating_sub(self.used) / BLOCK_LEN;
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.free.split_off(fitting.min(self.free.len()))
    }
}

/// A part of a [`Pool`]'s account, given back when dropped.
#[derive(Debug)]
pub(super) struct Grant {
    account: Arc<Account>,
    len: u64,
}

impl Grant {
    /// Takes more, even over the cap.
    pub(super) fn grow(&mut self, more: u64) {
        self.account.lock().used += more;
        self.len += more;
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let mut state = self.account.lock();
        state.used = state.used.saturating_sub(self.len);
    }
}

/// Some bytes out of a [`Pool`].
#[derive(Debug)]
pub(super) struct Buffer {
    /// At least `len` bytes.
    bytes: Vec<u8>,
    len: usize,
    grant: Grant,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == BLOCK {
            let bytes = mem::take(&mut self.bytes);
            let mut state = self.grant.account.lock();
            // It fits once its own grant, which is dropped after this, is back.
            if state.used + state.free.len() as u64 * BLOCK_LEN <= self.grant.account.cap {
                state.free.push(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_and_what_is_dropped_comes_back() {
        let pool = Pool::new(2 * BLOCK_LEN);
        let a = pool.take(BLOCK).unwrap();
        let b = pool.take(BLOCK - 1).unwrap();
        assert_eq!((a.len(), b.len()), (BLOCK, BLOCK - 1));
        assert!(pool.take(1).is_none());
        let beyond = pool.take_beyond(1, 1).unwrap();
        assert!(pool.take_beyond(1, 1).is_none());
        drop((a, beyond));
        assert_eq!(pool.used(), BLOCK_LEN);
        let small: Vec<_> = (0..10).map(|_| pool.take(1000).unwrap()).collect();
        assert_eq!(pool.used(), BLOCK_LEN + 10_000);
        drop((b, small));
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn free_blocks_are_used_again_and_never_more_than_the_cap() {
        let pool = Pool::new(3 * BLOCK_LEN);
        let blocks: Vec<_> = (0..3).map(|_| pool.take(BLOCK).unwrap()).collect();
        drop(blocks);
        assert_eq!(pool.0.lock().free.len(), 3);
        let again = pool.take(BLOCK).unwrap();
        assert_eq!(pool.0.lock().free.len(), 2);
        let small = pool.take(1000).unwrap();
        assert_eq!(pool.0.lock().free.len(), 1, "memory for the small one was let go");
        drop((again, small));
        assert_eq!(pool.0.lock().free.len(), 2);
    }

    #[test]
    fn a_grant_is_never_refused() {
        let pool = Pool::new(10);
        let mut grant = pool.grant(100);
        grant.grow(5);
        assert_eq!(pool.used(), 105);
        assert!(pool.take(1).is_none());
        drop(grant);
        assert_eq!(pool.used(), 0);
    }
}
