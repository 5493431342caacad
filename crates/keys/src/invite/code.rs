//! The line of letters around an invite: `cobox1`, then base32 of
//!
//! ```text
//! 0        1        3       5     13           end-4  end
//! | format | length | check | tag | sealed box | sum  |
//! ```
//!
//! Its job is to tell *why* a code cannot be opened, before anything is. The first five bytes are
//! eight letters and stay the same in every format: the length tells a cut code from an altered one,
//! and has a check of its own because everything else is judged by it.

use data_encoding::BASE32_NOPAD;

use super::InviteError;
use crate::identity::PublicKey;
use crate::sodium;

/// Longest code, in bytes before base32.
pub(super) const MAX_CODE: usize = 16 * 1024;

const PREFIX: &str = "cobox1";
const FORMAT: u8 = 1;
/// Format, length (2), check (2): eight letters of base32.
const FIXED: usize = 5;
const FIXED_LETTERS: usize = 8;
const TAG: usize = 8;
const SUM: usize = 4;
const AROUND: usize = FIXED + TAG + SUM;
/// A sealed box begins with a key made for it alone, which makes each tag another.
const BOX_KEY: usize = 32;

/// Wraps a box that was sealed to `recipient`.
pub(super) fn write(sealed: &[u8], recipient: &PublicKey) -> Result<String, InviteError> {
    let length = sealed.len() + AROUND;
    let too_long = InviteError::TooLong("invite");
    let stated = u16::try_from(length)
        .ok()
        .filter(|_| length <= MAX_CODE)
        .ok_or(too_long)?;
    let [low, high] = stated.to_le_bytes();
    let start = [FORMAT, low, high];
    let tag = tag(recipient, sealed);
    let mut bytes = [&start[..], &header_check(&start), &tag, sealed].concat();
    bytes.extend_from_slice(&sum(&bytes));
    Ok(format!(
        "{PREFIX}{}",
        BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
    ))
}

/// Unwraps the sealed box of a code that is whole, unaltered and made for `reader`.
pub(super) fn read(code: &str, reader: &PublicKey) -> Result<Vec<u8>, InviteError> {
    let letters = letters(code)?;
    let start = letters.get(..FIXED_LETTERS).ok_or(InviteError::Truncated)?;
    let start = BASE32_NOPAD
        .decode(start)
        .map_err(|_| InviteError::Tampered)?;
    if start[3..] != header_check(&start[..3]) {
        return Err(InviteError::Tampered);
    }
    let length = usize::from(u16::from_le_bytes([start[1], start[2]]));
    match letters.len().cmp(&BASE32_NOPAD.encode_len(length)) {
        std::cmp::Ordering::Less => return Err(InviteError::Truncated),
        std::cmp::Ordering::Greater => return Err(InviteError::Tampered),
        std::cmp::Ordering::Equal if start[0] != FORMAT => return Err(InviteError::TooNew),
        std::cmp::Ordering::Equal => {}
    }
    let bytes = BASE32_NOPAD
        .decode(&letters)
        .map_err(|_| InviteError::Tampered)?;
    unwrap_box(&bytes, reader)
}

fn unwrap_box(bytes: &[u8], reader: &PublicKey) -> Result<Vec<u8>, InviteError> {
    if bytes.len() < AROUND + BOX_KEY {
        return Err(InviteError::Tampered);
    }
    let (body, stated_sum) = bytes.split_at(bytes.len() - SUM);
    if stated_sum != sum(body) {
        return Err(InviteError::Tampered);
    }
    let (stated_tag, sealed) = body[FIXED..].split_at(TAG);
    if stated_tag != tag(reader, sealed) {
        return Err(InviteError::NotForYou);
    }
    Ok(sealed.to_vec())
}

/// What follows the prefix, in capitals, without the white space that mail programs add.
fn letters(code: &str) -> Result<Vec<u8>, InviteError> {
    let longest = PREFIX.len() + BASE32_NOPAD.encode_len(MAX_CODE);
    let squeezed = code
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .take(longest + 1);
    let squeezed: String = squeezed.map(|letter| letter.to_ascii_uppercase()).collect();
    let prefix = PREFIX.to_ascii_uppercase();
    match squeezed.strip_prefix(&prefix) {
        Some(letters) => Ok(letters.as_bytes().to_vec()),
        None if !squeezed.is_empty() && prefix.starts_with(&squeezed) => {
            Err(InviteError::Truncated)
        }
        None => Err(InviteError::NotACode),
    }
}

fn header_check(start: &[u8]) -> [u8; 2] {
    let hash = sodium::labelled_hash("invite header", &[start]);
    [hash[0], hash[1]]
}

/// Lets the invited person's program say "not for you" where it would otherwise have to say "cannot
/// be opened". Whoever has both the code and a public key can tell that they belong together.
fn tag(recipient: &PublicKey, sealed: &[u8]) -> [u8; TAG] {
    first(sodium::labelled_hash(
        "invite tag",
        &[&recipient.0, &sealed[..BOX_KEY]],
    ))
}

/// Against accidents only; the seal and the signature are against malice.
fn sum(body: &[u8]) -> [u8; SUM] {
    first(sodium::labelled_hash("invite sum", &[body]))
}

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    std::array::from_fn(|index| hash[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const READER: PublicKey = PublicKey([5; 32]);

    #[test]
    fn a_box_is_read_back_whatever_its_length() {
        for length in BOX_KEY..BOX_KEY + 20 {
            let sealed = vec![7; length];
            let code = write(&sealed, &READER).unwrap();
            assert_eq!(read(&code, &READER), Ok(sealed));
        }
    }

    #[test]
    fn the_longest_code_and_one_more() {
        let longest = MAX_CODE - AROUND;
        let code = write(&vec![0; longest], &READER).unwrap();
        assert_eq!(read(&code, &READER).map(|sealed| sealed.len()), Ok(longest));
        let refused = write(&vec![0; longest + 1], &READER);
        assert_eq!(refused, Err(InviteError::TooLong("invite")));
    }

    /// A later format may put anything behind the first five bytes, but not change those.
    #[test]
    fn a_code_of_a_later_format_says_so() {
        let start = [2, 30, 0];
        let bytes = [&start[..], &header_check(&start), &[0; 25]].concat();
        let code = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
        assert_eq!(read(&code, &READER), Err(InviteError::TooNew));
        assert_eq!(
            read(&code[..code.len() - 1], &READER),
            Err(InviteError::Truncated)
        );
    }

    #[test]
    fn a_code_too_short_for_any_box_is_refused() {
        let start = [FORMAT, AROUND as u8, 0];
        let mut bytes = [&start[..], &header_check(&start), &[0; TAG]].concat();
        bytes.extend_from_slice(&sum(&bytes));
        let code = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
        assert_eq!(read(&code, &READER), Err(InviteError::Tampered));
    }
}
