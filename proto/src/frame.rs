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
//! Decoding is sans-I/O: [`Header::decode`] takes the eight bytes, wherever they came from.

/// Bytes of a header.
pub const HEADER_BYTES: usize = 8;

/// Largest body that either side sends or accepts, unless Welcome says less: 8 MiB.
pub const BODY_BYTES_MAX: u32 = 8 << 20;

/// Largest body of a control message: 1 MiB.
pub const CONTROL_BYTES_MAX: u32 = 1 << 20;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`Hello`](crate::message::Hello), the first frame of a client.
    Hello = 1,
    /// [`Welcome`](crate::message::Welcome), its answer.
    Welcome = 2,
    /// [`Failure`](crate::message::Failure), ends an answer or the connection.
    Failure = 3,
    /// [`Finished`](crate::message::Finished), the end marker of a whole answer.
    Finished = 4,
    /// [`Cancel`](crate::message::Cancel), stops the answer under way.
    Cancel = 5,
    /// [`SelectRequest`](crate::message::SelectRequest).
    Select = 6,
    /// [`FetchRequest`](crate::message::FetchRequest).
    Fetch = 7,
    /// [`ListRequest`](crate::message::ListRequest).
    List = 8,
    /// [`DescribeRequest`](crate::message::DescribeRequest).
    Describe = 9,
    /// [`ExplainRequest`](crate::message::ExplainRequest).
    Explain = 10,
    /// [`ChannelRequest`](crate::message::ChannelRequest).
    Channel = 11,
    /// An Arrow IPC schema message.
    Schema = 12,
    /// An Arrow IPC record batch message.
    Batch = 13,
    /// [`FetchStart`](crate::message::FetchStart).
    FetchStart = 14,
    /// Bytes of a fetched file.
    Chunk = 15,
    /// [`FileList`](crate::message::FileList).
    FileList = 16,
    /// [`Description`](crate::message::Description).
    Description = 17,
    /// [`Explanation`](crate::message::Explanation).
    Explanation = 18,
    /// [`ChannelReport`](crate::message::ChannelReport).
    ChannelReport = 19,
}
