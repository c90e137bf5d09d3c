//! The page that teaches the algorithm: lessons whose figures are computed in front of the reader
//! by the library that prunes real models.

#[cfg(not(target_arch = "wasm32"))]
pub mod page;
#[cfg(not(target_arch = "wasm32"))]
pub mod site;
