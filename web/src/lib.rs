//! The page that teaches the algorithm: lessons whose figures are computed in front of the reader
//! by the library that prunes real models.

pub mod remote;
