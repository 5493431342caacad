//! Keys on paper, and what people do to them on the way back: wrong letters, wrong words, words out of place.

use cobox_keys::access::{Address, EncryptionKey};
use cobox_keys::invite::PinnedHead;
use cobox_keys::paper::{Named, PaperKey, Piece, Seed, WordsError, pieces};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn person(byte: u8) -> PaperKey {
    let seed: [u8; 32] = std::array::from_fn(|at| {
        byte.wrapping_mul(31)
            .wrapping_add((at as u8).wrapping_mul(7))
    });
    PaperKey::Person(Seed::from_bytes(&seed))
}

fn space(byte: u8) -> PaperKey {
    let fill = |from: u8| {
        std::array::from_fn(|at| {
            from.wrapping_mul(13)
                .wrapping_add((at as u8).wrapping_mul(11))
        })
    };
    PaperKey::Space {
        address: Address(fill(byte)),
        key: EncryptionKey::from_bytes(&fill(byte.wrapping_add(99))),
    }
}

fn words(key: &PaperKey) -> Vec<String> {
    key.words().iter().map(str::to_owned).collect()
}

/// Never another key: a refusal, or the same one.
fn is_safe(key: &PaperKey, typed: &[String]) -> bool {
    PaperKey::from_words(typed).is_ok_and(|found| found == *key)
        || PaperKey::from_words(typed).is_err()
}

/// The refusal says what was meant, and with that it is the key.
fn is_mended(key: &PaperKey, typed: &[String]) -> bool {
    let Err(error) = PaperKey::from_words(typed) else {
        return false;
    };
    let mut mended = typed.to_vec();
    for hint in error.hints() {
        if !hint.certain {
            return false;
        }
        mended[hint.at - 1] = hint.offers[0].to_owned();
    }
    PaperKey::from_words(&mended).as_ref() == Ok(key)
}

fn list() -> Vec<&'static str> {
    // Every word of the list is a data word of one of these.
    let mut all = BTreeSet::new();
    let mut state = 1_u64;
    while all.len() < 2048 {
        let seed = std::array::from_fn(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u8
        });
        all.extend(PaperKey::Person(Seed::from_bytes(&seed)).words().iter());
    }
    all.into_iter().collect()
}

#[test]
fn words_give_the_key_back() {
    for key in [
        person(1),
        space(2),
        PaperKey::Root(Seed::from_bytes(&[0; 32])),
    ] {
        let typed = words(&key);
        let expected = if matches!(key, PaperKey::Space { .. }) {
            52
        } else {
            28
        };
        assert_eq!(typed.len(), expected);
        assert_eq!(PaperKey::from_words(&typed).as_ref(), Ok(&key));
        let short: Vec<_> = typed
            .iter()
            .map(|word| word.chars().take(4).collect::<String>().to_uppercase())
            .collect();
        assert_eq!(PaperKey::from_words(&short).as_ref(), Ok(&key));
    }
}

/// The first 24 words are what any other program of the list's makes of the same bytes (a vector of BIP 39).
#[test]
fn the_first_words_are_those_of_bip_39() {
    let key = PaperKey::Person(Seed::from_bytes(&[0x80; 32]));
    let theirs = "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless";
    let ours: Vec<_> = words(&key).into_iter().take(24).collect();
    assert_eq!(ours.join(" "), theirs);
}

#[test]
fn kinds_are_not_mistaken_for_each_other() {
    let seed = Seed::from_bytes(&[5; 32]);
    let (person, root) = (PaperKey::Person(seed.clone()), PaperKey::Root(seed));
    assert_ne!(words(&person), words(&root));
    assert_eq!(PaperKey::from_words(&words(&root)), Ok(root));
}

#[test]
fn every_wrong_letter_is_caught_and_mended() {
    for key in [person(3), space(4)] {
        let right = words(&key);
        let mut tried = 0;
        for at in 0..right.len() {
            for place in 0..right[at].len() {
                for letter in 'a'..='z' {
                    let mut typed = right.clone();
                    typed[at].replace_range(place..=place, &letter.to_string());
                    if typed == right || PaperKey::from_words(&typed).as_ref() == Ok(&key) {
                        continue; // the same, or behind the fourth letter of what is a start of the word
                    }
                    assert!(is_mended(&key, &typed), "{} for {}", typed[at], right[at]);
                    tried += 1;
                }
                for change in ["", "q"] {
                    let mut typed = right.clone();
                    let change = format!(
                        "{change}{}",
                        if change.is_empty() {
                            ""
                        } else {
                            &right[at][place..=place]
                        }
                    );
                    typed[at].replace_range(place..=place, &change);
                    assert!(is_safe(&key, &typed));
                    let same = PaperKey::from_words(&typed).is_ok();
                    assert!(
                        same || typed[at].is_empty() || is_mended(&key, &typed),
                        "{}",
                        typed[at]
                    );
                }
            }
        }
        assert!(tried > 3000);
    }
}

