//! Where the body of a response ends.

use std::ops::ControlFlow;

/// How many bytes there may be between the chunks of a body: the extensions of one chunk's size, or
/// all trailers.
const MOST_BETWEEN: u32 = 64 << 10;

/// The body of a response; only its length is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// This many bytes are still to come.
    Length(u64),
    Chunked(Chunks),
    /// It ends when the server closes the connection.
    UntilClose,
}

/// The position of the next byte in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    place: Place,
    /// How many bytes were between chunks since the last one.
    between: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a chunk's size, with the digits read so far, if any.
    Size(Option<u64>),
    /// After a chunk's size, up to the end of its line.
    Extension(u64),
    /// At the line feed after a chunk's size.
    SizeEnd(u64),
    Data(u64),
    /// At the carriage return after a chunk, then at the line feed.
    DataReturn,
    DataEnd,
    /// At the beginning of a trailer, or of the empty line that ends them.
    TrailerStart,
    Trailer,
    /// At the final line feed.
    End,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Body {
    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunks { place: Place::Size(None), between: 0 })
    }

    /// Takes the next `bytes`, and adds those of the body itself to `count`. Breaks with the bytes
    /// after the body when it ends.
    pub(crate) fn take<'a>(
        &mut self,
        bytes: &'a [u8],
        count: &mut u64,
    ) -> Result<ControlFlow<&'a [u8]>, Malformed> {
        match self {
            Self::UntilClose => {
                *count += bytes.len() as u64;
                Ok(ControlFlow::Continue(()))
            }
            Self::Length(left) => {
                let rest = skip(left, bytes, count);
                Ok(if *left == 0 { ControlFlow::Break(rest) } else { ControlFlow::Continue(()) })
            }
            Self::Chunked(chunks) => chunks.take(bytes, count),
        }
    }
}

/// Takes at most `left` of `bytes`, and returns the rest.
fn skip<'a>(left: &mut u64, bytes: &'a [u8], count: &mut u64) -> &'a [u8] {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= taken as u64;
    *count += taken as u64;
    &bytes[taken..]
}

impl Chunks {
    fn take<'a>(
        &mut self,
        mut bytes: &'a [u8],
        count: &mut u64,
    ) -> Result<ControlFlow<&'a [u8]>, Malformed> {
        loop {
            if let Place::Data(left) = &mut self.place {
                bytes = skip(left, bytes, count);
                if *left > 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                *self = Self { place: Place::DataReturn, between: 0 };
            }
            let Some((byte, rest)) = bytes.split_first() else {
                return Ok(ControlFlow::Continue(()));
            };
            bytes = rest;
            if self.place == Place::End && *byte == b'\n' {
                return Ok(ControlFlow::Break(bytes));
            }
            self.between += 1;
            if self.between > MOST_BETWEEN {
                return Err(Malformed);
            }
            self.place = self.place.after(*byte).ok_or(Malformed)?;
        }
    }
}

impl Place {
    /// The state after `byte`; `None` if `byte` is not allowed here.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size(Some(size.unwrap_or(0).checked_mul(16)?.checked_add(digit.into())?))
            }
            (Self::Size(size), b'\r') => Self::SizeEnd(size?),
            (Self::Size(size), b';' | b' ' | b'\t') => Self::Extension(size?),
            (Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Extension(_), byte) if byte != b'\n' => self,
            (Self::SizeEnd(0), b'\n') => Self::TrailerStart,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(None),
            (Self::TrailerStart, b'\r') => Self::End,
            (Self::TrailerStart, byte) if byte != b'\n' => Self::Trailer,
            (Self::Trailer, b'\n') => Self::TrailerStart,
            (Self::Trailer, _) => self,
            _ => return None,
        })
    }
}
