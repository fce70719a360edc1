//! The frame: a fixed header of eight bytes before every body on a connection.
//!
//! ```text
//! byte 0    kind, 1 to 63 without 20 to 23: the first byte of a connection tells Sift from TLS
//!           (content types 20 to 23) and from HTTP (a letter)
//! byte 1    flags, 0 in version 1
//! byte 2-3  reserved, 0
//! byte 4-7  length of the body in bytes, little-endian
//! ```
//!
//! This module does no I/O: [`Header::decode`] takes the eight bytes, [`Decoder`] takes bytes from
//! any source. [`encode_message`] makes the body of a control message. The body of a data frame is
//! sent after [`Header::encode`] as it is, without another copy.
//!
//! ```
//! use sift_proto::frame::{encode_message, Decoder, Kind, BODY_BYTES_MAX};
//! use sift_proto::message::Hello;
//!
//! let hello = Hello { version: 1, client: "example".into(), level: 3, ..Hello::default() };
//! let bytes = encode_message(Kind::Hello, &hello)?;
//! let frame = Decoder::new(BODY_BYTES_MAX).decode(&mut &bytes[..])?.expect("a whole frame");
//! assert_eq!(frame.kind, Kind::Hello);
//! # Ok::<(), sift_proto::frame::FrameError>(())
//! ```

mod compressed;
mod decoder;

use std::fmt;

pub use compressed::{Compression, DecompressError, compress, decompress, decompressed_bytes};
pub use decoder::{Decoder, Frame};

/// The features of Hello and Welcome.
pub mod feature {
    /// Batches come as narrow columns.
    pub const NARROW: &str = "narrow";
    /// Data frames may be compressed by LZ4.
    pub const LZ4: &str = "lz4";
    /// Data frames may be compressed by Zstandard.
    pub const ZSTD: &str = "zstd";
    /// Data frames are compressed on fast links, too, if the server may compress them.
    pub const COMPRESS: &str = "compress";
}

/// The length of a header, in bytes.
pub const HEADER_BYTES: usize = 8;

/// The maximal body that either side sends or accepts, in bytes: 8 MiB. Welcome can say less.
pub const BODY_BYTES_MAX: u32 = 8 << 20;

/// The maximal body of a control message, in bytes: 1 MiB.
pub const CONTROL_BYTES_MAX: u32 = 1 << 20;

/// The header of a frame, which comes before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind of the body.
    pub kind: Kind,
    /// The length of the body, without the header.
    pub body_bytes: u32,
}

impl Header {
    /// Encodes the header.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.body_bytes.to_le_bytes();
        [self.kind as u8, 0, 0, 0, a, b, c, d]
    }

    /// Decodes a header. `body_bytes_max` is the limit for a body. For control messages,
    /// [`CONTROL_BYTES_MAX`] is a limit too.
    ///
    /// # Errors
    /// `UnknownKind`, `Flags`, `Reserved`, `BodyTooLarge`: the peer does not speak this protocol,
    /// and nothing after the header can be trusted.
    pub fn decode(bytes: [u8; HEADER_BYTES], body_bytes_max: u32) -> Result<Self, FrameError> {
        let [kind, flags, r0, r1, a, b, c, d] = bytes;
        let kind = Kind::try_from(kind)?;
        if flags != 0 {
            return Err(FrameError::Flags(flags));
        }
        let reserved = u16::from_le_bytes([r0, r1]);
        if reserved != 0 {
            return Err(FrameError::Reserved(reserved));
        }
        let body_bytes = u32::from_le_bytes([a, b, c, d]);
        kind.check_body_bytes(u64::from(body_bytes), body_bytes_max)?;
        Ok(Self { kind, body_bytes })
    }
}

/// Encodes a control message as a frame: header and body in one buffer.
///
/// # Errors
/// `BodyTooLarge` when the message is larger than the peer would accept.
pub fn encode_message(kind: Kind, message: &impl prost::Message) -> Result<Vec<u8>, FrameError> {
    let body = message.encode_to_vec();
    let body_bytes = kind.check_body_bytes(body.len() as u64, BODY_BYTES_MAX)?;
    Ok([&Header { kind, body_bytes }.encode(), body.as_slice()].concat())
}

/// The protocol of a peer, by the first byte of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// This protocol, without encryption: the byte is a kind of frame.
    Frame,
    /// TLS: the byte begins a TLS record.
    Tls,
    /// HTTP, or a person at a keyboard: the byte is a letter.
    Text,
    /// An unknown protocol.
    Other,
}

