//! The program as a person uses it: everything is found by its label, and nothing is mocked but
//! the screen.

#[path = "../../../tests/support/adapter.rs"]
mod adapter;
mod downloads;
#[allow(dead_code, reason = "the maker of pictures uses the rest")]
mod hand;
#[allow(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../../../tests/support/hub.rs"]
mod hub;
mod mistakes;
mod opened;
mod pictures;
mod recover;
mod resume;
mod search;
mod steps;
mod whole;
#[path = "../../../tests/support/zip.rs"]
mod zip;
