//! Builds the page's folder and serves it.

fn main() {}
