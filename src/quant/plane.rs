//! Where the bits of codes lie: how every kind of block spreads them over its bytes.

/// So many bits of every code. A run of `span` bytes holds them for 8/`bits` stretches of `span` codes,
/// the first stretch in the lowest bits: code i of a run lies in byte i mod `span`, from bit
/// `bits`·⌊i/`span`⌋ on.
#[derive(Clone, Copy)]
pub(super) struct Plane {
    /// Bits of a code: 1, 2 or 4.
    pub bits: usize,
    /// Bytes of a run.
    pub span: usize,
}

impl Plane {
    /// Codes of a run.
    fn run(self) -> usize {
        self.span * 8 / self.bits
    }

    /// The lowest bits that a code has here.
    fn mask(self) -> u8 {
        (1 << self.bits) - 1
    }

    /// Adds the bits to the codes, from bit `shift` of these on.
    pub fn read(self, bytes: &[u8], shift: usize, codes: &mut [u8]) {
        for (bytes, codes) in bytes.chunks_exact(self.span).zip(codes.chunks_exact_mut(self.run())) {
            for (i, stretch) in codes.chunks_exact_mut(self.span).enumerate() {
                for (code, byte) in stretch.iter_mut().zip(bytes) {
                    // Or-ed, because the other bits of a code lie in another plane.
                    *code |= (byte >> (self.bits * i) & self.mask()) << shift;
                }
            }
        }
    }

    /// Adds the bits of the codes, from bit `shift` of these on, to bytes that are zero.
    pub fn write(self, codes: &[u8], shift: usize, bytes: &mut [u8]) {
        for (bytes, codes) in bytes.chunks_exact_mut(self.span).zip(codes.chunks_exact(self.run())) {
            for (i, stretch) in codes.chunks_exact(self.span).enumerate() {
                for (code, byte) in stretch.iter().zip(&mut *bytes) {
                    *byte |= (code >> shift & self.mask()) << (self.bits * i);
                }
            }
        }
    }
}
