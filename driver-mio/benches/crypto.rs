//! What the cryptography costs: handshakes a second, and sealing and opening packets beside the AEAD alone.
//!
//! `cargo bench -p gannet-driver-mio --bench crypto`

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use gannet_driver_mio::crypto::AwsLc;
use gannet_protocol::{
    Protect,
    crypto::{Cipher, Crypto, Identity, Secret, TAG_LEN},
    noise::{Answering, Initiator, Keys, Responder},
    sealed::{Limits, Sealed},
};

const CIPHERS: [Cipher; 2] = [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305];
/// UDP payloads of Ethernet's 1500 and of jumbo frames' 9000 bytes.
const SIZES: [usize; 2] = [1472, 8972];
/// Type, connection id, packet number.
const HEADER: usize = 17;

/// One way to protect packets, to be measured.
trait Subject {
    /// Seals the next packet.
    fn seal(&mut self, packet: &mut [u8]);
    /// Opens packet 0.
    fn open(&mut self, packet: &mut [u8]);
}

/// As a connection does it.
struct Whole {
    sender: Sealed,
    receiver: Sealed,
    number: u64,
}

impl Whole {
    fn new(cipher: Cipher) -> Self {
        let crypto: Arc<dyn Crypto> = Arc::new(AwsLc);
        let [sender, receiver] = [[1, 2], [2, 1]].map(|keys| {
            let [send, receive] = keys.map(|byte: u8| Secret::take(&mut [byte; 32]));
            let keys = Keys { cipher, send, receive, transcript: [0; 32] };
            Sealed::new(&crypto, keys, Limits::new(cipher))
        });
        Self { sender, receiver, number: 0 }
    }
}

impl Subject for Whole {
    fn seal(&mut self, packet: &mut [u8]) {
        self.sender.seal(self.number, HEADER, packet).expect("numbers grow");
        self.number += 1;
    }

    fn open(&mut self, packet: &mut [u8]) {
        self.receiver.open(0, HEADER, packet).expect("the packet is right");
    }
}

/// The AEAD alone.
struct Alone {
    key: LessSafeKey,
    number: u64,
}

impl Alone {
    fn new(cipher: Cipher) -> Self {
        let algorithm = match cipher {
            Cipher::Aes256Gcm => &AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, &[1; 32]).expect("a key of 32 bytes");
        Self { key: LessSafeKey::new(key), number: 0 }
    }

