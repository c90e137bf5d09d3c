//! What several screens draw.

pub mod card;
pub mod cells;
pub mod map;
pub mod trouble;
pub mod wishes;