impl Opening {
    /// Returns the protocol that begins with this byte.
    pub fn from_first_byte(byte: u8) -> Self {
        match byte {
            20..=23 => Self::Tls,
            1..=63 => Self::Frame,
            b'A'..=b'Z' | b'a'..=b'z' => Self::Text,
            _ => Self::Other,
        }
    }
}

/// A reason why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The first byte is not a kind of this version.
    #[error("unknown frame kind {0}, version 1 has 1 to 19, 24 and 25")]
    UnknownKind(u8),
    /// The second byte is not 0.
    #[error("frame flags {0:#04x}, version 1 has none")]
    Flags(u8),
    /// The third and fourth byte are not 0.
    #[error("reserved bytes {0:#06x} in a frame header, version 1 has 0 there")]
    Reserved(u16),
    /// The body is larger than its kind may be.
    #[error("{kind} frame of {body_bytes} bytes, at most {body_bytes_max} are accepted")]
    BodyTooLarge {
        /// The kind in the header.
        kind: Kind,
        /// The length in the header.
        body_bytes: u64,
        /// The limit.
        body_bytes_max: u32,
    },
    /// The bytes ended inside a frame.
    #[error("the connection ended within a frame, after {got} of {expected} bytes")]
    Truncated {
        /// The bytes of the frame that were received.
        got: u64,
        /// The bytes that were expected: a header, or the whole frame if its length is known.
        expected: u64,
    },
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal $class:ident,)*) => {
        /// The kind of a body.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// Every kind, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns whether the body is a message of [`message`](crate::message), not data.
            pub fn is_control(self) -> bool {
                match self { $(Self::$name => kinds!(@ $class),)* }
            }
        }

        impl TryFrom<u8> for Kind {
            type Error = FrameError;

            fn try_from(number: u8) -> Result<Self, FrameError> {
                match number {
                    $($number => Ok(Self::$name),)*
                    _ => Err(FrameError::UnknownKind(number)),
                }
            }
        }

        /// The kind is displayed by its name in the documentation: `Hello`.
        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => stringify!($name),)* })
            }
        }
    };
    (@ control) => { true };
    (@ data) => { false };
}

kinds! {
    /// [`Hello`](crate::message::Hello), the first frame of a client.
    Hello = 1 control,
    /// [`Welcome`](crate::message::Welcome), the answer to Hello.
    Welcome = 2 control,
    /// [`Failure`](crate::message::Failure), which ends an answer or the connection.
    Failure = 3 control,
    /// [`Finished`](crate::message::Finished), the end marker of a whole answer.
    Finished = 4 control,
    /// [`Cancel`](crate::message::Cancel), which stops the current answer.
    Cancel = 5 control,
    /// [`SelectRequest`](crate::message::SelectRequest).
    Select = 6 control,
    /// [`FetchRequest`](crate::message::FetchRequest).
    Fetch = 7 control,
    /// [`ListRequest`](crate::message::ListRequest).
    List = 8 control,
    /// [`DescribeRequest`](crate::message::DescribeRequest).
    Describe = 9 control,
    /// [`ExplainRequest`](crate::message::ExplainRequest).
    Explain = 10 control,
    /// [`ChannelRequest`](crate::message::ChannelRequest).
    Channel = 11 control,
    /// An Arrow IPC schema message.
    Schema = 12 data,
    /// An Arrow IPC record batch message.
    Batch = 13 data,
    /// [`FetchStart`](crate::message::FetchStart).
    FetchStart = 14 control,
    /// Bytes of a fetched file.
    Chunk = 15 data,
    /// [`FileList`](crate::message::FileList).
    FileList = 16 control,
    /// [`Description`](crate::message::Description).
    Description = 17 control,
    /// [`Explanation`](crate::message::Explanation).
    Explanation = 18 control,
    /// [`ChannelReport`](crate::message::ChannelReport).
    ChannelReport = 19 control,
    /// A batch of records as narrow columns, in place of Batch. Needs [`feature::NARROW`].
    Narrow = 24 data,
    /// A data frame in compressed form. Needs [`feature::LZ4`] or [`feature::ZSTD`].
    Compressed = 25 data,
}

impl Kind {
    fn check_body_bytes(self, body_bytes: u64, body_bytes_max: u32) -> Result<u32, FrameError> {
        let body_bytes_max =
            if self.is_control() { body_bytes_max.min(CONTROL_BYTES_MAX) } else { body_bytes_max };
        match u32::try_from(body_bytes) {
            Ok(bytes) if bytes <= body_bytes_max => Ok(bytes),
            _ => Err(FrameError::BodyTooLarge { kind: self, body_bytes, body_bytes_max }),
        }
    }
}
