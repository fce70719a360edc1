//! The exact sum of floating-point numbers, whatever their order.
//!
//! Each morsel is added up separately and the sums are merged, so a rounding accumulator would give
//! answers that depend on how a file was divided. This accumulator is a fixed-point number wide
//! enough for every finite `f64` (a superaccumulator after Neal, "Fast Exact Summation Using Small
//! and Large Superaccumulators", arXiv:1505.05571). It rounds once, at the end, to the nearest
//! value, ties to even.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "digits are masked to the width of a limb, and places count the bits of a number"
)]

/// Bit 0 is 2⁻¹⁰⁷⁴, the highest bit of a finite value is 2¹⁰²³; the rest is room for carries.
const LIMBS: usize = 70;
const LIMB_BITS: u32 = 32;
const LIMB_MASK: u128 = (1 << LIMB_BITS) - 1;

/// Each addition changes a limb by less than 2³²: this many fit an `i64` between two carries.
const ADDITIONS_MAX: u32 = 1 << 30;

const MANTISSA_BITS: u32 = 52;

/// The exact sum of the values added so far.
#[derive(Clone, Debug)]
pub(crate) struct ExactSum {
    /// Little-endian digits to the base 2³², signed, carried now and then.
    limbs: [i64; LIMBS],
    additions: u32,
    /// The sum of NaN and infinities, which digits cannot represent.
    special: f64,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], additions: 0, special: 0.0 }
    }
}

impl ExactSum {
    /// Adds one value.
    pub(crate) fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.special += value;
            return;
        }
        let bits = value.to_bits();
        let exponent = (bits >> MANTISSA_BITS) & 0x7ff;
        let fraction = bits & ((1 << MANTISSA_BITS) - 1);
        // Subnormal values have exponent 0, no implicit bit and the scale of exponent 1.
        let (mantissa, position) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | 1 << MANTISSA_BITS, exponent - 1),
        };
        let limb = (position / u64::from(LIMB_BITS)) as usize;
        let digits = u128::from(mantissa) << (position % u64::from(LIMB_BITS));
        let sign = if value.is_sign_negative() { -1 } else { 1 };
        for (limb, shift) in self.limbs[limb..limb + 3].iter_mut().zip([0, 32, 64]) {
            *limb += sign * ((digits >> shift) & LIMB_MASK) as i64;
        }
        self.additions += 1;
        if self.additions == ADDITIONS_MAX {
            self.carry();
        }
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (limb, more) in self.limbs.iter_mut().zip(other.limbs) {
            *limb += more;
        }
        self.carry();
        self.special += other.special;
    }

    /// Appends the sum as bytes.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let mut sum = self.clone();
        sum.carry();
        bytes.extend(sum.limbs.iter().flat_map(|limb| limb.to_le_bytes()));
        bytes.extend(sum.special.to_le_bytes());
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else { return None };
        let (special, limbs) = words.split_last()?;
        let limbs: &[[u8; 8]; LIMBS] = limbs.try_into().ok()?;
        let limbs = limbs.map(i64::from_le_bytes);
        Some(Self { limbs, additions: 0, special: f64::from_le_bytes(*special) })
    }

    /// Returns whether NaN or an infinity was added.
    pub(crate) fn has_special(&self) -> bool {
        self.special != 0.0
    }

    /// Returns the sum, rounded once; infinite if it is beyond the largest `f64`.
    pub(crate) fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.limbs[LIMBS - 1] < 0;
        if negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            sum.carry();
        }
        let magnitude = sum.rounded_magnitude();
        if negative { -magnitude } else { magnitude }
    }

    /// Brings every limb except the last, which has the sign, into 0..2³².
    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let digit = *limb + carry;
            carry = digit >> LIMB_BITS;
            *limb = digit & LIMB_MASK as i64;
        }
        self.limbs[LIMBS - 1] += carry;
        self.additions = 0;
    }

    /// Returns the value of carried, non-negative limbs.
    fn rounded_magnitude(&self) -> f64 {
        let Some(top) = self.limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
        let digit = |limb: usize| self.limbs.get(limb).copied().unwrap_or(0) as u128;
        let top_bit = top as u32 * LIMB_BITS + self.limbs[top].ilog2();
        if top_bit <= MANTISSA_BITS {
            // Subnormal or in the lowest binade: the digits are the bits.
            return f64::from_bits((digit(0) | digit(1) << LIMB_BITS) as u64);
        }
        let dropped = top_bit - MANTISSA_BITS;
        let low = (dropped / LIMB_BITS) as usize;
        let window = digit(low) | digit(low + 1) << LIMB_BITS | digit(low + 2) << (2 * LIMB_BITS);
        let shift = dropped % LIMB_BITS;
        let mantissa = (window >> shift) as u64;
        let half = self.bit(dropped - 1);
        let sticky = || (0..dropped - 1).any(|bit| self.bit(bit));
        let round_up = half && (mantissa & 1 == 1 || sticky());
        // The implicit bit of the mantissa adds one to the exponent; so does a carry out of it.
        let bits = (u64::from(dropped) << MANTISSA_BITS) + mantissa + u64::from(round_up);
        f64::from_bits(bits.min(f64::INFINITY.to_bits()))
    }

    fn bit(&self, bit: u32) -> bool {
        self.limbs[(bit / LIMB_BITS) as usize] >> (bit % LIMB_BITS) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::ExactSum;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add(*value));
        sum.value()
    }

    #[test]
    fn one_value_is_itself() {
        let values = [
            0.0,
            1.0,
            -1.5,
            0.1,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            f64::from_bits(1),
            -f64::from_bits(0xf_ffff_ffff_ffff),
            f64::from_bits(0x1f_ffff_ffff_ffff),
            1e300,
            -1e-300,
        ];
        for value in values {
            assert_eq!(sum(&[value]), value, "{value:e}");
            assert_eq!(sum(&[value, -value]), 0.0, "{value:e}");
            assert_eq!(sum(&[1e100, value, -1e100]), value, "{value:e}");
        }
    }

    #[test]
    fn rounds_once_and_to_even() {
        assert_eq!(sum(&[0.1; 10]), 1.0);
        let two_53 = 9_007_199_254_740_992.0;
        assert_eq!(sum(&[two_53, 1.0]), two_53);
        assert_eq!(sum(&[two_53, 1.0, 1e-300]), two_53 + 2.0);
        assert_eq!(sum(&[two_53, 3.0]), two_53 + 4.0);
        assert_eq!(sum(&[-two_53, -1.0, -1e-300]), -two_53 - 2.0);
    }

    #[test]
    fn leaves_the_range_only_at_the_end() {
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum(&[1.0, f64::NEG_INFINITY]), f64::NEG_INFINITY);
    }

    #[test]
    fn merging_equals_adding() {
        let values: Vec<f64> =
            (1..2000).map(|i| f64::from(i).sin() * 10f64.powi(i % 600 - 300)).collect();
        for cut in [0, 1, 700, 1998] {
            let (mut left, mut right) = (ExactSum::default(), ExactSum::default());
            values[..cut].iter().for_each(|value| left.add(*value));
            values[cut..].iter().for_each(|value| right.add(*value));
            let mut bytes = Vec::new();
            right.write(&mut bytes);
            left.merge(&ExactSum::read(&bytes).unwrap());
            assert_eq!(left.value(), sum(&values));
        }
    }
}
