//! How the scales and minima of groups lie in their bytes.

use crate::quant::plane::Plane;

/// Lower four bits of q3_k's 16 scales, in the first 8 bytes.
const LOWER: Plane = Plane { bits: 4, span: 8 };
/// Their upper two bits, in the last 4.
const UPPER: Plane = Plane { bits: 2, span: 4 };

/// The 16 scales of q3_k, each with 32 added.
pub(super) fn read_sixteen(bytes: &[u8]) -> [u8; 16] {
    let mut scales = [0; 16];
    LOWER.read(&bytes[..8], 0, &mut scales);
    UPPER.read(&bytes[8..12], 4, &mut scales);
    scales
}

/// Puts 16 scales of 6 bits into 12 bytes that are zero.
pub(super) fn write_sixteen(scales: &[u8; 16], bytes: &mut [u8]) {
    LOWER.write(scales, 0, &mut bytes[..8]);
    UPPER.write(scales, 4, &mut bytes[8..12]);
}

/// The 8 scales and 8 minima of q4_k and q5_k. The first four of each lie in the lower six bits of bytes
/// 0 to 7; the other four have their lower half in bytes 8 to 11, the scale's first, and their upper
/// two bits above the first four.
pub(super) fn read_pairs(bytes: &[u8]) -> [(u8, u8); 8] {
    std::array::from_fn(|i| match i.checked_sub(4) {
        None => (bytes[i] & 63, bytes[i + 4] & 63),
        Some(j) => (bytes[j + 8] & 15 | bytes[j] >> 6 << 4, bytes[j + 8] >> 4 | bytes[j + 4] >> 6 << 4),
    })
}

/// Puts 8 scales and 8 minima of 6 bits into 12 bytes.
pub(super) fn write_pairs(pairs: &[(u8, u8); 8], bytes: &mut [u8]) {
    for j in 0..4 {
        let ((scale, min), (other_scale, other_min)) = (pairs[j], pairs[j + 4]);
        bytes[j] = scale & 63 | other_scale >> 4 << 6;
        bytes[j + 4] = min & 63 | other_min >> 4 << 6;
        bytes[j + 8] = other_scale & 15 | other_min << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bits_come_back_from_where_they_are_put() {
        let scales: [u8; 16] = std::array::from_fn(|i| (i * 37 % 64) as u8);
        let mut bytes = [0; 12];
        write_sixteen(&scales, &mut bytes);
        assert_eq!(read_sixteen(&bytes), scales);
        let pairs: [(u8, u8); 8] = std::array::from_fn(|i| ((i * 29 + 3) as u8 % 64, (i * 51 + 7) as u8 % 64));
        write_pairs(&pairs, &mut bytes);
        assert_eq!(read_pairs(&bytes), pairs);
    }

    #[test]
    fn every_bit_belongs_to_one_number() {
        // As the format's description draws them: the byte, the bit, whose it is.
        for (byte, bit, of, value) in [(0, 0, 0, 1), (7, 7, 15, 8), (8, 1, 0, 32), (11, 6, 15, 16), (9, 2, 5, 16)] {
            let mut bytes = [0; 12];
            bytes[byte] = 1 << bit;
            let scales = read_sixteen(&bytes);
            assert_eq!((scales[of], scales.iter().map(|&s| u32::from(s)).sum::<u32>()), (value, u32::from(value)));
        }
        for (byte, bit, of, want) in
            [(0, 5, 0, (32, 0)), (0, 6, 4, (16, 0)), (7, 7, 7, (0, 32)), (8, 3, 4, (8, 0)), (11, 4, 7, (0, 1))]
        {
            let mut bytes = [0; 12];
            bytes[byte] = 1 << bit;
            let pairs = read_pairs(&bytes);
            assert_eq!((pairs[of], pairs.iter().filter(|&&p| p != (0, 0)).count()), (want, 1), "{byte}, {bit}");
        }
    }
}
