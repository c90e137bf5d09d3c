//! The only place that launches a kernel: a WGSL text, its bindings in order, and a grid.

use std::cell::Cell;

use burn::cubecl::CubeCount;
use burn::cubecl::prelude::KernelId;
use burn::cubecl::server::{BufferBinding, KernelArguments, MetadataBindingInfo};
use burn_wgpu::{CubeDim, KernelSource, SourceKernel, SourceTemplate};

use super::buffer::Buffer;
use crate::device::product::MOST_WORK;

/// A WGSL file and what the host believes of it. The text is the kernel's identity.
#[derive(Debug)]
pub struct Kernel {
    /// The file's name without its ending.
    pub name: &'static str,
    /// The text, as it stands in the file.
    pub source: &'static str,
    /// `@workgroup_size` of its entry point `main`.
    pub workgroup: [u32; 3],
    /// The members of its `Params`.
    pub params: &'static [Field],
}

impl Kernel {
    /// Whether it multiplies on matrix units, which WebGPU does not have: no browser compiles its text.
    pub fn on_matrix_units(&self) -> bool {
        self.source.contains("\nenable wgpu_cooperative_matrix;\n")
    }
}

/// One member of a kernel's `Params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As Rust and WGSL both call it.
    pub name: &'static str,
    /// In bytes from the beginning of `Params`.
    pub offset: usize,
    /// Its type in both languages: "u32" or "f32".
    pub ty: &'static str,
}

/// The `Params` of one kernel, which so says which kernel is launched with them.
pub(super) trait Params: bytemuck::Pod {
    /// The kernel that reads these members.
    const KERNEL: &'static Kernel;

    /// Multiply-adds of a workgroup, or whatever else it does most of.
    fn work_of_group(&self) -> u64;

    /// Bytes that a workgroup reads and writes; 0 where nobody counts them.
    fn bytes_of_group(&self) -> u64;
}

/// Declares the `Params` of `shaders/$file.wgsl`, with the size of its workgroup and the work of one; where they are
/// counted, also the bytes of one.
macro_rules! kernel {
    ($params:ident = $file:literal, $workgroup:expr, { $($field:ident: $ty:ident),* $(,)? }, |$own:pat_param| $work:expr) => {
        $crate::gpu::kernel::kernel!($params = $file, $workgroup, { $($field: $ty),* }, |$own| $work, |_| 0);
    };
    ($params:ident = $file:literal, $workgroup:expr, { $($field:ident: $ty:ident),* $(,)? }, |$own:pat_param| $work:expr, |$moving:pat_param| $bytes:expr) => {
        #[repr(C)]
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        pub(super) struct $params {
            $(pub $field: $ty,)*
        }

        impl $crate::gpu::kernel::Params for $params {
            const KERNEL: &'static $crate::gpu::kernel::Kernel = &$crate::gpu::kernel::Kernel {
                name: $file,
                source: include_str!(concat!("../../shaders/", $file, ".wgsl")),
                workgroup: $workgroup,
                params: &[$($crate::gpu::kernel::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($params, $field),
                    ty: stringify!($ty),
                }),*],
            };

            fn work_of_group(&self) -> u64 {
                let $own = self;
                $work
            }

            fn bytes_of_group(&self) -> u64 {
                let $moving = self;
                $bytes
            }
        }
    };
}
pub(super) use kernel;

