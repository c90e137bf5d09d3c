//! One safetensors file: its bytes and where each tensor stands in them.

use safetensors::SafeTensors;
use safetensors::tensor::TensorInfo;

use super::names::{Expected, Stored, complete};
use super::{Dtype, HostTensor, ReadError};

/// The bytes of a file: mapped, or held (in a browser, or compiled in).
pub(super) enum Bytes {
    #[cfg(not(target_arch = "wasm32"))]
    Mapped(memmap2::Mmap),
    Held(std::borrow::Cow<'static, [u8]>),
}

impl Bytes {
    /// Maps a file, of which then only what is read is loaded. Some file systems share no maps, and
    /// some have none: what stands there is mapped for this process alone, or else read as a whole.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn map(path: &std::path::Path) -> std::io::Result<Self> {
        let file = crate::disk::open(path).map_err(|e| e.cause)?;
        // SAFETY: the maps are only read. A program that shortens the file meanwhile would end ours, as
        // it would any reader that maps weights; copying 14 GB to avoid it is not worth it.
        #[allow(unsafe_code, reason = "memory-mapping is how weights larger than memory are read")]
        let mapped =
            unsafe { memmap2::Mmap::map(&file).or_else(|_| memmap2::MmapOptions::new().map_copy_read_only(&file)) };
        match mapped {
            Ok(map) => Ok(Self::Mapped(map)),
            Err(_) => Self::read(file),
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn read(mut file: std::fs::File) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(Self::Held(bytes.into()))
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::Mapped(map) => map,
            Self::Held(bytes) => bytes,
        }
    }
}

/// How the note begins that a clone without Git LFS has in a large file's place.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Elements that are looked at together.
const PIECE: usize = 1 << 16;

/// An opened safetensors file.
pub(super) struct Shard {
    /// The file's name, for messages.
    pub file: String,
    bytes: Bytes,
    tensors: Vec<(String, TensorInfo)>,
    data: usize,
}

impl Shard {
    /// Reads and checks the header: its length, its JSON, and that the tensors' offsets neither
    /// overlap nor leave the file. The error is the format's reader's; whose file it is, and so
    /// what to do about it, only the caller knows.
    pub fn open(file: String, bytes: Bytes) -> Result<Self, String> {
        if bytes.as_ref().starts_with(LFS) {
            return Err("a pointer of Git LFS, which `git lfs pull` replaces by the file".into());
        }
        SafeTensors::deserialize(bytes.as_ref()).map_err(|e| e.to_string())?;
        let (header, metadata) = SafeTensors::read_metadata(bytes.as_ref()).map_err(|e| e.to_string())?;
        let mut tensors: Vec<_> = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        complete(&mut tensors.iter_mut().map(|(name, _)| name).collect::<Vec<_>>());
        // The length of the header stands before it, in eight bytes.
        Ok(Self { file, bytes, tensors, data: header + size_of::<u64>() })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the file holds a tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.info(tensor).is_some()
    }

    /// Gives a tensor another name.
    pub fn rename(&mut self, tensor: &str, new: &str) {
        self.tensors.iter_mut().filter(|(name, _)| name == tensor).for_each(|(name, _)| new.clone_into(name));
    }

    /// Whether a tensor here and one of `other` have the same shape and the same values, in
    /// whichever types.
    pub fn is_same(&self, tensor: &str, other: &Self, its: &str) -> bool {
        let (Some(a), Some(b)) = (self.raw(tensor), other.raw(its)) else { return false };
        if a.0 == b.0 || a.1 != b.1 {
            return a == b;
        }
        let (Some(one), Some(two)) = (Dtype::of_stored(a.0), Dtype::of_stored(b.0)) else { return false };
        // Piece by piece: in singles a large vocabulary would take gigabytes.
        let pieces = a.2.chunks(PIECE * one.bytes()).zip(b.2.chunks(PIECE * two.bytes()));
        pieces.into_iter().all(|(a, b)| one.widen(a) == two.widen(b))
    }

