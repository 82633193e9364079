//! Checksums: CRC-32C of batches, CRC-32 of the old message sets.
//!
//! A batch's checksum covers fields that are known only when it is sent, and the records, which are known long
//! before. So the records are summed once and [`Shift`] joins the two parts, at the cost of a few dozen
//! instructions instead of another pass over the bytes.

/// CRC-32C's polynomial, lowest power in the highest bit.
const CASTAGNOLI: u32 = 0x82f6_3b78;
/// CRC-32's polynomial, the same way.
const IEEE: u32 = 0xedb8_8320;

/// The product of two polynomials modulo [`CASTAGNOLI`].
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        // A mask in place of a branch: the bits are as good as random.
        product ^= b & (((a >> bit) & 1).wrapping_neg());
        b = (b >> 1) ^ (CASTAGNOLI & (b & 1).wrapping_neg());
    }
    product
}

/// x to the power of 8 * digit * 16^place: what that many zero bytes do to a checksum. One multiplication a
/// hexadecimal digit of the length makes a shift over any length.
const POWERS: [[u32; 16]; 8] = {
    let mut powers = [[0; 16]; 8];
    // x^8.
    let mut one = 1 << 23;
    let mut place = 0;
    while place < 8 {
        // x^0.
        powers[place][0] = 1 << 31;
        let mut digit = 1;
        while digit < 16 {
            powers[place][digit] = multiply(powers[place][digit - 1], one);
            digit += 1;
        }
        one = multiply(powers[place][15], one);
        place += 1;
    }
    powers
};

/// What a number of following bytes does to a CRC-32C.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift(u32);

impl Shift {
    /// The shift over `len` bytes.
    pub(super) fn over(len: usize) -> Self {
        // A batch's length has 32 bits.
        let mut rest = len as u32;
        let mut product = POWERS[0][(rest & 15) as usize];
        for powers in &POWERS[1..] {
            rest >>= 4;
            if rest == 0 {
                break;
            }
            product = multiply(powers[(rest & 15) as usize], product);
        }
        Self(product)
    }

    /// The checksum `crc` as it is seen through the following bytes, were they zero and summed from zero.
    pub(super) fn apply(self, crc: u32) -> u32 {
        multiply(self.0, crc)
    }
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (IEEE & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// CRC-32 of the old message sets, and of keys as librdkafka hashes them. Plain and slow: brokers have not kept that
/// format since 4.0, and keys are short.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_two_parts() {
        let bytes: Vec<u8> = (0..5000_u32).map(|n| (n * 7 + n / 256) as u8).collect();
        for len in [0, 1, 2, 7, 8, 61, 255, 256, 4095, 4960] {
            let (head, tail) = bytes[..40 + len].split_at(40);
            let joined = Shift::over(len).apply(crc32c::crc32c(head)) ^ crc32c::crc32c(tail);
            assert_eq!(joined, crc32c::crc32c(&bytes[..40 + len]), "{len}");
            assert_eq!(joined, crc32c::crc32c_combine(crc32c::crc32c(head), crc32c::crc32c(tail), len));
        }
    }

    #[test]
    fn old_checksum_has_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
