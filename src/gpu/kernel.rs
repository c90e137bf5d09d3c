//! The only place that launches a kernel: a WGSL text, its bindings in order, and a grid.

use burn::backend::Wgpu;
use burn::backend::wgpu::{CubeDim, CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous};
use burn::cubecl::CubeCount;
use burn::cubecl::prelude::KernelId;
use burn::cubecl::server::{BufferBinding, KernelArguments, MetadataBindingInfo};
use burn::tensor::{Int, Tensor};

/// What can go wrong on the way to or from the device.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// The device lost the work or refused it (out of memory, driver reset).
    #[error("the GPU did not answer: {0}; a smaller --samples or --device cpu avoids it")]
    Readback(String),
    /// A pivot of a Cholesky factorisation is not positive.
    #[error("pivot {pivot} is {value:e}, not positive")]
    NotPositiveDefinite {
        /// Row of the matrix.
        pivot: usize,
        /// What stood there.
        value: f32,
    },
}

/// A WGSL file and the size of its workgroup. The text is the kernel's identity.
#[derive(Debug)]
pub struct Kernel {
    /// The file's name without its ending.
    pub name: &'static str,
    /// The text, as it stands in the file.
    pub source: &'static str,
    /// `@workgroup_size` of its entry point `main`.
    pub workgroup: [u32; 3],
    /// 32-bit words of its `Params`.
    pub params: usize,
}

macro_rules! kernels {
    ($($constant:ident = $file:literal, $workgroup:expr, $params:literal;)*) => {
        $(pub(super) static $constant: Kernel = Kernel {
            name: $file,
            source: include_str!(concat!("../../shaders/", $file, ".wgsl")),
            workgroup: $workgroup,
            params: $params,
        };)*
        /// Every kernel of the program, for tests that hold the texts to what the host believes of them.
        pub static KERNELS: &[&Kernel] = &[$(&$constant),*];
    };
}

kernels! {
    HESSIAN_ACCUMULATE = "hessian_accumulate", [256, 1, 1], 4;
    MIRROR_LOWER = "mirror_lower", [16, 16, 1], 2;
    CHOLESKY_BLOCK = "cholesky_block", [256, 1, 1], 2;
    TRIANGULAR_SOLVE = "triangular_solve", [64, 1, 1], 3;
    SUM_SQUARES = "sum_squares", [256, 1, 1], 2;
    COLUMN_NORMS = "column_norms", [64, 4, 1], 2;
    PIVOT_SCORES = "pivot_scores", [64, 1, 1], 2;
    GATHER = "gather", [64, 1, 1], 4;
    PICK_COLUMN = "pick_column", [256, 1, 1], 2;
    PIVOT_ROW = "pivot_row", [64, 1, 1], 3;
    PIVOT_COLUMN = "pivot_column", [64, 1, 1], 4;
    BASIS_GRAM = "basis_gram", [256, 1, 1], 2;
    UPDATE_NORMS = "update_norms", [64, 4, 1], 3;
}

/// A kernel as burn launches it.
struct Source(&'static Kernel);

impl KernelSource for Source {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.0.source)
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.0.name)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// A contiguous buffer on the device, ready to be bound.
#[derive(Clone)]
pub(super) struct Buffer(CubeTensor);

impl Buffer {
    /// The elements of a float tensor, row-major. The tensor must live on a wgpu device.
    pub fn read<const D: usize>(tensor: &Tensor<D>) -> Self {
        Self(into_contiguous(on_wgpu(tensor.clone().try_into_primitive::<Wgpu>())))
    }

    /// The elements of an integer tensor (32 bits each), row-major.
    pub fn read_index<const D: usize>(tensor: &Tensor<D, Int>) -> Self {
        Self(into_contiguous(on_wgpu(tensor.clone().try_into_primitive::<Wgpu>())))
    }

    /// A buffer that may be written: the tensor's own when nobody else holds it, else a copy.
    pub fn write<const D: usize>(tensor: Tensor<D>) -> Self {
        let own = into_contiguous(on_wgpu(tensor.try_into_primitive::<Wgpu>()));
        if own.handle.can_mut() {
            return Self(own);
        }
        let shared = Tensor::<D>::from_primitive::<Wgpu>(own);
        Self(on_wgpu(shared.clone().add_scalar(0.0).try_into_primitive::<Wgpu>()))
    }

    /// Like [`Self::write`], for integers.
    pub fn write_index<const D: usize>(tensor: Tensor<D, Int>) -> Self {
        let own = into_contiguous(on_wgpu(tensor.try_into_primitive::<Wgpu>()));
        if own.handle.can_mut() {
            return Self(own);
        }
        let shared = Tensor::<D, Int>::from_primitive::<Wgpu>(own);
        Self(on_wgpu(shared.clone().add_scalar(0).try_into_primitive::<Wgpu>()))
    }

    /// The buffer as a tensor again.
    pub fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Wgpu>(self.0)
    }

    /// The buffer as an integer tensor again.
    pub fn index<const D: usize>(self) -> Tensor<D, Int> {
        Tensor::from_primitive::<Wgpu>(self.0)
    }
}

/// A tensor of another device here is a mistake of ours, not of the user's: the executor checks
/// its device once, when it is made.
fn on_wgpu<T, E: std::fmt::Debug>(primitive: Result<T, E>) -> T {
    primitive.expect("kernels are given tensors of a wgpu device")
}

/// Runs `kernel` on `groups` workgroups with `buffers` as its bindings 0, 1, …; `params` follow
/// as the last binding.
///
/// # Panics
/// When two of the buffers share bytes: burn binds every buffer for writing, and WebGPU refuses
/// that, but a native driver computes something and says nothing.
pub(super) fn launch(kernel: &'static Kernel, groups: [usize; 3], buffers: &[&Buffer], params: &[u32]) {
    debug_assert_eq!(params.len(), kernel.params, "{}", kernel.name);
    let bindings: Vec<BufferBinding> = buffers.iter().map(|b| b.0.handle.clone().binding()).collect();
    if let Some((first, second)) = overlapping(&bindings) {
        panic!("{}: bindings {first} and {second} are the same buffer; browsers refuse that, so copy one", kernel.name);
    }
    let arguments = bindings
        .into_iter()
        .fold(KernelArguments::new(), KernelArguments::with_buffer)
        .with_info(MetadataBindingInfo::custom(packed(params)));
    let [x, y, z] = kernel.workgroup;
    let [gx, gy, gz] = groups.map(|g| g as u32);
    let source = SourceKernel::new(Source(kernel), CubeDim::new_3d(x, y, z));
    buffers[0].0.client.launch(Box::new(source), CubeCount::Static(gx, gy, gz), arguments);
}

/// The first two bindings that have bytes in common.
fn overlapping(bindings: &[BufferBinding]) -> Option<(usize, usize)> {
    let share = |a: &BufferBinding, b: &BufferBinding| {
        let (a, b) = (a.claim_key(), b.claim_key());
        a.0 == b.0 && a.1 < b.2 && b.1 < a.2
    };
    let later = |i: usize| (i + 1..bindings.len()).find(|&j| share(&bindings[i], &bindings[j])).map(|j| (i, j));
    (0..bindings.len()).find_map(later)
}

/// Two 32-bit words to a 64-bit one, the low word first; an odd last word is padded with zero.
fn packed(words: &[u32]) -> Vec<u64> {
    words.chunks(2).map(|w| u64::from(w[0]) | u64::from(*w.get(1).unwrap_or(&0)) << 32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_packed_low_first() {
        assert_eq!(packed(&[1, 2, 3]), [1 | 2 << 32, 3]);
    }
}
