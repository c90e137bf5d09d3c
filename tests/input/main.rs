//! What comes in and cannot be used: each is refused with a message that names the file or the
//! tensor, the value and the remedy.

mod config;
mod files;
#[path = "../support/mod.rs"]
mod support;
mod text;
mod windows;

/// Fails unless this is an error whose message has every one of these words.
#[track_caller]
fn assert_says<T, E: std::fmt::Display>(result: Result<T, E>, words: &[&str]) {
    let Err(error) = result else { panic!("accepted, but should say {words:?}") };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "\"{word}\" is not in: {message}");
    }
}
