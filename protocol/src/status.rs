//! What a request can come to, as the wire says it.

use core::fmt;

macro_rules! statuses {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal;)+) => {
        /// Why a request failed, as one side tells the other (docs/protocol.md, "Statuses").
        ///
        /// It carries no text: a stranger's words never reach a terminal, and no path of the server leaks.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
        pub enum Status {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Status {
            /// Every status, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name in the protocol's document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The byte on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The status of a byte from the wire, if it is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }

        impl fmt::Display for Status {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

statuses! {
    /// There is no such file or directory.
    NotFound = 1, "not found";
    /// The name exists and must not be replaced.
    Exists = 2, "exists already";
    /// A file is meant and a directory is there.
    IsDirectory = 3, "is a directory";
    /// A directory is meant and something else is there.
    NotDirectory = 4, "is not a directory";
    /// A fifo, socket or device.
    NotRegular = 5, "is not a regular file";
    /// The file system or the server's rules say no.
    Denied = 6, "permission denied";
    /// No room: the disk or a quota is full.
    Full = 7, "no space left";
    /// The file system is mounted read-only.
    ReadOnly = 8, "read-only file system";
    /// The name breaks a rule of names.
    BadName = 9, "bad name";
    /// The source changed while it was sent.
    Changed = 10, "changed while it was sent";
    /// Content did not match its hash.
    Corrupt = 11, "content did not verify";
    /// The size is over what this side can store.
    TooLarge = 12, "too large";
    /// The server is shutting down.
    ShuttingDown = 13, "the server is shutting down";
    /// Others' transfers run, so the server does not stop without being told again.
    Busy = 14, "busy with other transfers";
    /// This side does not know how to do that.
    Unsupported = 15, "not supported";
    /// The user cancelled it.
    Cancelled = 16, "cancelled";
    /// Too many things at once: files, requests, memory.
    Overloaded = 17, "too busy";
    /// The device gave an error.
    Io = 18, "input/output error";
    /// The file system refused the name: it is too long or holds a character it cannot.
    Unnameable = 19, "not a name that its file system can hold";
    /// The peer moved too little of what there was to move, for too long.
    Stalled = 20, "stalled";
    /// A directory that is to be removed holds something.
    NotEmpty = 21, "directory not empty";
}

impl core::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_travel_both_ways() {
        for code in 0..=u8::MAX {
            if let Some(status) = Status::from_code(code) {
                assert_eq!(status.code(), code);
            }
        }
        assert!(Status::ALL.iter().all(|s| Status::from_code(s.code()) == Some(*s)));
    }
}
