use proptest::prelude::*;

use super::*;
use crate::storage::checksum::Checksum;

const TAGS: [Tag; 3] = [Tag::CODES, Tag::SCALES, Tag::CHUNKS];

fn assemble(codes: &[u8], scales: &[u8]) -> (Header, Vec<u8>) {
    let mut chunks = Vec::new();
    let mut contents = Vec::new();
    for (tag, bytes) in [(Tag::CODES, codes), (Tag::SCALES, scales)] {
        let mut checksum = Checksum::default();
        bytes.chunks(70_001).for_each(|piece| checksum.update(piece));
        let (entry, crcs) = checksum.finish(tag);
        contents.push(entry);
        chunks.extend(crcs.iter().flat_map(|crc| crc.to_le_bytes()));
    }
    contents.push((Tag::CHUNKS, chunks.len() as u64, crc32c::crc32c(&chunks)));
    let header = Header::new(KIND_FLAT, 1, 1, &contents);
    let mut file = vec![0; header.file_bytes() as usize];
    file[..header.header_bytes()].copy_from_slice(&header.encode());
    for (section, bytes) in header.sections.iter().zip([codes, scales, &chunks]) {
        file[section.offset as usize..section.end() as usize].copy_from_slice(bytes);
    }
    (header, file)
}

#[test]
fn the_checksum_is_crc32c() {
    assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn tags_are_displayed_without_padding() {
    assert_eq!(TAGS.map(|tag| tag.to_string()), ["codes", "scales", "chunks"]);
    assert_eq!(Tag(*b"\xff\n\0\0\0\0\0\0").to_string(), "\\xff\\n");
}

#[test]
fn sections_of_one_chunk_have_no_chunk_checksums() {
    let chunk = CHUNK_BYTES as u64;
    assert_eq!([0, 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1].map(chunk_count), [0, 0, 0, 2, 2, 3]);
}

#[test]
fn damage_is_located_to_the_chunk() {
    let (header, mut file) = assemble(&vec![7; 3 * CHUNK_BYTES + 5], &vec![9; 2 * CHUNK_BYTES]);
    let verify = |file: &[u8]| header.verify(file, Path::new("a.snap"), Interrupt::NEVER);
    verify(&file).unwrap();
    for (section, chunk) in [(0, 0), (0, 2), (0, 3), (1, 0), (1, 1)] {
        let section = header.sections[section];
        let offset = section.offset as usize + chunk * CHUNK_BYTES;
        file[offset] ^= 1;
        let Error::Format { violation, .. } = verify(&file).unwrap_err() else {
            panic!("no fault was found")
        };
        let position = format!("the chunk at byte {} of section {} ", chunk * CHUNK_BYTES, section.tag);
        assert!(violation.to_string().starts_with(&position), "{violation}");
        file[offset] ^= 1;
    }
}

proptest! {
    #[test]
    fn headers_round_trip(codes in 0_usize..3000, scales in 0_usize..300) {
        let (header, file) = assemble(&vec![1; codes], &vec![2; scales]);
        prop_assert_eq!(Header::decode(&file), Ok(header.clone()));
        prop_assert!(header.verify(&file, Path::new("a.snap"), Interrupt::NEVER).is_ok());
        prop_assert!(header.sections.iter().all(|section| section.offset.is_multiple_of(ALIGN)));
    }

    #[test]
    fn random_headers_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let magic = bytes.len().min(MAGIC.len());
        bytes[..magic].copy_from_slice(&MAGIC[..magic]);
        prop_assert!(Header::decode(&bytes).is_err());
    }
}