    fn nonce(number: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Subject for Alone {
    fn seal(&mut self, packet: &mut [u8]) {
        let (header, rest) = packet.split_at_mut(HEADER);
        let (text, tag) = rest.split_at_mut(rest.len() - TAG_LEN);
        let nonce = Self::nonce(self.number);
        let result = self.key.seal_in_place_scatter(nonce, Aad::from(header), text, &[], tag);
        result.expect("packets are short");
        self.number += 1;
    }

    fn open(&mut self, packet: &mut [u8]) {
        let (header, rest) = packet.split_at_mut(HEADER);
        let result = self.key.open_in_place(Self::nonce(0), Aad::from(header), rest);
        result.expect("the packet is right");
    }
}

fn subjects(cipher: Cipher) -> [(&'static str, Box<dyn Subject>); 2] {
    [("packet", Box::new(Whole::new(cipher))), ("AEAD alone", Box::new(Alone::new(cipher)))]
}

/// Opening spoils a packet, so each is a copy: the copy is measured in both subjects.
fn open_copy(subject: &mut dyn Subject, sealed: &[u8], packet: &mut [u8]) {
    packet.copy_from_slice(sealed);
    subject.open(black_box(packet));
}

fn packets(c: &mut Criterion) {
    for cipher in CIPHERS {
        for size in SIZES {
            let mut group = c.benchmark_group(format!("{cipher:?}"));
            group.throughput(Throughput::Bytes(size as u64));
            for (name, mut subject) in subjects(cipher) {
                let mut sealed = vec![7; size];
                subject.seal(&mut sealed);
                let mut packet = sealed.clone();
                group.bench_function(BenchmarkId::new(format!("seal, {name}"), size), |b| {
                    b.iter(|| subject.seal(black_box(&mut packet)));
                });
                group.bench_function(BenchmarkId::new(format!("open, {name}"), size), |b| {
                    b.iter(|| open_copy(&mut *subject, &sealed, &mut packet));
                });
            }
        }
    }
}

struct Ends {
    client: Identity,
    server: Identity,
    cipher: Cipher,
}

impl Ends {
    fn new(cipher: Cipher) -> Self {
        let [client, server] =
            [(); 2].map(|()| Identity::random(Arc::new(AwsLc)).expect("random bytes"));
        Self { client, server, cipher }
    }

    fn greet(&self) -> Initiator {
        Initiator::new(&self.client, self.cipher, &[1; 32], &[]).expect("a hello")
    }

    fn answer(&self, greeting: &[u8]) -> Answering {
        let responder = Responder::read_1(&self.server, self.cipher, &[1; 32], greeting);
        responder.and_then(|responder| responder.write_2(&[2; 64])).expect("an answer")
    }

    fn finish(&self, initiator: &Initiator, answering: &Answering) -> Vec<u8> {
        let answer = initiator.read_2(answering.message()).expect("the answer is right");
        answer.write_3(&[3; 64]).expect("a finish").0
    }
}

fn handshakes(c: &mut Criterion) {
    let ends = Ends::new(Cipher::Aes256Gcm);
    let mut group = c.benchmark_group("handshake");
    group.throughput(Throughput::Elements(1));
    group.bench_function("both sides", |b| {
        b.iter(|| {
            let initiator = ends.greet();
            let mut answering = ends.answer(initiator.message());
            let last = ends.finish(&initiator, &answering);
            answering.read_3(&last).expect("the finish is right")
        });
    });
    let initiator = ends.greet();
    group.bench_function("server, up to its answer", |b| {
        b.iter(|| ends.answer(black_box(initiator.message())));
    });
    let mut answering = ends.answer(initiator.message());
    let mut forged = ends.finish(&initiator, &answering);
    forged[0] ^= 1;
    group.bench_function("server, a forged finish", |b| {
        b.iter(|| answering.read_3(black_box(&forged)).is_err());
    });
    group.finish();
}

/// How long so many steps take.
fn time(mut step: impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..20_000).for_each(|_| step());
    start.elapsed()
}

/// The speed of packets as a share of the AEAD's alone. The two take turns, so that a machine that slows down slows both.
fn ratios() {
    for cipher in CIPHERS {
        for size in SIZES {
            let mut subjects = subjects(cipher);
            let mut sealed = [vec![7; size], vec![7; size]];
            let mut packet = vec![7; size];
            for ((_, subject), sealed) in subjects.iter_mut().zip(&mut sealed) {
                subject.seal(sealed);
            }
            let (mut seal, mut open) = (Vec::new(), Vec::new());
            for _ in 0..21 {
                let [whole, alone] = subjects
                    .each_mut()
                    .map(|(_, subject)| time(|| subject.seal(black_box(&mut packet))));
                seal.push(alone.as_secs_f64() / whole.as_secs_f64());
                let mut sealed = sealed.iter();
                let [whole, alone] = subjects.each_mut().map(|(_, subject)| {
                    let sealed = sealed.next().expect("one each");
                    time(|| open_copy(&mut **subject, sealed, &mut packet))
                });
                open.push(alone.as_secs_f64() / whole.as_secs_f64());
            }
            for (name, ratios) in [("seal", &mut seal), ("open", &mut open)] {
                ratios.sort_by(f64::total_cmp);
                let share = ratios[ratios.len() / 2] * 100.0;
                println!(
                    "{cipher:?}, {size} bytes, {name}: {share:.1}% of the speed of the AEAD alone"
                );
            }
        }
    }
}

criterion_group!(benches, packets, handshakes);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
}
