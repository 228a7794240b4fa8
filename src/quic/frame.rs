//! Messages on streams: one message per one-way stream, its length first.
//!
//! The length is four bytes, big-endian, and is judged before anything is read or allocated for
//! what follows. The stream must end where the length says.

use bytes::{Bytes, BytesMut};
use quinn::{Connection, ReadError, ReadExactError, RecvStream, SendStream, WriteError};
use thiserror::Error;

/// Bytes of a length.
const HEADER_BYTES: usize = 4;

/// What is allocated at most on the word of a length alone, in bytes.
const ALLOCATED_BYTES_FIRST: usize = 16 << 10;

/// Why a message could not be read.
#[derive(Debug, Error)]
pub(super) enum FrameError {
    #[error("announced as {bytes} bytes, at most {bytes_max} allowed")]
    Oversize { bytes: usize, bytes_max: usize },
    #[error("ended before its length, or did not end there")]
    Garbage,
    #[error("the connection ended")]
    Lost,
}

/// Reads the one message of a stream, of at most `bytes_max`.
pub(super) async fn read(stream: &mut RecvStream, bytes_max: usize) -> Result<Bytes, FrameError> {
    let bytes = read_length(stream).await?;
    if bytes > bytes_max {
        return Err(FrameError::Oversize { bytes, bytes_max });
    }
    let mut message = BytesMut::with_capacity(bytes.min(ALLOCATED_BYTES_FIRST));
    // The next chunk is asked for one byte past the end, to see that nothing follows.
    while let Some(chunk) = next_chunk(stream, bytes + 1 - message.len()).await? {
        message.extend_from_slice(&chunk);
        if message.len() > bytes {
            return Err(FrameError::Garbage);
        }
    }
    if message.len() < bytes {
        return Err(FrameError::Garbage);
    }
    Ok(message.freeze())
}

async fn read_length(stream: &mut RecvStream) -> Result<usize, FrameError> {
    let mut header = [0; HEADER_BYTES];
    match stream.read_exact(&mut header).await {
        Ok(()) => Ok(u32::from_be_bytes(header) as usize),
        Err(ReadExactError::ReadError(ReadError::ConnectionLost(_))) => Err(FrameError::Lost),
        Err(_) => Err(FrameError::Garbage),
    }
}

async fn next_chunk(stream: &mut RecvStream, bytes: usize) -> Result<Option<Bytes>, FrameError> {
    match stream.read_chunk(bytes, true).await {
        Ok(chunk) => Ok(chunk.map(|chunk| chunk.bytes)),
        Err(ReadError::ConnectionLost(_)) => Err(FrameError::Lost),
        Err(_) => Err(FrameError::Garbage),
    }
}

/// Writes `message` on a stream of its own, and gives the stream back to wait upon.
pub(super) async fn write(
    connection: &Connection,
    message: Bytes,
) -> Result<SendStream, WriteError> {
    let mut stream = connection.open_uni().await?;
    let length = u32::try_from(message.len()).expect("callers keep to the frame limit");
    let header = Bytes::copy_from_slice(&length.to_be_bytes());
    stream.write_all_chunks(&mut [header, message]).await?;
    stream.finish().map_err(|_| WriteError::ClosedStream)?;
    Ok(stream)
}
