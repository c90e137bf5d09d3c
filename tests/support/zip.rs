//! Zip archives written by hand, right or wrong.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// The bytes of an archive with these files, deflated or only stored.
pub fn zip(files: &[(&str, &[u8])], deflated: bool) -> Vec<u8> {
    let (mut out, mut list) = (Vec::<u8>::new(), Vec::<u8>::new());
    for (name, content) in files {
        let mut crc = Crc::new();
        crc.update(content);
        let packed = if deflated { deflate(content) } else { content.to_vec() };
        // Version, flags, method, time and date; checksum; sizes; lengths of the name and of what may follow it.
        let mut told: Vec<u8> =
            [20u16, 0, if deflated { 8 } else { 0 }, 0, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
        told.extend([crc.sum(), packed.len() as u32, content.len() as u32].iter().flat_map(|n| n.to_le_bytes()));
        told.extend([name.len() as u16, 0].iter().flat_map(|n| n.to_le_bytes()));
        let place = out.len() as u32;
        list.extend(b"PK\x01\x02\x14\x00");
        list.extend(&told);
        // Comment, disk, attributes, place.
        list.extend([0; 10]);
        list.extend(place.to_le_bytes());
        list.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&told);
        out.extend(name.as_bytes());
        out.extend(packed);
    }
    let (begin, count) = (out.len() as u32, files.len() as u16);
    out.extend(&list);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend([count, count].iter().flat_map(|n| n.to_le_bytes()));
    out.extend([list.len() as u32, begin].iter().flat_map(|n| n.to_le_bytes()));
    out.extend([0, 0]);
    out
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
