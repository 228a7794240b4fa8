//! Markdown, for repositories and terminals. A figure is its words and a sample of its numbers.

use crate::{
    Block, Cell, Document, Finding, Part, Plot, Section, Standing, Table, Text, data, markup,
};

/// Rows of a figure's numbers that are shown.
const ROWS_MAX: usize = 16;

/// The document as Markdown, in GitHub's dialect.
#[must_use]
pub fn markdown(document: &Document) -> String {
    let mut page = Page::default();
    page.paragraph(&format!("# {}", plain(&document.question)));
    if let Some(standing) = document.standing {
        page.paragraph(&strong(standing));
    }
    for text in &document.summary {
        page.paragraph(&parts(text));
    }
    let facts = document.facts.iter();
    let facts = facts.map(|fact| format!("- {}: {}\n", plain(&fact.name), span(&fact.value)));
    page.paragraph(&facts.collect::<String>());
    for section in &document.sections {
        page.section(section);
    }
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    plots: usize,
}

impl Page {
    fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.text.push_str(text.trim_end());
            self.text.push_str("\n\n");
        }
    }

    fn section(&mut self, section: &Section) {
        self.paragraph(&format!("## {}", plain(&section.title)));
        for block in &section.blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(text) => self.paragraph(&parts(text)),
            Block::Heading(title) => self.paragraph(&format!("### {}", plain(title))),
            Block::List(items) => {
                let items = items.iter().map(|item| format!("- {}\n", parts(item)));
                self.paragraph(&items.collect::<String>());
            }
            Block::Code(code) => self.paragraph(&fenced(code)),
            Block::Table(table) => self.table(table),
            Block::Finding(finding) => self.finding(finding),
            Block::Plot(plot) => self.plot(plot),
        }
    }

    fn table(&mut self, table: &Table) {
        if !table.caption.is_empty() {
            self.paragraph(&format!("{}:", plain(&table.caption)));
        }
        let titles = table
            .columns
            .iter()
            .map(|column| in_cell(&plain(&column.title)));
        let mut text = line(titles);
        text += &line(table.columns.iter().map(|column| match column.is_numeric {
            true => "---:".to_owned(),
            false => "---".to_owned(),
        }));
        let nothing = Cell::default();
        for row in &table.rows {
            let cells = (0..table.columns.len()).map(|index| row.get(index).unwrap_or(&nothing));
            text += &line(cells.map(cell));
        }
        self.paragraph(&text);
    }

    fn finding(&mut self, finding: &Finding) {
        let title = format!(
            "### {}: {}",
            strong(finding.standing),
            plain(&finding.title)
        );
        self.paragraph(&title);
        self.paragraph(&parts(&finding.text));
        if !finding.timeline.is_empty() {
            self.paragraph(&fenced(&finding.timeline.join("\n")));
        }
        if let Some(command) = &finding.command {
            self.paragraph(&fenced(command));
        }
    }

    fn plot(&mut self, plot: &Plot) {
        self.plots += 1;
        let title = plain(plot.title.trim_end_matches('.'));
        let description = plain(&plot.description);
        self.paragraph(&format!(
            "**Figure {}: {title}.** {description}",
            self.plots
        ));
        let mut table = data::sampled(plot, ROWS_MAX);
        if table.caption == plot.title {
            table.caption.clear();
        }
        self.table(&table);
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {} |\n", cells.join(" | "))
}

fn cell(cell: &Cell) -> String {
    let text = in_cell(&parts(&cell.text));
    match (cell.standing, cell.is_best) {
        (Some(standing), _) => strong(standing),
        (None, true) if !text.is_empty() => format!("**{text}**"),
        (None, _) => text,
    }
}

fn strong(standing: Standing) -> String {
    format!("**{} {}**", standing.sign(), standing.word())
}

fn parts(text: &Text) -> String {
    let parts = text.0.iter().map(|part| match part {
        Part::Plain(text) => plain(text),
        Part::Code(text) => span(text),
        Part::Strong(text) if text.trim().is_empty() => plain(text),
        Part::Strong(text) => bold(text),
    });
    parts.collect()
}

/// Spaces at the ends stay outside: within, they would keep the text from being bold.
fn bold(text: &str) -> String {
    let inside = text.trim();
    let (before, after) = text.split_once(inside).unwrap_or_default();
    let space = |end: &str| if end.is_empty() { "" } else { " " };
    format!("{}**{}**{}", space(before), plain(inside), space(after))
}

/// A bar ends a cell, in code too, unless it is escaped.
fn in_cell(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut before = ' ';
    for character in markdown.chars() {
        if character == '|' && before != '\\' {
            text.push('\\');
        }
        text.push(character);
        before = character;
    }
    text
}

/// Text on one line in which nothing is markup.
fn plain(text: &str) -> String {
    let text = visible(text);
    let mut escaped = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let is_mark = "\\`*_[]<>|#~&!$".contains(character);
        let opens = at == 0 && "-+=:".contains(character);
        if is_mark || opens || counts(&text, at) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    // What looks like an address would become a link.
    escaped.replace("://", ":\\//").replace("www.", "www\\.")
}

/// Whether a character ends the number of a list's first point.
fn counts(text: &str, at: usize) -> bool {
    let (number, rest) = text.split_at(at);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (rest == "." || rest == ")" || rest.starts_with(". ") || rest.starts_with(") "))
}

/// Code on one line.
fn span(text: &str) -> String {
    let text = visible(text);
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    match text.starts_with('`') || text.ends_with('`') {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

/// Code on lines of its own.
fn fenced(code: &str) -> String {
    let lines: Vec<String> = code.lines().map(visible).collect();
    let code = lines.join("\n");
    let fence = "`".repeat(longest_run(&code).max(2) + 1);
    format!("{fence}text\n{code}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|character| character != '`');
    runs.map(str::len).max().unwrap_or(0)
}

/// One line, without what a terminal or a page would obey.
fn visible(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '\n' | '\t' | '\r' => ' ',
        hidden if markup::is_hidden(hidden) => '\u{fffd}',
        other => other,
    });
    characters.collect()
}

#[cfg(test)]
mod tests;
