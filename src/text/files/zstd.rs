//! A file of Zstandard: its frames one after the other, each held to its checksum.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What the frames of a file hold. The decoder refuses frames that ask for more than 128 MB of memory, which
/// `zstd` itself makes only when it is told to.
pub(super) struct Frames<R> {
    packed: R,
    decoder: FrameDecoder,
    is_inside: bool,
}

impl<R: BufRead> Frames<R> {
    pub fn new(packed: R) -> Self {
        Self { packed, decoder: FrameDecoder::new(), is_inside: false }
    }

    /// Goes on to the next frame with a text; whether there is one.
    fn enter(&mut self) -> io::Result<bool> {
        while !self.is_inside && !self.packed.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.packed) {
                Ok(()) => self.is_inside = true,
                // A frame for whoever packed the file.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.packed).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(self.is_inside)
    }

    /// Leaves a frame that was read to its end.
    fn leave(&mut self) -> io::Result<()> {
        self.is_inside = false;
        let (told, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        match told.is_some() && told != found {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum is wrong; the file is damaged")),
            false => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while !bytes.is_empty() && self.enter()? {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                // Not more: a frame may be as long as the file.
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.packed, one).map_err(io::Error::other)?;
            }
            match self.decoder.read(bytes)? {
                0 => self.leave()?,
                count => return Ok(count),
            }
        }
        Ok(0)
    }
}
