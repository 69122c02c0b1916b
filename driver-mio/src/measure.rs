//! What this machine can do, whatever the network: its disk, its processor, its socket buffers.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use gannet_protocol::crypto::{Cipher, Crypto as _, NONCE_LEN, Secret, TAG_LEN};

use crate::{crypto::AwsLc, socket::Socket};

/// What is written or read at once, as transfers do.
const BLOCK: usize = 1 << 20;
/// Bytes of a packet's content.
const PACKET: usize = 1400;

/// Buffers of a UDP socket in bytes, as the system counts them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Buffers {
    /// That for what arrives.
    pub receive: usize,
    /// That for what is sent.
    pub send: usize,
    /// What is asked for.
    pub wanted: usize,
}

impl Buffers {
    /// Whether the system grants less than is asked for, so that fast transfers may lose packets on this machine itself.
    #[must_use]
    pub const fn are_small(&self) -> bool {
        self.receive < self.wanted || self.send < self.wanted
    }
}

/// What a socket gets of the system.
///
/// # Errors
/// None can be made.
pub fn buffers() -> io::Result<Buffers> {
    Socket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?.buffers()
}

/// Bytes a second of a disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DiskRates {
    /// Written, and synced at the end.
    pub write: u64,
    /// Read, and not from memory where the system can be asked for that.
    pub read: u64,
}

/// Writes a file in `dir`, of which nothing is left, for about `time` and at most `most` bytes, and reads it again.
///
/// # Errors
/// It cannot be made, written or read.
pub fn disk(dir: &Path, time: Duration, most: u64) -> io::Result<DiskRates> {
    let path = dir.join(format!(".gannet-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    let rates = rates_of(&mut file, time, most);
    drop(file);
    fs::remove_file(&path)?;
    rates
}

fn rates_of(file: &mut File, time: Duration, most: u64) -> io::Result<DiskRates> {
    let block = noise(BLOCK);
    let (begun, mut bytes) = (Instant::now(), 0);
    while bytes < most && begun.elapsed() < time {
        file.write_all(&block)?;
        bytes += BLOCK as u64;
    }
    file.sync_data()?;
    let write = rate(bytes, begun.elapsed());
    forget(file);
    file.rewind()?;
    let mut block = block;
    let (begun, mut bytes) = (Instant::now(), 0);
    while begun.elapsed() < time {
        match file.read(&mut block)? {
            0 => break,
            len => bytes += len as u64,
        }
    }
    Ok(DiskRates { write, read: rate(bytes, begun.elapsed()) })
}

/// Has the system forget what it keeps of a file in memory.
#[cfg(target_os = "linux")]
fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget(_: &File) {}

/// Bytes a second of one core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CpuRates {
    /// Packets sealed.
    pub seal: u64,
    /// With which cipher: the one that this machine's connections use where the other side can, too.
    pub cipher: Cipher,
    /// Content hashed.
    pub hash: u64,
}

impl CpuRates {
    /// Bytes a second of one core that does both.
    #[must_use]
    pub fn both(&self) -> u64 {
        let seconds = 1.0 / self.seal.max(1) as f64 + 1.0 / self.hash.max(1) as f64;
        (1.0 / seconds) as u64
    }
}

/// Seals packets and hashes content, each for `time`.
///
/// # Errors
/// The cryptography of this machine fails.
pub fn cpu(time: Duration) -> io::Result<CpuRates> {
    let crypto = AwsLc;
    let cipher = if crypto.has_aes() { Cipher::Aes256Gcm } else { Cipher::ChaCha20Poly1305 };
    let key = Secret::random(&crypto).map_err(io::Error::other)?;
    let aead = crypto.aead(cipher, &key);
    let (mut packet, mut tag, mut number) = (noise(PACKET), [0; TAG_LEN], 0u64);
    let seal = repeated(time, PACKET, || {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        number += 1;
        aead.seal(nonce, &[], &mut packet, &mut tag)
            .map_err(|_| io::Error::other("a packet cannot be sealed"))
    })?;
    let block = noise(BLOCK);
    let hash = repeated(time, BLOCK, || {
        std::hint::black_box(blake3::hash(&block));
        Ok(())
    })?;
    Ok(CpuRates { seal, cipher, hash })
}

/// Bytes a second of what takes `len` bytes each time.
fn repeated(
    time: Duration,
    len: usize,
    mut act: impl FnMut() -> io::Result<()>,
) -> io::Result<u64> {
    let (begun, mut bytes) = (Instant::now(), 0);
    while begun.elapsed() < time {
        act()?;
        bytes += len as u64;
    }
    Ok(rate(bytes, begun.elapsed()))
}

fn rate(bytes: u64, time: Duration) -> u64 {
    let rate = u128::from(bytes) * 1_000_000_000 / time.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Bytes that no file system makes less of (xorshift64).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    #[test]
    fn a_disk_is_measured_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let rates = disk(dir.path(), MOMENT, 8 << 20).unwrap();
        assert!(rates.write > 0 && rates.read > 0, "{rates:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(disk(&dir.path().join("gone"), MOMENT, 1).is_err());
    }

    #[test]
    fn a_core_is_measured() {
        let rates = cpu(MOMENT).unwrap();
        assert!(rates.seal > 0 && rates.hash > 0 && rates.both() < rates.seal.min(rates.hash));
    }

    #[test]
    fn buffers_are_small_if_either_is() {
        let all = |receive, send| Buffers { receive, send, wanted: 10 };
        assert!(!all(10, 11).are_small() && all(9, 10).are_small() && all(10, 9).are_small());
        assert!(buffers().unwrap().receive > 0);
    }
}
