//! Where a dataset's bytes lie: in large pages if the system has them, since training reads rows in
//! random order and would miss the address cache at every one.

use std::ops::Deref;

use memmap2::MmapMut;

/// Below it the address cache reaches.
const LARGE: usize = 4 << 20;

/// Bytes that do not change.
pub(super) enum Memory {
    Heap(Vec<u8>),
    Mapped(MmapMut),
}

impl From<Vec<u8>> for Memory {
    /// Moves many bytes to large pages; where there are none, they stay.
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() < LARGE {
            return Self::Heap(bytes);
        }
        let Ok(mut mapped) = MmapMut::map_anon(bytes.len()) else { return Self::Heap(bytes) };
        #[cfg(target_os = "linux")]
        if mapped.advise(memmap2::Advice::HugePage).is_err() {
            return Self::Heap(bytes);
        }
        mapped.copy_from_slice(&bytes);
        Self::Mapped(mapped)
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(bytes) => bytes,
        }
    }
}
