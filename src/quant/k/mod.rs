//! The k-quants: blocks of 256 values in groups with scales of their own, which are codes too.
//!
//! | kind | groups | bytes in their order | value of code q |
//! |---|---|---|---|
//! | q2_k | 16 of 16 | 16 with scale s and minimum m, 64 codes, d, e | (d·s)·q − e·m |
//! | q3_k | 16 of 16 | 32 with the third bits, 64 codes, 12 scales, d | (d·(s − 32))·(q − 4) |
//! | q4_k | 8 of 32 | d, e, 12 scales and minima, 128 codes | (d·s)·q − e·m |
//! | q5_k | 8 of 32 | d, e, 12 scales and minima, 32 with the fifth bits, 128 codes | (d·s)·q − e·m |
//! | q6_k | 16 of 16 | 128 codes, 64 with their upper two bits, 16 scales with a sign, d | (d·s)·(q − 32) |

mod read;
mod scales;
mod search;
mod write;

pub(super) use read::{read_q2_k, read_q3_k, read_q4_k, read_q5_k, read_q6_k};
pub(super) use write::{write_q2_k, write_q3_k, write_q4_k, write_q5_k, write_q6_k};

use super::plane::Plane;

/// Values of a block.
const VALUES: usize = 256;

/// The two bits of q2_k and q3_k, and the upper two of q6_k.
const TWO: Plane = Plane { bits: 2, span: 32 };
/// The lower four bits of q4_k and q5_k.
const FOUR: Plane = Plane { bits: 4, span: 32 };
/// The lower four bits of q6_k.
const FOUR_OF_SIX: Plane = Plane { bits: 4, span: 64 };
/// The third bit of q3_k and the fifth of q5_k.
const ONE: Plane = Plane { bits: 1, span: 32 };
