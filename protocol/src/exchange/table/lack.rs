//! What is missing for bodies to be sent.

use super::Exchanges;

/// What is missing for more of the bodies to be sent, window and pacer aside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lack {
    /// Room at the receiver.
    Credit,
    /// Bytes from the source.
    Source,
}

/// Exchanges that are looked at: with many side by side the oldest tell what holds them all up.
const LOOKED_AT: usize = 32;

impl Exchanges {
    /// What is missing, if there is anything to send but for that.
    pub(crate) fn lacks(&self) -> Option<Lack> {
        // They want to send, and only the connection's credit lets them stand.
        if !self.senders.is_empty() && self.send_bodies.available() == 0 {
            return Some(Lack::Credit);
        }
        let looked_at = self.live.values().take(LOOKED_AT);
        let mut lack = None;
        for body in looked_at.filter_map(|exchange| exchange.send_body.as_ref()) {
            if body.parked {
                return Some(Lack::Source);
            }
            if body.is_over_limit() {
                lack = Some(Lack::Credit);
            }
        }
        lack
    }
}
