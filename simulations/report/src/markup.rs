//! Elements, attributes and text. What comes from a document goes through here, and is escaped.

/// What XML 1.0 cannot hold even escaped is replaced by this.
const REPLACEMENT: char = '\u{fffd}';

/// HTML or SVG under construction.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Opens an element. Tags and names of attributes are ours, so they are literals.
    pub(crate) fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.start(tag, attributes);
        self.0.push('>');
    }

    /// An element without content.
    pub(crate) fn empty(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.start(tag, attributes);
        self.0.push_str("/>");
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// Text, escaped.
    pub(crate) fn text(&mut self, text: &str) {
        escape_into(&mut self.0, text);
    }

    /// An element with nothing but text in it.
    pub(crate) fn leaf(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
        text: &str,
    ) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A line's end, so that the file can be read and compared.
    pub(crate) fn newline(&mut self) {
        self.0.push('\n');
    }

    /// Markup of ours that no document had a part in.
    pub(crate) fn ours(&mut self, literal: &'static str) {
        self.0.push_str(literal);
    }

    /// What was made elsewhere in the same way.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn start(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            escape_into(&mut self.0, value);
            self.0.push('"');
        }
    }
}

fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            _ if is_hidden(character) => out.push(REPLACEMENT),
            _ => out.push(character),
        }
    }
}

/// Control characters, and those that reorder the text around them.
pub(crate) fn is_hidden(character: char) -> bool {
    let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let none = matches!(character, '\u{fffe}' | '\u{ffff}');
    character.is_control() || reorders || none
}

/// A length or place in pixels, to a tenth.
pub(crate) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_leave_their_place() {
        let mut markup = Markup::default();
        markup.leaf(
            "p",
            &[("title", "\"><script>'")],
            "</p><script>&\u{0}\u{202e}",
        );
        let expected = "<p title=\"&quot;&gt;&lt;script&gt;&#39;\">\
                        &lt;/p&gt;&lt;script&gt;&amp;\u{fffd}\u{fffd}</p>";
        assert_eq!(markup.finish(), expected);
    }

    #[test]
    fn pixels_are_short() {
        assert_eq!([1.0, -0.01, 2.25, 3.96].map(px), ["1", "0", "2.2", "4"]);
    }
}
