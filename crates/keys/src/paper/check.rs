//! The check words: a Reed-Solomon code over words, each a number below 2048.
//!
//! Words are elements of the field of 2048 elements: polynomials over two elements modulo x^11 + x^2 + 1, bit i being the
//! coefficient of x^i. A block is [kind, words...]; read as a polynomial, the kind being the highest coefficient,
//! it is zero at x, x^2, x^3 and x^4. So two blocks differ in at least five places: whatever happens to up to four
//! words is noticed, and what up to two were is certain.
//!
//! Not its job: words as letters, and what they mean.

/// Words that are there for checking.
pub(super) const CHECKS: usize = 4;

const MODULUS: u32 = 0x805;
const ORDER: usize = 2047;

/// Powers of x, twice over, and their exponents.
const TABLES: ([u16; 2 * ORDER], [u16; ORDER + 1]) = tables();

const fn tables() -> ([u16; 2 * ORDER], [u16; ORDER + 1]) {
    let (mut powers, mut exponents) = ([0; 2 * ORDER], [0; ORDER + 1]);
    let (mut value, mut exponent) = (1_u32, 0);
    while exponent < ORDER {
        powers[exponent] = value as u16;
        powers[exponent + ORDER] = value as u16;
        exponents[value as usize] = exponent as u16;
        value <<= 1;
        if value > ORDER as u32 {
            value ^= MODULUS;
        }
        exponent += 1;
    }
    (powers, exponents)
}

/// x to a power.
fn power(exponent: usize) -> u16 {
    TABLES.0[exponent % ORDER]
}

fn exponent(value: u16) -> usize {
    usize::from(TABLES.1[usize::from(value)])
}

fn times(a: u16, b: u16) -> u16 {
    match (a, b) {
        (0, _) | (_, 0) => 0,
        _ => TABLES.0[exponent(a) + exponent(b)],
    }
}

/// `b` is not zero.
fn over(a: u16, b: u16) -> u16 {
    match a {
        0 => 0,
        _ => TABLES.0[exponent(a) + ORDER - exponent(b)],
    }
}

/// The four words that belong behind `words` of this kind.
pub(super) fn checks(kind: u16, words: &[u16]) -> [u16; CHECKS] {
    let generator = generator();
    let mut rest = [0; CHECKS];
    for word in std::iter::once(&kind).chain(words) {
        let carried = rest[0] ^ word;
        rest.rotate_left(1);
        rest[CHECKS - 1] = 0;
        for (place, factor) in rest.iter_mut().zip(generator) {
            *place ^= times(carried, factor);
        }
    }
    rest
}

/// (y - x)(y - x^2)(y - x^3)(y - x^4) without its leading 1, highest coefficient first.
fn generator() -> [u16; CHECKS] {
    let mut product = [0; CHECKS + 1]; // lowest first
    product[0] = 1;
    for root in 1..=CHECKS {
        for place in (0..=CHECKS).rev() {
            let below = if place == 0 { 0 } else { product[place - 1] };
            product[place] = times(product[place], power(root)) ^ below;
        }
    }
    std::array::from_fn(|place| product[CHECKS - 1 - place])
}

/// What the block is at x, x^2, x^3 and x^4: all zero if it is whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Syndromes([u16; CHECKS]);

impl Syndromes {
    pub(super) fn of(kind: u16, words: &[u16]) -> Self {
        Self(std::array::from_fn(|root| {
            let at = power(root + 1);
            words.iter().fold(kind, |sum, word| times(sum, at) ^ word)
        }))
    }

    pub(super) fn are_zero(self) -> bool {
        self.0 == [0; CHECKS]
    }

    /// What must be added to the words at two different places to make the block whole, if anything can. Places count
    /// from the end of the block.
    pub(super) fn solve(self, one: usize, other: usize) -> Option<(u16, u16)> {
        let [first, second, third, fourth] = self.0;
        let (x, y) = (power(one), power(other));
        let a = over(times(first, y) ^ second, times(x, x ^ y));
        let b = over(times(first, x) ^ second, times(y, x ^ y));
        let sum = |exponent: u32| {
            let raised = |base: u16| (1..exponent).fold(base, |product, _| times(product, base));
            times(a, raised(x)) ^ times(b, raised(y))
        };
        (sum(3) == third && sum(4) == fourth).then_some((a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_has_an_inverse_for_everything_but_zero() {
        for value in 1..=ORDER as u16 {
            assert_eq!(times(value, over(1, value)), 1, "{value}");
        }
        let slow = |mut a: u32, mut b: u32| {
            let mut product = 0;
            while b > 0 {
                product ^= if b & 1 == 1 { a } else { 0 };
                a <<= 1;
                a ^= if a > 2047 { MODULUS } else { 0 };
                b >>= 1;
            }
            product as u16
        };
        for a in (0..2048).step_by(37) {
            for b in (0..2048).step_by(41) {
                assert_eq!(times(a as u16, b as u16), slow(a, b), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_block_with_its_check_words_is_whole_and_of_one_kind() {
        for kind in 1..=3 {
            let mut block: Vec<u16> = (0..48).map(|n| (n * 977 + 5) % 2048).collect();
            block.extend(checks(kind, &block));
            for asked in 1..=3 {
                let whole = Syndromes::of(asked, &block).are_zero();
                assert_eq!(whole, asked == kind, "{kind} as {asked}");
            }
        }
    }

    #[test]
    fn what_two_words_were_is_found_at_their_places_and_no_others() {
        let mut block: Vec<u16> = (0..24).map(|n| (n * 1031 + 7) % 2048).collect();
        block.extend(checks(1, &block));
        let last = block.len() - 1;
        let (mut spoilt, places) = (block.clone(), (3, 17));
        spoilt[places.0] ^= 1234;
        spoilt[places.1] ^= 77;
        let syndromes = Syndromes::of(1, &spoilt);
        for one in 0..=last {
            for other in one + 1..=last {
                let found = syndromes.solve(last - one, last - other);
                let expected = ((one, other) == places).then_some((1234, 77));
                assert_eq!(found, expected, "{one} {other}");
            }
        }
    }
}
