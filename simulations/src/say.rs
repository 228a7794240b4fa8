//! What commands print.

use std::fmt::Arguments;
use std::io::{Write, stdout};

/// Prints a line, as `println!` does, to a reader who may go away.
macro_rules! say {
    ($($line:tt)*) => {
        $crate::say::line(format_args!($($line)*))
    };
}
pub(crate) use say;

/// Prints text. A reader that went away (`| head`) stops the printing, not the run: files are still
/// written, and the exit code is the verdict.
pub(crate) fn text(text: Arguments<'_>) {
    drop(stdout().lock().write_fmt(text));
}

/// Prints text and ends the line.
pub(crate) fn line(line: Arguments<'_>) {
    text(format_args!("{line}\n"));
}
