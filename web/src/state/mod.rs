//! What the reader changed. Each lesson has a state of its own with its own undo; together they
//! stand in the query of the address, as far as they differ from the beginning.

mod address;
mod field;
mod kept;

pub use address::{Damaged, VERSION, changed, numbered, read, written};
pub use field::{Edit, Field, fitting};
pub use kept::Kept;

/// A lesson's state: plain values that can be written into an address and read from one.
pub trait Shared: Clone + PartialEq + Default + Send + Sync + 'static {
    /// Its values with their names, which are never given another meaning.
    fn fields(&mut self) -> Vec<(&'static str, Field<'_>)>;
}
