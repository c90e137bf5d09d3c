//! The program as a person uses it: everything is found by its label, and nothing is mocked but
//! the screen.

#[allow(dead_code, reason = "the maker of pictures uses the rest")]
mod hand;
mod mistakes;
mod opened;
mod pictures;
mod recover;
mod resume;
mod search;
mod steps;
mod whole;
