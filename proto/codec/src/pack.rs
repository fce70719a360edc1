//! Unsigned numbers in one to eight bytes each.

/// Returns the number of bytes that numbers up to `max` need; 0 if all are 0.
pub(crate) fn width(max: u64) -> usize {
    (u64::BITS - max.leading_zeros()).div_ceil(8) as usize
}

/// Calls the instance of a function for a width, which is 1 to 8.
macro_rules! with_width {
    ($width:expr, $function:ident::<$($type:ty),*>($($argument:expr),*)) => {
        match $width {
            1 => $function::<$($type,)* 1>($($argument),*),
            2 => $function::<$($type,)* 2>($($argument),*),
            3 => $function::<$($type,)* 3>($($argument),*),
            4 => $function::<$($type,)* 4>($($argument),*),
            5 => $function::<$($type,)* 5>($($argument),*),
            6 => $function::<$($type,)* 6>($($argument),*),
            7 => $function::<$($type,)* 7>($($argument),*),
            _ => $function::<$($type,)* 8>($($argument),*),
        }
    };
}

/// Appends the lowest `width` bytes (0 to 8) of each number.
pub(crate) fn pack<N: Iterator<Item = u64>>(
    numbers: N,
    count: usize,
    width: usize,
    out: &mut Vec<u8>,
) {
    if width > 0 {
        with_width!(width, pack_as::<N>(numbers, count, out));
    }
}

fn pack_as<N: Iterator<Item = u64>, const WIDTH: usize>(
    numbers: N,
    count: usize,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + count * WIDTH, 0);
    let (slots, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<WIDTH>();
    for (slot, number) in slots.iter_mut().zip(numbers) {
        let bytes = number.to_le_bytes();
        if let Some(low) = bytes.first_chunk() {
            *slot = *low;
        }
    }
}

/// Returns `count` values made of numbers of `width` bytes (0 to 8). `bytes` has that many.
pub(crate) fn unpack<T>(
    bytes: &[u8],
    count: usize,
    width: usize,
    make: impl FnMut(u64) -> T,
) -> Vec<T> {
    fn unpack_as<T, M: FnMut(u64) -> T, const WIDTH: usize>(bytes: &[u8], mut make: M) -> Vec<T> {
        let number = |chunk: &[u8; WIDTH]| {
            let mut wide = [0; 8];
            if let Some(low) = wide.first_chunk_mut() {
                *low = *chunk;
            }
            make(u64::from_le_bytes(wide))
        };
        bytes.as_chunks().0.iter().map(number).collect()
    }
    let mut make = make;
    if width == 0 {
        return std::iter::repeat_with(|| make(0)).take(count).collect();
    }
    with_width!(width, unpack_as::<T, _>(bytes, make))
}
