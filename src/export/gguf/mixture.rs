//! Which matrix of a quantised file gets which blocks, as llama.cpp's own tool decides it.
//!
//! The rule is that of `llama_tensor_get_type_impl` and `tensor_type_fallback` in llama.cpp's
//! `src/llama-quant.cpp`, without weights of importance and for the architectures that are written here.

use super::{Arch, FileType};
use crate::quant::BlockType;
use crate::shape::{ModelConfig, Site};

/// What a matrix is to its model, as far as the rule tells matrices apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// The output head, and the embedding where it serves as one.
    Head,
    /// Values of a layer, alone or with queries and keys, by the number among all layers with attention.
    Values(usize),
    /// The way back from the channels of a layer.
    Down(usize),
    /// Any other.
    Other,
}

/// The blocks that a matrix should have, and those that its rows can be cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub wanted: BlockType,
    pub stored: BlockType,
}

impl From<BlockType> for Blocks {
    fn from(kind: BlockType) -> Self {
        Self { wanted: kind, stored: kind }
    }
}

/// The rule for one model.
pub(super) struct Mixture {
    file_type: FileType,
    layers: usize,
    /// Those that have attention.
    attending: usize,
    is_70b: bool,
}

impl Mixture {
    pub fn new(file_type: FileType, arch: Arch, config: &ModelConfig) -> Self {
        let shares_keys = config.layers.first().is_some_and(|l| l.heads != l.kv_heads);
        // What llama.cpp takes for LLaMA 2 70B, by the number of layers.
        let is_70b = config.layers.len() == 80
            && match arch {
                Arch::Llama => shares_keys,
                Arch::Deci | Arch::Qwen2 => true,
                _ => false,
            };
        let attending = config.layers.iter().filter(|layer| layer.has(Site::Heads)).count();
        Self { file_type, layers: config.layers.len(), attending, is_70b }
    }

    /// The blocks of a matrix with rows of `width`.
    pub fn blocks(&self, role: Role, width: usize) -> Blocks {
        let wanted = self.wanted(role);
        Blocks { wanted, stored: divided(wanted, width) }
    }

    fn wanted(&self, role: Role) -> BlockType {
        let bulk = self.file_type.bulk();
        let is_mixed = matches!(self.file_type, FileType::Q4KM | FileType::Q5KM);
        match role {
            Role::Head if bulk != BlockType::Q8_0 => BlockType::Q6K,
            Role::Values(i) if is_mixed && gets_more_bits(i, self.attending) => BlockType::Q6K,
            Role::Down(i) if is_mixed && gets_more_bits(i, self.layers) => BlockType::Q6K,
            // Eight query heads share these values, so that more bits cost little.
            Role::Values(_) if self.is_70b && bulk == BlockType::Q4K => BlockType::Q5K,
            _ => bulk,
        }
    }
}

/// The first and the last eighth of the layers, and every third between them.
fn gets_more_bits(i: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    i < eighth || i >= 7 * layers / 8 || (i - eighth) % 3 == 2
}

/// The blocks closest to `kind` that rows of `width` can be cut into.
fn divided(kind: BlockType, width: usize) -> BlockType {
    let smaller = match kind {
        BlockType::Q4K => BlockType::Q5_0,
        BlockType::Q5K => BlockType::Q5_1,
        BlockType::Q6K => BlockType::Q8_0,
        _ => kind,
    };
    [kind, smaller].into_iter().find(|kind| width.is_multiple_of(kind.elements())).unwrap_or(BlockType::F16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixture(file_type: FileType, layers: usize) -> Mixture {
        Mixture { file_type, layers, attending: layers, is_70b: false }
    }

    #[test]
    fn rows_that_do_not_divide_get_smaller_blocks_with_more_bits() {
        use BlockType::{F16, Q4_0, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        for (kind, of_32) in [(Q4K, Q5_0), (Q5K, Q5_1), (Q6K, Q8_0), (Q8_0, Q8_0), (Q4_0, Q4_0)] {
            assert_eq!([512, 576, 577].map(|width| divided(kind, width)), [kind, of_32, F16], "{kind}");
        }
    }

    #[test]
    fn layers_with_more_bits_are_those_of_the_published_files() {
        // As in Llama-2-7B's q4_k_m: 32 layers.
        let more: Vec<usize> = (0..32).filter(|&i| gets_more_bits(i, 32)).collect();
        assert_eq!(more, [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
        assert!(!gets_more_bits(0, 3) && gets_more_bits(2, 3));
    }

    #[test]
    fn only_mixtures_mix_and_only_q8_0_keeps_its_head() {
        use BlockType::{Q4_0, Q4K, Q5K, Q6K, Q8_0};
        let of = |file_type| {
            [Role::Head, Role::Values(0), Role::Down(4), Role::Other]
                .map(|role| mixture(file_type, 32).blocks(role, 256).stored)
        };
        assert_eq!(of(FileType::Q8_0), [Q8_0; 4]);
        assert_eq!(of(FileType::Q6K), [Q6K; 4]);
        assert_eq!(of(FileType::Q5KM), [Q6K, Q6K, Q5K, Q5K]);
        assert_eq!(of(FileType::Q4KM), [Q6K, Q6K, Q4K, Q4K]);
        assert_eq!(of(FileType::Q4_0), [Q6K, Q4_0, Q4_0, Q4_0]);
        let large = Mixture { is_70b: true, ..mixture(FileType::Q4KM, 80) };
        assert_eq!([10, 12].map(|i| large.wanted(Role::Values(i))), [Q5K, Q6K]);
    }
}
