//! A decoder that makes frames from bytes, which may come in pieces of any size.
//!
//! The memory of a [`Decoder`] grows with the bytes that were received, not with the length in a
//! header. It never holds more than one frame.

use super::{FrameError, HEADER_BYTES, Header, Kind};

/// One complete frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The kind of the body.
    pub kind: Kind,
    /// The body, without the header.
    pub body: Vec<u8>,
}

/// Makes frames from bytes.
///
/// After an error it only returns this error: the bytes after a broken header have no meaning.
#[derive(Clone, Debug)]
pub struct Decoder {
    body_bytes_max: u32,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Header { bytes: [u8; HEADER_BYTES], filled: usize },
    Body { header: Header, body: Vec<u8> },
    Failed(FrameError),
}

const START: State = State::Header { bytes: [0; HEADER_BYTES], filled: 0 };

impl Decoder {
    /// Makes a decoder that expects the start of a frame. `body_bytes_max` is as in
    /// [`Header::decode`].
    pub fn new(body_bytes_max: u32) -> Self {
        Self { body_bytes_max, state: START }
    }

    /// Takes bytes from the start of `input` up to the end of a frame and returns the frame. `None`
    /// means that all of `input` was taken and more is needed.
    ///
    /// # Errors
    /// The errors of [`Header::decode`], as soon as the header is complete, and in every later
    /// call.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Header { bytes, filled } => {
                    let (_, room) = bytes.split_at_mut(*filled);
                    let taken = take(input, room.len());
                    for (to, from) in room.iter_mut().zip(taken) {
                        *to = *from;
                    }
                    *filled += taken.len();
                    if *filled < HEADER_BYTES {
                        return Ok(None);
                    }
                    self.state = match Header::decode(*bytes, self.body_bytes_max) {
                        Ok(header) => State::Body { header, body: Vec::new() },
                        Err(error) => State::Failed(error),
                    };
                }
                State::Body { header, body } => {
                    let missing = (header.body_bytes as usize).saturating_sub(body.len());
                    let taken = take(input, missing);
                    grow(body, taken.len(), header.body_bytes as usize);
                    body.extend_from_slice(taken);
                    if taken.len() < missing {
                        return Ok(None);
                    }
                    let frame = Frame { kind: header.kind, body: std::mem::take(body) };
                    self.state = START;
                    return Ok(Some(frame));
                }
            }
        }
    }

    /// Checks that the bytes end after a frame. The caller has no more bytes.
    ///
    /// # Errors
    /// `Truncated` inside a frame, or the earlier error if there was one.
    pub fn finish(self) -> Result<(), FrameError> {
        let (got, expected) = match &self.state {
            State::Failed(error) => return Err(*error),
            State::Header { filled: 0, .. } => return Ok(()),
            State::Header { filled, .. } => (*filled, HEADER_BYTES as u64),
            State::Body { header, body } => {
                (HEADER_BYTES + body.len(), HEADER_BYTES as u64 + u64::from(header.body_bytes))
            }
        };
        Err(FrameError::Truncated { got: got as u64, expected })
    }

    /// Returns the memory of an incomplete frame, in bytes.
    pub fn buffered_bytes(&self) -> usize {
        match &self.state {
            State::Header { .. } => HEADER_BYTES,
            State::Body { body, .. } => HEADER_BYTES + body.capacity(),
            State::Failed(_) => 0,
        }
    }
}

/// Reserves memory for `more` bytes. The capacity doubles, so that small pieces are not copied
/// again and again, but it is never above `bytes_max`.
fn grow(body: &mut Vec<u8>, more: usize, bytes_max: usize) {
    let needed = body.len() + more;
    if needed > body.capacity() {
        let capacity = needed.max(2 * body.len()).min(bytes_max);
        body.reserve_exact(capacity - body.len());
    }
}

fn take<'a>(input: &mut &'a [u8], bytes_max: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(bytes_max.min(input.len()));
    *input = rest;
    taken
}
