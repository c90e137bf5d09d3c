//! The words the stories are made of.

/// Somebody a story can be about: name and the pronouns he, him, his.
#[derive(Clone, Copy, PartialEq)]
pub struct Person {
    pub name: &'static str,
    pub they: &'static str,
    pub them: &'static str,
    pub their: &'static str,
}

const fn girl(name: &'static str) -> Person {
    Person { name, they: "she", them: "her", their: "her" }
}

const fn boy(name: &'static str) -> Person {
    Person { name, they: "he", them: "him", their: "his" }
}

pub const PEOPLE: &[Person] = &[
    girl("Mia"),
    girl("Lily"),
    girl("Anna"),
    girl("Emma"),
    girl("Sara"),
    girl("Nora"),
    girl("Zoe"),
    girl("Ella"),
    boy("Tom"),
    boy("Ben"),
    boy("Max"),
    boy("Sam"),
    boy("Leo"),
    boy("Jack"),
    boy("Tim"),
    boy("Finn"),
];

pub const COLOURS: &[&str] = &["red", "blue", "green", "yellow", "white", "black", "brown", "pink"];
pub const TOYS: &[&str] = &["ball", "kite", "book", "doll", "boat", "hat", "drum", "box", "cup", "bear", "car", "bell"];
pub const PLACES: &[&str] =
    &["park", "garden", "forest", "river", "beach", "school", "farm", "market", "hill", "house"];
pub const FOODS: &[&str] = &["apple", "cake", "pear", "cookie", "plum", "nut", "egg", "berry"];
pub const ANIMALS: &[&str] = &["dog", "cat", "bird", "duck", "frog", "rabbit", "horse", "mouse", "fox", "bear"];
pub const NUMBERS: &[&str] = &["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// A thing that can be one way or the opposite way.
pub const OPPOSITES: &[(&str, &str)] = &[
    ("big", "small"),
    ("hot", "cold"),
    ("fast", "slow"),
    ("old", "new"),
    ("long", "short"),
    ("wet", "dry"),
    ("loud", "quiet"),
    ("heavy", "light"),
    ("full", "empty"),
    ("clean", "dirty"),
    ("tall", "short"),
    ("hard", "soft"),
];

/// What happens, how one feels, and what makes it good again.
pub const CAUSES: &[(&str, &str, &str)] = &[
    ("It began to rain", "wet", "put on a dry coat"),
    ("The wind was cold", "cold", "sat by the warm fire"),
    ("The sun was very hot", "hot", "sat under a big tree"),
    ("There was no more food", "hungry", "ate a warm soup"),
    ("The way was very long", "tired", "went to sleep in a soft bed"),
    ("There was a loud noise", "scared", "held the hand of a friend"),
    ("The day was very hot", "thirsty", "drank a cup of water"),
    ("The night came", "sleepy", "went to bed and closed both eyes"),
];

/// More than one of a thing.
pub fn plural(word: &str) -> String {
    match word {
        "berry" => "berries".into(),
        "box" | "fox" => format!("{word}es"),
        "mouse" => "mice".into(),
        _ => format!("{word}s"),
    }
}

/// A word with "a" or "an" before it.
pub fn a(word: &str) -> String {
    // The letter decides: none of the words has a silent h or a u that is spoken like you.
    match word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => format!("an {word}"),
        false => format!("a {word}"),
    }
}

/// "one apple", "three apples", "no apples".
pub fn counted(n: usize, word: &str) -> String {
    match n {
        1 => format!("one {word}"),
        _ => format!("{} {}", NUMBERS[n], plural(word)),
    }
}

/// With a capital letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
