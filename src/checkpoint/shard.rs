//! One file of weights: its bytes, and where each tensor stands in them and how.

use safetensors::SafeTensors;

use super::names::{Expected, Stored, complete};
use super::{Element, Halves, HostTensor, ReadError};
use crate::gguf::side_by_side;
use crate::quant::Half;

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
/// Elements that are looked at together; whole blocks of every kind.
const PIECE: usize = 1 << 16;

/// Where a tensor stands in a file, and how.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Sizes of its axes, outermost first.
    pub shape: Vec<usize>,
    pub element: Element,
    /// Its bytes are from this one of the file …
    pub begin: usize,
    /// … to before this one, and are there.
    pub end: usize,
    /// The rows of a head, where the two of each rotary pair lie side by side.
    pub heads_of: Option<usize>,
}

/// An opened file.
pub(super) struct Shard {
    /// The file's name, for messages.
    pub file: String,
    bytes: Bytes,
    tensors: Vec<(String, Entry)>,
}

impl Shard {
    /// A file whose table of tensors was read and checked elsewhere.
    pub fn of(file: String, bytes: Bytes, tensors: Vec<(String, Entry)>) -> Self {
        Self { file, bytes, tensors }
    }

    /// Reads and checks the header of a safetensors file: its length, its JSON, and that the tensors' offsets neither
    /// overlap nor leave the file. The error is the format's reader's; whose file it is, and so
    /// what to do about it, only the caller knows.
    pub fn open(file: String, bytes: Bytes) -> Result<Self, String> {
        if bytes.as_ref().starts_with(LFS) {
            return Err("a pointer of Git LFS, which `git lfs pull` replaces by the file".into());
        }
        SafeTensors::deserialize(bytes.as_ref()).map_err(|e| e.to_string())?;
        let (header, metadata) = SafeTensors::read_metadata(bytes.as_ref()).map_err(|e| e.to_string())?;
        // The length of the header stands before it, in eight bytes.
        let data = header + size_of::<u64>();
        let entry = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
            let (begin, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
            let element = Element::of_stored(info.dtype);
            (name, Entry { shape: info.shape.clone(), element, begin, end, heads_of: None })
        };
        let mut tensors: Vec<_> = metadata.tensors().into_iter().map(entry).collect();
        complete(&mut tensors.iter_mut().map(|(name, _)| name).collect::<Vec<_>>());
        Ok(Self { file, bytes, tensors })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the file holds a tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.entry(tensor).is_some()
    }

    /// Whether a tensor has no elements.
    pub fn is_empty(&self, tensor: &str) -> bool {
        self.entry(tensor).is_some_and(|entry| entry.shape.contains(&0))
    }

    /// Gives a tensor another name.
    pub fn rename(&mut self, tensor: &str, new: &str) {
        self.tensors.iter_mut().filter(|(name, _)| name == tensor).for_each(|(name, _)| new.clone_into(name));
    }

    /// Whether a tensor here and one of `other` have the same shape and the same values, in
    /// whichever types.
    pub fn is_same(&self, tensor: &str, other: &Self, its: &str) -> bool {
        let (Some(a), Some(b)) = (self.entry(tensor), other.entry(its)) else { return false };
        let (own, others) = (self.bytes_of(a), other.bytes_of(b));
        if a.element == b.element || a.shape != b.shape {
            return (&a.shape, a.heads_of, own) == (&b.shape, b.heads_of, others);
        }
        let (Some(one), Some(two)) = (a.element.bytes_of(PIECE), b.element.bytes_of(PIECE)) else { return false };
        // Piece by piece: in singles a large vocabulary would take gigabytes.
        let mut pieces = own.chunks(one).zip(others.chunks(two));
        pieces.all(|(own, others)| a.element.widen(own) == b.element.widen(others))
    }

    fn entry(&self, tensor: &str) -> Option<&Entry> {
        self.tensors.iter().find(|(name, _)| name == tensor).map(|(_, entry)| entry)
    }

    fn bytes_of(&self, entry: &Entry) -> &[u8] {
        &self.bytes.as_ref()[entry.begin..entry.end]
    }

    /// How the elements of a tensor are stored, if it is there.
    pub fn element(&self, tensor: &str) -> Option<Element> {
        self.entry(tensor).map(|entry| entry.element)
    }