    fn info(&self, tensor: &str) -> Option<&TensorInfo> {
        self.tensors.iter().find(|(name, _)| name == tensor).map(|(_, info)| info)
    }

    /// The element type of a tensor, if it is one we read.
    pub fn dtype(&self, tensor: &str) -> Option<Dtype> {
        Dtype::of_stored(self.info(tensor)?.dtype)
    }

    /// Checks a tensor's type and shape by the header alone.
    pub fn check(&self, expected: &Expected) -> Result<(), ReadError> {
        let (file, tensor) = (self.file.clone(), expected.name.clone());
        let Some(info) = self.info(&expected.name) else {
            return Err(ReadError::MissingTensor { tensor });
        };
        if Dtype::of_stored(info.dtype).is_none() {
            return Err(ReadError::Dtype { file, tensor, dtype: format!("{:?}", info.dtype) });
        }
        if info.shape != expected.shape {
            let (found, expected) = (info.shape.clone(), expected.shape.clone());
            return Err(ReadError::Shape { file, tensor, found, expected });
        }
        Ok(())
    }

    /// What is wanted of a tensor, in singles; an element that is not finite is an error.
    pub fn read(&self, wanted: &Stored) -> Result<HostTensor, ReadError> {
        self.check(&wanted.tensor)?;
        let name = &wanted.tensor.name;
        let missing = || ReadError::MissingTensor { tensor: name.clone() };
        let info = self.info(name).ok_or_else(missing)?;
        let dtype = Dtype::of_stored(info.dtype).ok_or_else(missing)?;
        // Rows are stored one after the other, so a part of a fused tensor is one run of bytes.
        let width: usize = wanted.shape[1..].iter().product();
        let skipped = wanted.first_row * width;
        let start = self.data + info.data_offsets.0 + skipped * dtype.bytes();
        let count: usize = wanted.shape.iter().product();
        let values = dtype.widen(&self.bytes.as_ref()[start..start + count * dtype.bytes()]);
        match values.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(ReadError::NotFinite { tensor: name.clone(), index: skipped + at, value: values[at] }),
            None => Ok(HostTensor { shape: wanted.shape.clone(), values }),
        }
    }

    /// Every tensor by its name, in singles.
    pub fn all(&self) -> Result<std::collections::BTreeMap<String, HostTensor>, ReadError> {
        let of = |(name, info): &(String, TensorInfo)| {
            let tensor = Expected { name: name.clone(), shape: info.shape.clone() };
            Ok((name.clone(), self.read(&tensor.into())?))
        };
        self.tensors.iter().map(of).collect()
    }

    /// The first element of a tensor that is as asked for, with its place.
    pub fn first(&self, tensor: &str, is_it: impl Fn(f32) -> bool) -> Option<(usize, f32)> {
        let (stored, _, bytes) = self.raw(tensor)?;
        let dtype = Dtype::of_stored(stored)?;
        bytes.chunks(PIECE * dtype.bytes()).enumerate().find_map(|(piece, bytes)| {
            let values = dtype.widen(bytes);
            values.iter().position(|&value| is_it(value)).map(|at| (piece * PIECE + at, values[at]))
        })
    }

    /// A tensor's bytes as they are stored, with its type and shape.
    pub fn raw(&self, tensor: &str) -> Option<(safetensors::Dtype, Vec<usize>, &[u8])> {
        let info = self.info(tensor)?;
        let (start, end) = info.data_offsets;
        Some((info.dtype, info.shape.clone(), &self.bytes.as_ref()[self.data + start..self.data + end]))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_mapped_is_read() {
        // The system refuses maps of its own files.
        let path = std::path::Path::new("/proc/version");
        let bytes = Bytes::map(path).unwrap();
        assert!(matches!(bytes, Bytes::Held(_)));
        assert_eq!(bytes.as_ref(), std::fs::read(path).unwrap());
    }
}
