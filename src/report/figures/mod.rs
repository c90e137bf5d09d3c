//! Figures as SVG: curves, the map of heads, the bars of channels. Colours are classes, so that one
//! style serves the page in light and dark, paper, and a figure that stands alone.

mod axis;
mod channels;
mod chart;
mod heads;
mod svg;

pub use axis::Scale;
pub use channels::channels;
pub use chart::{Chart, Marks, Series};
pub use heads::heads;
pub use svg::{Svg, escaped};

/// The style of the figures, for a page that holds them.
pub const STYLE: &str = include_str!("figure.css");