/// A kernel as burn launches it.
struct Source(&'static Kernel);

impl KernelSource for Source {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.0.source)
    }

    fn id(&self) -> KernelId {
        // All kernels are of this Rust type: only the file's name keeps burn from taking one for another.
        KernelId::new::<Self>().info(self.0.name)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Runs a kernel with at least one invocation for every place of `extent`; the others must find
/// out that they are outside.
pub(super) fn launch_over<P: Params>(extent: [usize; 3], buffers: &[&Buffer], params: P) {
    launch(groups_over::<P>(extent), buffers, params);
}

/// As many workgroups as have an invocation for every place of `extent`.
pub(super) fn groups_over<P: Params>(extent: [usize; 3]) -> [usize; 3] {
    std::array::from_fn(|i| extent[i].div_ceil(P::KERNEL.workgroup[i] as usize))
}

/// What a launch does in all.
pub(super) fn work<P: Params>(groups: [usize; 3], params: &P) -> u64 {
    groups.iter().map(|&g| g as u64).product::<u64>() * params.work_of_group()
}

/// The bytes that a launch reads and writes; 0 where nobody counts them.
pub(super) fn moved<P: Params>(groups: [usize; 3], params: &P) -> u64 {
    groups.iter().map(|&g| g as u64).product::<u64>() * params.bytes_of_group()
}

/// What kernels of ours were launched, and the bytes they move where those are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Launched {
    /// How many launches.
    pub launches: u64,
    /// Bytes read and written by those that elimination is made of.
    pub bytes: u64,
}

thread_local! {
    /// Of this thread alone, so that tests side by side count their own.
    static LAUNCHED: Cell<Launched> = const { Cell::new(Launched { launches: 0, bytes: 0 }) };
}

/// What this thread has launched so far.
pub fn launched() -> Launched {
    LAUNCHED.get()
}

fn count<P: Params>(groups: [usize; 3], params: &P) {
    let Launched { launches, bytes } = LAUNCHED.get();
    LAUNCHED.set(Launched { launches: launches + 1, bytes: bytes + moved(groups, params) });
}

/// Runs a kernel on `groups` workgroups with `buffers` as its bindings 0, 1, …; `params` follow
/// as the last binding.
///
/// # Panics
/// When two of the buffers share bytes: burn binds every buffer for writing, and WebGPU refuses
/// that, but a native driver computes something and says nothing.
pub(super) fn launch<P: Params>(groups: [usize; 3], buffers: &[&Buffer], params: P) {
    let kernel = P::KERNEL;
    // What could be longer is cut by whoever launches it.
    debug_assert!(work(groups, &params) <= MOST_WORK, "{}: a launch of {}", kernel.name, work(groups, &params));
    count(groups, &params);
    let bindings: Vec<BufferBinding> = buffers.iter().map(|b| b.0.handle.clone().binding()).collect();
    if let Some((first, second)) = overlapping(&bindings) {
        panic!("{}: bindings {first} and {second} are the same buffer; browsers refuse that, so copy one", kernel.name);
    }
    let arguments = bindings
        .into_iter()
        .fold(KernelArguments::new(), KernelArguments::with_buffer)
        .with_info(MetadataBindingInfo::custom(in_words(&params)));
    let [x, y, z] = kernel.workgroup;
    let [gx, gy, gz] = groups.map(|g| g as u32);
    let source = SourceKernel::new(Source(kernel), CubeDim::new_3d(x, y, z));
    // All buffers live on one device, so any of their clients will do.
    buffers[0].0.client.launch(Box::new(source), CubeCount::Static(gx, gy, gz), arguments);
}

/// The first two bindings that have bytes in common.
fn overlapping(bindings: &[BufferBinding]) -> Option<(usize, usize)> {
    let share = |a: &BufferBinding, b: &BufferBinding| {
        // (memory, first byte, byte after the last): tensors may share an allocation without overlapping.
        let (a, b) = (a.claim_key(), b.claim_key());
        a.0 == b.0 && a.1 < b.2 && b.1 < a.2
    };
    let later = |i: usize| (i + 1..bindings.len()).find(|&j| share(&bindings[i], &bindings[j])).map(|j| (i, j));
    (0..bindings.len()).find_map(later)
}

/// The bytes of `params` in the 64-bit words that burn hands over, zeros after the last.
fn in_words(params: &impl bytemuck::Pod) -> Vec<u64> {
    let bytes = bytemuck::bytes_of(params);
    let mut words = vec![0; bytes.len().div_ceil(size_of::<u64>())];
    bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_members_is_filled_up() {
        assert_eq!(in_words(&[1u32, 2, 3]), [1 | 2 << 32, 3]);
    }
}
