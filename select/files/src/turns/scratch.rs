//! Memory that one thread uses turn after turn, whatever the formats of the files.

use std::any::Any;
use std::fmt;
use std::sync::Mutex;

use super::lock;

/// The memory of all threads of a feed that are not in a turn now.
#[derive(Default)]
pub(crate) struct Buffers(Mutex<Vec<Buffer>>);

impl Buffers {
    /// Does work with a buffer that no other thread uses.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Buffer) -> T) -> T {
        let mut buffer = lock(&self.0).pop().unwrap_or_default();
        let done = work(&mut buffer);
        lock(&self.0).push(buffer);
        done
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// The memory of one thread.
#[derive(Default)]
pub(crate) struct Buffer {
    /// Bytes of a file.
    pub(crate) bytes: Vec<u8>,
    pub(crate) scratch: ScratchSpace,
}

/// The memory that formats need to find the records in bytes: one value of each type.
#[derive(Default)]
pub(crate) struct ScratchSpace(Vec<Box<dyn Any + Send>>);

impl ScratchSpace {
    /// Does work with the value of type `T`, which the last turn of its format has left.
    pub(crate) fn with<T: Any + Default + Send>(&mut self, work: impl FnOnce(&mut T)) {
        let known = self.0.iter().position(|scratch| scratch.is::<T>());
        let known = known.and_then(|index| self.0.swap_remove(index).downcast::<T>().ok());
        let mut scratch = known.unwrap_or_default();
        work(&mut scratch);
        self.0.push(scratch);
    }
}
