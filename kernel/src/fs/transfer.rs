//! Where the bytes of a read go and the bytes of a write come from.
//!
//! In the kernel that is user memory, which may turn out to be unmapped half way; in tests it is a slice.

/// Takes the bytes of a read.
pub(crate) trait Sink {
    /// How many more bytes are wanted.
    fn room(&self) -> usize;

    /// Takes as many of `bytes` as there is room for and returns how many. Fewer than
    /// `min(bytes.len(), room())` means that the memory behind the sink is bad.
    fn put(&mut self, bytes: &[u8]) -> usize;
}

/// Gives the bytes of a write.
pub(crate) trait Source {
    /// How many more bytes there are.
    fn left(&self) -> usize;

    /// Fills `into` from the front and returns how many bytes were there. Fewer than
    /// `min(into.len(), left())` means that the memory behind the source is bad.
    fn take(&mut self, into: &mut [u8]) -> usize;
}

/// How many bytes go through a buffer on the kernel stack at once.
pub(crate) const CHUNK: usize = 512;

/// Puts `length` zero bytes; returns how many were taken.
pub(crate) fn put_zeroes(sink: &mut dyn Sink, length: usize) -> usize {
    put_generated(sink, length, |_| {})
}

/// Puts `length` bytes that `fill` writes into the zeroed chunks it is given; returns how many were taken.
pub(crate) fn put_generated(sink: &mut dyn Sink, length: usize, mut fill: impl FnMut(&mut [u8])) -> usize {
    let mut done = 0;
    while done < length {
        let mut chunk = [0; CHUNK];
        let piece = &mut chunk[..CHUNK.min(length - done)];
        fill(piece);
        let taken = sink.put(piece);
        done += taken;
        if taken < piece.len() {
            break;
        }
    }
    done
}
