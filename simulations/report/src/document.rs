//! What a report is made of, without a word on how it looks.

use serde::{Deserialize, Serialize};

use crate::{Plot, Table};

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What the report answers.
    pub question: String,
    /// The answer in one word, if there is one.
    pub standing: Option<Standing>,
    /// Date, commit, command and the like, in order.
    pub facts: Vec<Fact>,
    /// The answer in a few paragraphs.
    pub summary: Vec<Text>,
    /// What the answer rests on.
    pub sections: Vec<Section>,
}

/// A name and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Such as `commit`.
    pub name: String,
    /// Such as the commit's hash.
    pub value: String,
}

impl Fact {
    /// A name and its value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// Blocks under one title.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its title.
    pub title: String,
    /// What stands in it, in order.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A title and what stands under it.
    pub fn new(title: impl Into<String>, blocks: Vec<Block>) -> Self {
        Self {
            title: title.into(),
            blocks,
        }
    }
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// Running text.
    Paragraph(Text),
    /// A title within a section.
    Heading(String),
    /// Points, unordered.
    List(Vec<Text>),
    /// Commands, output: shown as it is.
    Code(String),
    /// Rows and columns.
    Table(Table),
    /// What a check found.
    Finding(Finding),
    /// A picture drawn from numbers.
    Plot(Plot),
}

impl Block {
    /// A paragraph of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Paragraph(Text::plain(text))
    }
}

/// Text with parts that are set in another way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub Vec<Part>);

/// A run of characters, and how it is set. The characters themselves are never markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// As the text around it.
    Plain(String),
    /// What a machine reads: commands, names, numbers of claims.
    Code(String),
    /// What the eye should find.
    Strong(String),
}

impl Text {
    /// Text as it is.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(vec![Part::Plain(text.into())])
    }

    /// With more text.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Plain(text.into()));
        self
    }

    /// With something that a machine reads.
    #[must_use]
    pub fn code(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Code(text.into()));
        self
    }

    /// With something that the eye should find.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Part::Strong(text.into()));
        self
    }

    /// The characters alone.
    #[must_use]
    pub fn characters(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Plain(text) | Part::Code(text) | Part::Strong(text) => text.as_str(),
        });
        parts.collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// How a claim stands; the worst of several is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It held, and could have failed.
    Pass,
    /// Nothing was seen that could have shown it false.
    Unknown,
    /// It is false.
    Fail,
}

impl Standing {
    /// In a word, which is shown beside any colour.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }

    /// A shape that tells it from the others without a colour.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Pass => "✓",
            Self::Unknown => "?",
            Self::Fail => "✗",
        }
    }
}

/// What a check found, with the events that show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// In a sentence.
    pub title: String,
    /// How the claim stands.
    pub standing: Standing,
    /// What it means.
    pub text: Text,
    /// The smallest sequence of events that shows it, a line each.
    pub timeline: Vec<String>,
    /// The command that shows it again.
    pub command: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_standing_is_the_maximum() {
        let standings = [Standing::Unknown, Standing::Pass, Standing::Fail];
        assert_eq!(standings.into_iter().max(), Some(Standing::Fail));
        assert_eq!(
            standings[..2].iter().copied().max(),
            Some(Standing::Unknown)
        );
    }

    #[test]
    fn parts_of_a_text_follow_each_other() {
        let text = Text::plain("run ").code("make").and(" or ").strong("else");
        assert_eq!(text.characters(), "run make or else");
    }
}
