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

/// The width of a figure on a page of its own, in user units; where there is less room a figure is drawn narrower, since
/// one that is shrunk has letters nobody can read.
pub const WIDTH: f64 = 720.0;

/// The style of the figures, for a page that holds them.
pub const STYLE: &str = include_str!("figure.css");
