//! Methods against each other: what each selects and what it leaves, against hand-worked numbers
//! and sums in f64; grids of them that stop and go on; and the page that reports on a pruned folder.

mod flap;
mod grid;
mod model;
mod page;
mod selection;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod xml;