    /// Checks a tensor's type and shape by the header alone.
    pub fn check(&self, expected: &Expected) -> Result<(), ReadError> {
        let (file, tensor) = (self.file.clone(), expected.name.clone());
        let Some(entry) = self.entry(&expected.name) else {
            return Err(ReadError::MissingTensor { tensor });
        };
        if let Element::Other(dtype) = entry.element {
            return Err(ReadError::Dtype { file, tensor, dtype: format!("{dtype:?}") });
        }
        if entry.shape != expected.shape {
            let (found, expected) = (entry.shape.clone(), expected.shape.clone());
            return Err(ReadError::Shape { file, tensor, found, expected });
        }
        Ok(())
    }

    /// What is wanted of a tensor, in singles; an element that is not finite is an error.
    pub fn read(&self, wanted: &Stored) -> Result<HostTensor, ReadError> {
        let (entry, skipped, bytes) = self.run_of(wanted)?;
        let values = entry.element.widen(bytes);
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let tensor = wanted.tensor.name.clone();
            return Err(ReadError::NotFinite { tensor, index: skipped + at, value: values[at] });
        }
        let read = HostTensor { shape: wanted.shape.clone(), values };
        Ok(match entry.heads_of {
            Some(rows) => in_halves(&read, rows),
            None => read,
        })
    }

    /// What is wanted of a matrix as it stands here, where its elements have two bytes and are in our order.
    pub fn halves(&self, wanted: &Stored) -> Option<Halves<'_>> {
        let (entry, _, bytes) = self.run_of(wanted).ok()?;
        let Element::Plain(dtype) = entry.element else { return None };
        let shape = <[usize; 2]>::try_from(&wanted.shape[..]).ok()?;
        Some(Halves { half: Half::of(dtype.into())?, shape, bytes }).filter(|_| entry.heads_of.is_none())
    }

    /// Where the elements stand that are wanted of a tensor: its entry, how many elements are before them, their bytes.
    fn run_of(&self, wanted: &Stored) -> Result<(&Entry, usize, &[u8]), ReadError> {
        self.check(&wanted.tensor)?;
        let name = &wanted.tensor.name;
        let missing = || ReadError::MissingTensor { tensor: name.clone() };
        let entry = self.entry(name).ok_or_else(missing)?;
        // Rows are stored one after the other, so a part of a fused tensor is one run of bytes.
        let width: usize = wanted.shape[1..].iter().product();
        let skipped = wanted.first_row * width;
        let count: usize = wanted.shape.iter().product();
        // Rows are whole blocks.
        let (Some(start), Some(length)) = (entry.element.bytes_of(skipped), entry.element.bytes_of(count)) else {
            return Err(missing());
        };
        let bytes = self.bytes_of(entry).get(start..start + length).ok_or_else(missing)?;
        Ok((entry, skipped, bytes))
    }

    /// Every tensor by its name, in singles.
    pub fn all(&self) -> Result<std::collections::BTreeMap<String, HostTensor>, ReadError> {
        let of = |(name, entry): &(String, Entry)| {
            let tensor = Expected { name: name.clone(), shape: entry.shape.clone() };
            Ok((name.clone(), self.read(&tensor.into())?))
        };
        self.tensors.iter().map(of).collect()
    }

    /// The first element of a tensor that is as asked for, with its place.
    pub fn first(&self, tensor: &str, is_it: impl Fn(f32) -> bool) -> Option<(usize, f32)> {
        let entry = self.entry(tensor)?;
        let piece = entry.element.bytes_of(PIECE)?;
        self.bytes_of(entry).chunks(piece).enumerate().find_map(|(number, bytes)| {
            let values = entry.element.widen(bytes);
            values.iter().position(|&value| is_it(value)).map(|at| (number * PIECE + at, values[at]))
        })
    }

    /// A tensor's bytes as they are stored, with its type and shape, where its elements stand one by one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn plain(&self, tensor: &str) -> Option<(super::Dtype, Vec<usize>, &[u8])> {
        let entry = self.entry(tensor)?;
        match entry.element {
            Element::Plain(dtype) => Some((dtype, entry.shape.clone(), self.bytes_of(entry))),
            Element::Blocks(_) | Element::Other(_) => None,
        }
    }
}

/// A tensor of heads of so many rows, the two of each rotary pair a half of a head apart.
fn in_halves(tensor: &HostTensor, head: usize) -> HostTensor {
    let rows = tensor.shape[0];
    tensor.scatter(0, &side_by_side(rows / head, head), rows)
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
