//! A grammar of small English stories with facts to remember: who has what, opposites, counting,
//! cause and effect. Every story keeps a little world, so that its end agrees with its beginning.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::words::{
    ANIMALS, CAUSES, COLOURS, FOODS, OPPOSITES, PEOPLE, PLACES, Person, TOYS, a, capital, counted, plural,
};

/// Stories separated by empty lines, about `bytes` long; a seed gives always the same text.
pub fn corpus(seed: u64, bytes: usize) -> String {
    // ChaCha gives the same numbers on every machine, and so the same stories.
    let mut teller = Teller { rng: ChaCha8Rng::seed_from_u64(seed) };
    // The last story ends beyond `bytes`.
    let mut text = String::with_capacity(bytes + 1000);
    while text.len() < bytes {
        text.push_str(&teller.story());
        text.push_str("\n\n");
    }
    text
}

struct Teller {
    rng: ChaCha8Rng,
}

/// Two people, each with a toy of a colour.
struct World {
    hero: Person,
    friend: Person,
    hero_toy: (&'static str, &'static str),
    friend_toy: (&'static str, &'static str),
    place: &'static str,
}

impl Teller {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from.choose(&mut self.rng).copied().unwrap_or(from[0])
    }

    /// Two elements that are not the same.
    fn two<T: Copy + PartialEq>(&mut self, from: &[T]) -> (T, T) {
        let first = self.pick(from);
        loop {
            let second = self.pick(from);
            if second != first {
                return (first, second);
            }
        }
    }

    fn story(&mut self) -> String {
        let (hero, friend) = self.two(PEOPLE);
        // Were they the same, "Who had the ball?" would have two answers.
        let (toy, other) = self.two(TOYS);
        let (colour, other_colour) = self.two(COLOURS);
        let world = World {
            hero,
            friend,
            hero_toy: (colour, toy),
            friend_toy: (other_colour, other),
            place: self.pick(PLACES),
        };
        let mut parts = vec![self.opening(&world)];
        for _ in 0..self.rng.random_range(1..=2) {
            parts.push(self.event(&world));
        }
        parts.push(self.possession(&world));
        parts.push(self.ending(&world));
        parts.join(" ")
    }

    fn opening(&mut self, w: &World) -> String {
        let Person { name, they, .. } = w.hero;
        let (place, friend) = (w.place, w.friend.name);
        let kind = if they == "she" { "girl" } else { "boy" };
        match self.rng.random_range(0..5) {
            0 => format!(
                "Once upon a time there was a little {kind} named {name}. One day {name} went to the {place} with {friend}."
            ),
            1 => format!("One day {name} and {friend} went to the {place}. It was a sunny day."),
            2 => format!("{name} was a little {kind}. {} liked to play at the {place} with {friend}.", capital(they)),
            3 => format!("{name} and {friend} were good friends. They played at the {place} every day."),
            _ => format!(
                "It was morning. {name} woke up and was happy. {} ran to the {place} to see {friend}.",
                capital(they)
            ),
        }
    }

    fn event(&mut self, w: &World) -> String {
        match self.rng.random_range(0..5) {
            0 => self.counting(w),
            1 => self.opposites(w),
            2 => self.cause(w),
            3 => self.animal(w),
            _ => self.lost(w),
        }
    }

    /// One has some, more come or some go, and the sum is right.
    fn counting(&mut self, w: &World) -> String {
        let food = self.pick(FOODS);
        let Person { name, they, .. } = w.hero;
        let (they, friend) = (capital(they), w.friend.name);
        // With at most 4 more, no sum is beyond the last of `NUMBERS`.
        let have = self.rng.random_range(1..=5);
        let start = format!("{name} had {}.", counted(have, food));
        let (change, now) = match self.rng.random_range(0..3) {
            0 => {
                let more = self.rng.random_range(1..=4);
                (format!("{they} found {} more.", number(more)), have + more)
            }
            1 => {
                let given = self.rng.random_range(1..=4);
                (format!("{friend} gave {} {} more.", w.hero.them, number(given)), have + given)
            }
            _ => {
                // Nobody loses more than there is.
                let gone = self.rng.random_range(1..=have);
                let verb = self.pick(&["ate", "gave away", "lost"]);
                (format!("{they} {verb} {}.", number(gone)), have - gone)
            }
        };
        format!("{start} {change} Now {name} had {}.", counted(now, food))
    }

    fn opposites(&mut self, w: &World) -> String {
        let (one, other) = self.pick(OPPOSITES);
        let (one, other) = if self.rng.random_bool(0.5) { (one, other) } else { (other, one) };
        let ((_, mine), (_, yours)) = (w.hero_toy, w.friend_toy);
        let (name, friend) = (w.hero.name, w.friend.name);
        match self.rng.random_range(0..3) {
            0 => format!(
                "The {mine} was {one}, but the {yours} was {other}. {name} liked the {one} {mine} and {friend} liked the {other} {yours}."
            ),
            1 => format!(
                "\"Is your {yours} {one}?\" asked {name}. \"No, it is not {one}. It is {other},\" said {friend}."
            ),
            _ => format!("First the {mine} was {one}. Then it was not {one} any more. It was {other}."),
        }
    }

    fn cause(&mut self, w: &World) -> String {
        let (what, how, cure) = self.pick(CAUSES);
        let Person { name, they, .. } = w.hero;
        let they = capital(they);
        match self.rng.random_range(0..3) {
            0 => format!("{what}, so {name} was {how}. {they} {cure}. Then {name} was not {how} any more."),
            1 => {
                format!("{what}. \"I am {how},\" said {name}. So {} {cure}. After that {name} felt good.", w.hero.they)
            }
            _ => format!("{name} was {how}. Why was {name} {how}? {what}. {they} {cure} and was happy again."),
        }
    }

    fn animal(&mut self, w: &World) -> String {
        let animal = self.pick(ANIMALS);
        let colour = self.pick(COLOURS);
        let food = self.pick(FOODS);
        let (name, friend) = (w.hero.name, w.friend.name);
        match self.rng.random_range(0..3) {
            0 => format!(
                "At the {} they saw a {colour} {animal}. The {animal} was hungry. {name} gave the {animal} {}. The {animal} was happy.",
                w.place,
                a(food)
            ),
            1 => format!(
                "{friend} saw {} {}. \"Look, the {} are here!\" said {friend}. {name} smiled.",
                self.pick(&["two", "three", "four"]),
                plural(animal),
                plural(animal)
            ),
            _ => format!(
                "A {colour} {animal} came to {name}. \"Hello, little {animal},\" said {name}. The {animal} wanted to play, so they played."
            ),
        }
    }

    fn lost(&mut self, w: &World) -> String {
        let spot = self.pick(&[
            "under the tree",
            "behind the door",
            "in the grass",
            "on the chair",
            "near the water",
            "under the bed",
        ]);
        let Person { name, their, .. } = w.hero;
        let (colour, toy) = w.hero_toy;
        let friend = w.friend.name;
        match self.rng.random_range(0..2) {
            0 => format!(
                "{name} could not find {their} {colour} {toy}. {friend} looked {spot}. The {colour} {toy} was {spot}! \"Thank you, {friend},\" said {name}."
            ),
            _ => format!(
                "{name} put the {toy} {spot}. Later {name} asked, \"Where is my {toy}?\" \"It is {spot},\" said {friend}. And there it was."
            ),
        }
    }

    /// Who has what, who gives it to whom, and who has it then.
    fn possession(&mut self, w: &World) -> String {
        let ((c1, t1), (c2, t2)) = (w.hero_toy, w.friend_toy);
        let (name, friend) = (w.hero.name, w.friend.name);
        let have = format!("{name} had a {c1} {t1}. {friend} had a {c2} {t2}.");
        match self.rng.random_range(0..4) {
            0 => format!("{have} Who had the {t1}? {name} had the {t1}. Who had the {t2}? {friend} had the {t2}."),
            1 => format!("{have} {name} gave the {t1} to {friend}. Now {friend} had the {c1} {t1} and the {c2} {t2}."),
            2 => format!("{have} {friend} gave the {t2} to {name}. Now {name} had the {c1} {t1} and the {c2} {t2}."),
            _ => format!("{have} They swapped. Now {name} had the {c2} {t2} and {friend} had the {c1} {t1}."),
        }
    }

    fn ending(&mut self, w: &World) -> String {
        let (name, friend) = (w.hero.name, w.friend.name);
        match self.rng.random_range(0..5) {
            0 => format!("{name} and {friend} were happy. They went home together."),
            1 => format!("\"What a good day,\" said {name}. And {friend} said, \"Yes, it was.\""),
            2 => format!("At night {name} went to bed and dreamed of the {}.", w.place),
            3 => format!("Then {name} said goodbye to {friend} and went home."),
            _ => "They laughed and played until the sun went down.".to_owned(),
        }
    }
}

fn number(n: usize) -> &'static str {
    crate::words::NUMBERS[n]
}
