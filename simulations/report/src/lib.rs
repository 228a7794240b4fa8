//! Reports that outlive the tools that look at them.
//!
//! A [`Document`] is a question, an answer and what the answer rests on: text, tables, findings
//! with their timelines, and plots. It is rendered three times from the same data: [`html`] is one
//! file that loads nothing, light or dark as the reader's system is, down to a phone's width;
//! [`markdown`] is for repositories and terminals; [`json`] is for programs, with every plotted
//! number in it.
//!
//! ```
//! use distributary_report::{Block, Document, Section, html, markdown};
//!
//! let document = Document {
//!     question: "Is 2 < 3?".to_owned(),
//!     sections: vec![Section::new("Answer", vec![Block::text("Yes, by one.")])],
//!     ..Document::default()
//! };
//! assert!(html(&document).contains("<h1>Is 2 &lt; 3?</h1>"));
//! assert!(markdown(&document).starts_with("# Is 2 \\< 3?"));
//! ```
//!
//! Whatever text a document carries is text: nothing in it is markup, in any of the three.

mod data;
mod date;
mod document;
mod html;
mod markdown;
mod markup;
mod number;
mod plot;
mod scale;
mod svg;
mod table;
mod words;

pub use date::date;
pub use document::{Block, Document, Fact, Finding, Part, Section, Standing, Text};
pub use html::html;
pub use markdown::markdown;
pub use plot::{
    Axis, BarSeries, Bars, Drawing, Lane, Lines, Mark, Plot, Scaling, Schedule, Series, Shade,
    Style, Ticks,
};
pub use table::{Best, Cell, Column, Table};

/// The document as JSON, for programs.
#[must_use]
pub fn json(document: &Document) -> String {
    let mut text = serde_json::to_string_pretty(document)
        .expect("a document has string keys and no failing serialisers");
    text.push('\n');
    text
}
