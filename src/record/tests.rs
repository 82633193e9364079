use bytes::Bytes;

use super::*;

#[test]
fn smoke() {
    for codec in Codec::ALL {
        for magic in 0..=2 {
            if codec == Codec::Zstd && magic < 2 {
                continue;
            }
            let mut b = BatchBuilder::new(Vec::new(), 16384);
            let mut n = 0;
            while let Some(i) = b.try_append(1000 + n, Some(b"key"), Some(&[b'x'; 100]), &[]) {
                assert_eq!(i as i64, n);
                n += 1;
            }
            let bytes: Bytes = b.seal(&Compression::new(codec), magic).unwrap().stamp(ProducerState {
                id: 7,
                epoch: 1,
                base_sequence: 3,
                transactional: true,
            });
            println!("{codec} {magic} {}", bytes.len());
            let mut seen = 0;
            for batch in Batches::new(bytes) {
                let batch = batch.unwrap();
                for r in batch.records(true, &DecompressLimits::default()).unwrap() {
                    let r = r.unwrap();
                    assert_eq!(r.offset, seen);
                    if magic > 0 {
                        assert_eq!(r.timestamp, 1000 + seen);
                    }
                    assert_eq!(r.value.unwrap().len(), 100);
                    seen += 1;
                }
            }
            assert_eq!(seen, n);
        }
    }
}