#[test]
fn every_word_of_the_list_at_every_place_is_caught_and_mended() {
    let list = list();
    let key = person(7);
    let right = words(&key);
    for at in 0..right.len() {
        for word in list.iter().filter(|word| **word != right[at]) {
            let mut typed = right.clone();
            typed[at] = (*word).to_owned();
            let Err(WordsError::Wrong(hints)) = PaperKey::from_words(&typed) else {
                panic!("{word} at {at}");
            };
            assert_eq!((hints.len(), hints[0].at), (1, at + 1));
            assert_eq!(hints[0].offers, [right[at].as_str()]);
        }
    }
}

#[test]
fn every_swap_of_two_words_is_caught_and_mended() {
    for key in [person(9), space(10)] {
        let right = words(&key);
        for one in 0..right.len() {
            for other in one + 1..right.len() {
                let mut typed = right.clone();
                typed.swap(one, other);
                assert!(typed == right || is_mended(&key, &typed), "{one} {other}");
            }
        }
    }
}

#[test]
fn a_word_that_is_missing_or_twice_there_is_named() {
    let key = space(11);
    let right = words(&key);
    for at in 0..right.len() {
        let mut short = right.clone();
        short.remove(at);
        let Err(WordsError::Shifted(hints)) = PaperKey::from_words(&short) else {
            panic!("without word {at}");
        };
        let mut mended = short.clone();
        mended.insert(hints[0].at - 1, hints[0].offers[0].to_owned());
        assert_eq!(mended, right);
        let mut long = right.clone();
        long.insert(at, right[at].clone());
        let Err(WordsError::Shifted(hints)) = PaperKey::from_words(&long) else {
            panic!("with word {at} twice");
        };
        long.remove(hints[0].at - 1);
        assert_eq!(long, right);
    }
    assert_eq!(
        PaperKey::from_words(&right[..20]),
        Err(WordsError::Count(20))
    );
    assert_eq!(PaperKey::from_words(&[""; 0]), Err(WordsError::Count(0)));
}

#[test]
fn what_is_no_word_gets_hints() {
    let key = person(12);
    let mut typed = words(&key);
    for (at, word) in [(0, "abandom"), (5, "zzzzzzzzzzzzzzzz"), (9, "zo")] {
        typed[at] = word.to_owned();
    }
    let Err(WordsError::Wrong(hints)) = PaperKey::from_words(&typed) else {
        panic!("three are no words");
    };
    let offers: Vec<_> = hints
        .iter()
        .map(|hint| (hint.at, hint.certain, hint.offers.first().copied()))
        .collect();
    assert_eq!(
        offers,
        [
            (1, false, Some("abandon")),
            (6, false, None),
            (10, false, Some("zoo"))
        ]
    );
    let said = WordsError::Wrong(hints).to_string();
    assert!(
        said.contains("word 1, \"abandom\", is no word of the list; perhaps: abandon"),
        "{said}"
    );
}

#[test]
fn a_qr_text_gives_back_all_and_any_wrong_letter_is_caught() {
    let named = Named {
        key: space(13),
        name: "Fotos für Oma".into(),
        hints: vec!["ab@1.2.3.4:5".into(), "cd@".into()],
        head: Some(PinnedHead {
            feed_key: [5; 32],
            length: 1 << 40,
            tree_hash: [6; 32],
        }),
    };
    let code = named.code();
    assert!(
        code.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b':')
    );
    assert_eq!(pieces(&code), [Piece::Key(named.clone())]);
    assert_eq!(pieces(&code.to_lowercase()), [Piece::Key(named)]);
    for at in 8..code.len() {
        for letter in ["A", "7"] {
            let mut bad = code.to_string();
            bad.replace_range(at..=at, letter);
            assert!(bad == *code || pieces(&bad) == [Piece::Code], "{at}");
        }
        assert_eq!(pieces(&code[..at]), [Piece::Code]);
    }
}

#[test]
fn keys_are_found_among_what_else_is_on_the_sheet() {
    let numbered = |key: &PaperKey, columns: usize| {
        let words = words(key);
        let rows = words.len().div_ceil(columns);
        // Down the columns, as some programs extract it; then along the rows.
        let order = (0..rows).flat_map(|row| (0..columns).map(move |column| column * rows + row));
        let order: Vec<_> = order.filter(|at| *at < words.len()).collect();
        let lines = order.chunks(columns).map(|row| {
            let cells = row.iter().map(|at| format!("{} {}", at + 1, words[*at]));
            cells.collect::<Vec<_>>().join("   ") + "\n"
        });
        lines.collect::<String>()
    };
    let (me, photos) = (person(14), space(15));
    let text = format!(
        "Paper key of Ann, page 1 of 2\nA square code says COBOX1: and then\n2026-11-30\nThe 28 words of\nthe secret key\n{}\n1 of\nabandon all hope\nhint: abcd@10.0.0.1:99,\n{}",
        numbered(&me, 4),
        numbered(&photos, 1),
    );
    let bare = |key: PaperKey| {
        Piece::Key(Named {
            key,
            name: String::new(),
            hints: Vec::new(),
            head: None,
        })
    };
    let mut found = pieces(&text);
    found.sort_by_key(|piece| !matches!(piece, Piece::Hint(_)));
    assert_eq!(
        found,
        [
            Piece::Hint("abcd@10.0.0.1:99".into()),
            bare(person(14)),
            bare(space(15))
        ]
    );
    let plain = |key: &PaperKey, each: usize| {
        let words = words(key);
        words
            .chunks(each)
            .map(|row| row.join(" ") + "\n")
            .collect::<String>()
    };
    let typed = format!("{}\n\n{}", plain(&me, 5), plain(&photos, 7).to_uppercase());
    assert_eq!(pieces(&typed), [bare(person(14)), bare(space(15))]);
    let spread = plain(&photos, 4).replace('\n', ",\n\n");
    assert_eq!(pieces(&spread), [bare(space(15))]);
    assert_eq!(pieces("   \n\n"), []);
}

