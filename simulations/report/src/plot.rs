//! What is drawn, as numbers.

use serde::{Deserialize, Serialize};

/// A picture drawn from numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plot {
    /// What it shows, in a line.
    pub title: String,
    /// What is to be seen in it, for those who do not see it and for those who do.
    pub description: String,
    /// The numbers.
    pub drawing: Drawing,
}

/// The kinds of picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drawing {
    /// Values over time or by a parameter.
    Lines(Lines),
    /// Values by name.
    Bars(Bars),
    /// What happened to whom and when.
    Schedule(Schedule),
}

/// Values over time or by a parameter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The first is drawn heaviest: it is what the report is about.
    pub series: Vec<Series>,
    /// Stretches of x behind the lines, such as faults.
    pub shades: Vec<Shade>,
}

/// One direction of a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// How values become places.
    pub scaling: Scaling,
    /// Where its ticks are.
    pub ticks: Ticks,
    /// Whether it reaches down to 0 whatever is drawn; of no effect on a logarithmic one.
    pub from_zero: bool,
}

impl Axis {
    /// From zero, evenly.
    pub fn from_zero(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            from_zero: true,
            ..Self::default()
        }
    }

    /// Each decade as long as any other. Zero has its own place below the smallest.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            scaling: Scaling::Logarithmic,
            ..Self::default()
        }
    }

    /// With ticks at these values and nowhere else.
    #[must_use]
    pub fn ticks_at(mut self, values: &[f64]) -> Self {
        self.ticks = Ticks::At(values.to_vec());
        self
    }
}

/// How values become places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Evenly.
    #[default]
    Linear,
    /// By their logarithm; zero and below have a place of their own.
    Logarithmic,
}

/// Where ticks are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ticks {
    /// At round numbers.
    #[default]
    Round,
    /// At these values.
    At(Vec<f64>),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// Where it goes, by x. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// A line.
    #[default]
    Line,
    /// A line with a mark at each point: what was measured, and what is between.
    Marked,
    /// A line that others must stay below: dashed.
    Limit,
    /// A line with the area under it.
    Area,
}

/// A stretch of x that is shaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shade {
    /// From here.
    pub from: f64,
    /// To here.
    pub to: f64,
    /// What happened then.
    pub label: String,
}

/// Values by name, side by side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bars {
    /// What is measured.
    pub value: Axis,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// One bar of each series in every group.
    pub series: Vec<BarSeries>,
}

/// The same bar in every group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarSeries {
    /// What it is.
    pub name: String,
    /// By group; nothing where it was not measured.
    pub values: Vec<Option<f64>>,
}

/// What happened to whom and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Time.
    pub x: Axis,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
}

/// What happened to one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// To whom.
    pub name: String,
    /// What lasted.
    pub shades: Vec<Shade>,
    /// What did not.
    pub marks: Vec<Mark>,
    /// Whether nothing went wrong in it: it is drawn in a milder colour then.
    #[serde(default)]
    pub is_calm: bool,
}

/// An instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: f64,
    /// What.
    pub label: String,
}
