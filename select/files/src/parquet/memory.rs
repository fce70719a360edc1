//! The memory that one thread reads and decompresses pages into, turn after turn: memory that is
//! allocated anew for each page costs the kernel as much as many a page takes to decode.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::turns::lock;

/// The most bytes that are kept for the next pages.
const SPARE_BYTES_MAX: usize = 16 << 20;

/// The most buffers, and the most decoders, that are kept.
const SPARE_MAX: usize = 64;

/// A decoder of Zstandard, which is expensive to make.
pub(super) type Zstd = Box<zstd::bulk::Decompressor<'static>>;

/// The memory of a thread, for all columns of a turn.
#[derive(Clone, Default)]
pub(super) struct PageMemory(Arc<Mutex<Spare>>);

#[derive(Default)]
struct Spare {
    /// Empty buffers for decompressed pages.
    pages: Vec<Vec<u8>>,
    /// Bytes of the file that nobody needs any more.
    windows: Vec<Vec<u8>>,
    decoders: Vec<Zstd>,
    /// The capacity of all buffers.
    bytes: usize,
}

impl PageMemory {
    /// Returns an empty buffer with room for a page.
    pub(super) fn page(&self, bytes: usize) -> Vec<u8> {
        let mut spare = lock(&self.0);
        let fits = spare.pages.iter().enumerate().filter(|(_, page)| page.capacity() >= bytes);
        let least = fits.min_by_key(|(_, page)| page.capacity()).map(|(index, _)| index);
        match least {
            Some(index) => {
                let page = spare.pages.swap_remove(index);
                spare.bytes -= page.capacity();
                page
            }
            // the next page may be a little longer
            None => Vec::with_capacity(bytes.saturating_add(bytes / 8)),
        }
    }

    /// Takes back the pages that no decoder has any more.
    pub(super) fn recover(&self, lent: &mut Vec<Bytes>) {
        let free = lent.extract_if(.., |page| page.is_unique());
        for mut page in free {
            // a buffer with bytes in it would be copied
            page.truncate(0);
            lock(&self.0).keep(page.into(), |spare| &mut spare.pages);
        }
    }

    /// Returns a buffer with any bytes in it.
    pub(super) fn window(&self) -> Vec<u8> {
        let mut spare = lock(&self.0);
        let window = spare.windows.pop().unwrap_or_default();
        spare.bytes -= window.capacity();
        window
    }

    pub(super) fn take_window(&self, window: Vec<u8>) {
        lock(&self.0).keep(window, |spare| &mut spare.windows);
    }

    pub(super) fn decoder(&self) -> Option<Zstd> {
        lock(&self.0).decoders.pop()
    }

    pub(super) fn take_decoder(&self, decoder: Zstd) {
        let decoders = &mut lock(&self.0).decoders;
        if decoders.len() < SPARE_MAX {
            decoders.push(decoder);
        }
    }
}

impl Spare {
    fn keep(&mut self, buffer: Vec<u8>, among: impl FnOnce(&mut Self) -> &mut Vec<Vec<u8>>) {
        let bytes = self.bytes + buffer.capacity();
        let buffers = among(self);
        if bytes <= SPARE_BYTES_MAX && buffers.len() < SPARE_MAX {
            buffers.push(buffer);
            self.bytes = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_reused_once_nobody_has_it() {
        let memory = PageMemory::default();
        let mut page = memory.page(1000);
        page.resize(1000, 7);
        let page = Bytes::from(page);
        let mut lent = vec![page.clone()];
        memory.recover(&mut lent);
        assert_eq!(lent.len(), 1);
        drop(page);
        memory.recover(&mut lent);
        assert!(lent.is_empty());
        assert_eq!(lock(&memory.0).pages.len(), 1);
        // too small for this one
        assert!(memory.page(100_000).capacity() >= 100_000);
        let again = memory.page(1100);
        assert!(again.is_empty() && again.capacity() >= 1100);
        assert_eq!(lock(&memory.0).bytes, 0);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let memory = PageMemory::default();
        for _ in 0..100 {
            memory.take_window(Vec::with_capacity(1 << 20));
        }
        assert!(lock(&memory.0).bytes <= SPARE_BYTES_MAX);
        for _ in 0..1000 {
            memory.take_window(Vec::with_capacity(1));
        }
        assert!(lock(&memory.0).windows.len() <= SPARE_MAX);
    }
}