/// Names of spaces and devices stand on the sheet, and others give them.
#[test]
fn a_name_that_looks_like_a_code_or_like_words_does_not_spoil_a_sheet() {
    let key = person(17);
    let words = words(&key);
    let numbered = |(at, word): (usize, &String)| format!("{} {word}\n", at + 1);
    let printed: String = words.iter().enumerate().map(numbered).collect();
    let text = format!(
        "Space COBOX1:AAAA\n\"1 abandon 2 ability\" (a member's)\nDevice 3 able\n{printed}Space 1 zoo COBOX1:{}\n",
        "7".repeat(90)
    );
    let Some(Piece::Key(found)) = pieces(&text).pop() else {
        panic!("the key: {:?}", pieces(&text));
    };
    assert_eq!((found.key, pieces(&text).len()), (person(17), 1));
    let code = found_code(&key);
    for line in [
        format!("QR-Code:{code}"),
        format!("  {code} {code}\n"),
        format!("qr-code:{}", code.to_lowercase()),
    ] {
        assert!(matches!(&pieces(&line)[0], Piece::Key(found) if found.key == key));
    }
}

fn found_code(key: &PaperKey) -> String {
    let named = Named {
        key: key.clone(),
        name: "Ann".into(),
        hints: Vec::new(),
        head: None,
    };
    named.code().to_string()
}

#[test]
fn a_number_without_its_word_is_a_missing_word() {
    let key = person(16);
    let words = words(&key);
    let text: String = (0..28)
        .filter(|at| *at != 6)
        .map(|at| format!("{}. {}\n", at + 1, words[at]))
        .collect();
    let [Piece::Words(WordsError::Wrong(hints))] = &pieces(&text)[..] else {
        panic!("one block");
    };
    assert_eq!((hints[0].at, hints[0].offers[0]), (7, words[6].as_str()));
}

proptest! {
    #[test]
    fn up_to_four_wrong_words_never_give_another_key(
        seed in any::<[u8; 32]>(), changes in proptest::collection::vec((0..28_usize, 0..2048_usize), 1..=4)
    ) {
        let key = PaperKey::Person(Seed::from_bytes(&seed));
        let words_of = list_once();
        let right = words(&key);
        let mut typed = right.clone();
        for (at, word) in changes {
            typed[at] = words_of[word].to_owned();
        }
        prop_assert!(typed == right || PaperKey::from_words(&typed).is_err());
    }

    #[test]
    fn any_text_is_looked_at_without_harm(text in "\\PC{0,400}") {
        let _ = pieces(&text);
    }
}

fn list_once() -> &'static [&'static str] {
    static LIST: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    LIST.get_or_init(list)
}

/// What another program makes of the same secrets, from the description of the format alone.
#[test]
fn words_and_codes_are_as_documented() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("vectors/paper.json")).unwrap();
    for kind in ["person", "space", "root"] {
        let vector = &vectors[kind];
        let text = |field: &str| vector[field].as_str().unwrap().to_owned();
        let secret: Vec<u8> = (0..text("secret").len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text("secret")[at..at + 2], 16).unwrap())
            .collect();
        let half = |at: usize| secret[at..at + 32].try_into().unwrap();
        let key = match kind {
            "person" => PaperKey::Person(Seed::from_bytes(&half(0))),
            "root" => PaperKey::Root(Seed::from_bytes(&half(0))),
            _ => PaperKey::Space {
                address: Address(half(0)),
                key: EncryptionKey::from_bytes(&half(32)),
            },
        };
        assert_eq!(*key.words().line(), text("words"), "{kind}");
        let hints = vector["hints"].as_array().unwrap();
        let named = Named {
            key,
            name: text("name"),
            hints: hints
                .iter()
                .map(|hint| hint.as_str().unwrap().to_owned())
                .collect(),
            head: None,
        };
        assert_eq!(*named.code(), text("code"), "{kind}");
    }
}
