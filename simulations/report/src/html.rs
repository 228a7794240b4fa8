//! One page that loads nothing and runs nothing.

use crate::{
    Block, Cell, Column, Document, Finding, Part, Plot, Section, Standing, Table, Text, data,
    markup::Markup,
    svg::{self, Room},
};

/// How everything looks, in the light and in the dark.
pub(crate) const STYLE: &str = include_str!("page.css");

/// Tables of so many columns are set closer.
const CROWDED_COLUMNS: usize = 8;

/// Forbids the page to load or run anything, whatever might have slipped into it.
const POLICY: &str = include_str!("page.policy");

/// The document as a page of HTML.
#[must_use]
pub fn html(document: &Document) -> String {
    let mut page = Page::default();
    page.head(&document.question);
    page.out.open("main", &[]);
    page.opening(document);
    for (index, section) in document.sections.iter().enumerate() {
        page.section(index, section);
    }
    page.out.close("main");
    page.out.ours("\n</body>\n</html>\n");
    page.out.finish()
}

#[derive(Default)]
struct Page {
    out: Markup,
    plots: usize,
}

impl Page {
    fn head(&mut self, title: &str) {
        let out = &mut self.out;
        out.ours("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.empty(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                ("content", POLICY),
            ],
        );
        out.ours("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.ours("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.leaf("title", &[], title);
        out.ours("\n<style>\n");
        out.ours(STYLE);
        out.ours("</style>\n</head>\n<body>\n");
    }

    fn opening(&mut self, document: &Document) {
        self.out.open("header", &[]);
        self.out.leaf("h1", &[], &document.question);
        if let Some(standing) = document.standing {
            self.out.open("p", &[("class", "answer")]);
            self.standing(standing);
            self.out.close("p");
        }
        for text in &document.summary {
            self.paragraph("abstract", text);
        }
        self.facts(document);
        self.contents(document);
        self.out.close("header");
        self.out.newline();
    }

    fn facts(&mut self, document: &Document) {
        if document.facts.is_empty() {
            return;
        }
        self.out.open("dl", &[]);
        for fact in &document.facts {
            self.out.open("div", &[]);
            self.out.leaf("dt", &[], &fact.name);
            self.out.leaf("dd", &[], &fact.value);
            self.out.close("div");
        }
        self.out.close("dl");
        self.out.newline();
    }

    fn contents(&mut self, document: &Document) {
        if document.sections.len() < 3 {
            return;
        }
        self.out.open("nav", &[("aria-label", "Contents")]);
        self.out.open("ol", &[]);
        for (index, section) in document.sections.iter().enumerate() {
            self.out.open("li", &[]);
            let target = format!("#section-{}", index + 1);
            self.out.leaf("a", &[("href", &target)], &section.title);
            self.out.close("li");
        }
        self.out.close("ol");
        self.out.close("nav");
    }

    fn section(&mut self, index: usize, section: &Section) {
        let id = format!("section-{}", index + 1);
        self.out.open("section", &[("id", &id)]);
        self.out.leaf("h2", &[], &section.title);
        self.out.newline();
        for block in &section.blocks {
            self.block(block);
            self.out.newline();
        }
        self.out.close("section");
        self.out.newline();
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Paragraph(text) => self.paragraph("", text),
            Block::Heading(title) => self.out.leaf("h3", &[], title),
            Block::List(items) => self.list(items),
            Block::Code(code) => self.code(code),
            Block::Table(table) => self.table(table),
            Block::Finding(finding) => self.finding(finding),
            Block::Plot(plot) => self.plot(plot),
        }
    }

    fn paragraph(&mut self, class: &str, text: &Text) {
        match class {
            "" => self.out.open("p", &[]),
            class => self.out.open("p", &[("class", class)]),
        }
        self.parts(text);
        self.out.close("p");
    }

    fn parts(&mut self, text: &Text) {
        for part in &text.0 {
            match part {
                Part::Plain(text) => self.out.text(text),
                Part::Code(text) => self.out.leaf("code", &[], text),
                Part::Strong(text) => self.out.leaf("strong", &[], text),
            }
        }
    }

    fn list(&mut self, items: &[Text]) {
        self.out.open("ul", &[]);
        for item in items {
            self.out.open("li", &[]);
            self.parts(item);
            self.out.close("li");
        }
        self.out.close("ul");
    }

    fn code(&mut self, code: &str) {
        // What scrolls must be reachable without a mouse.
        self.out.open("pre", &[("tabindex", "0")]);
        self.out.leaf("code", &[], code);
        self.out.close("pre");
    }

    fn standing(&mut self, standing: Standing) {
        let class = format!("standing {}", standing.word());
        let text = format!("{} {}", standing.sign(), standing.word());
        self.out.leaf("span", &[("class", &class)], &text);
    }

    fn table(&mut self, table: &Table) {
        let region = [
            ("class", "scroll"),
            ("tabindex", "0"),
            ("role", "region"),
            ("aria-label", table.caption.as_str()),
        ];
        self.out.open("div", &region);
        let is_crowded = table.columns.len() >= CROWDED_COLUMNS;
        let class = is_crowded.then_some(("class", "crowded"));
        self.out.open("table", class.as_slice());
        if !table.caption.is_empty() {
            self.out.leaf("caption", &[], &table.caption);
        }
        self.table_head(&table.columns);
        self.out.open("tbody", &[]);
        for row in &table.rows {
            self.row(&table.columns, row);
        }
        self.out.close("tbody");
        self.out.close("table");
        self.out.close("div");
    }

    fn table_head(&mut self, columns: &[Column]) {
        self.out.open("thead", &[]);
        self.out.open("tr", &[]);
        for column in columns {
            let attributes = [("scope", "col"), ("class", class_of(column))];
            self.out.leaf("th", &attributes, &column.title);
        }
        self.out.close("tr");
        self.out.close("thead");
        self.out.newline();
    }

    fn row(&mut self, columns: &[Column], row: &[Cell]) {
        let nothing = Cell::default();
        self.out.open("tr", &[]);
        for (index, column) in columns.iter().enumerate() {
            let cell = row.get(index).unwrap_or(&nothing);
            let (tag, scope) = if index == 0 {
                ("th", "row")
            } else {
                ("td", "")
            };
            let all = [("class", class_of(column)), ("scope", scope)];
            self.out.open(tag, &all[..if index == 0 { 2 } else { 1 }]);
            self.cell(cell);
            self.out.close(tag);
        }
        self.out.close("tr");
        self.out.newline();
    }

    fn cell(&mut self, cell: &Cell) {
        match (cell.standing, cell.is_best) {
            (Some(standing), _) => self.standing(standing),
            (None, true) => self.out.leaf("strong", &[], &cell.text.characters()),
            (None, false) => self.parts(&cell.text),
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let class = format!("finding {}", finding.standing.word());
        self.out.open("article", &[("class", &class)]);
        self.out.open("h3", &[]);
        self.standing(finding.standing);
        self.out.text(" ");
        self.out.text(&finding.title);
        self.out.close("h3");
        self.paragraph("", &finding.text);
        if !finding.timeline.is_empty() {
            self.out.open("ol", &[("class", "timeline")]);
            for line in &finding.timeline {
                self.out.leaf("li", &[], line);
            }
            self.out.close("ol");
        }
        if let Some(command) = &finding.command {
            self.code(command);
        }
        self.out.close("article");
    }

    fn plot(&mut self, plot: &Plot) {
        self.plots += 1;
        self.out.open("figure", &[]);
        for room in Room::ALL {
            let id = format!("figure-{}-{}", self.plots, room.class());
            self.out.append(&svg::draw(plot, &id, room));
        }
        self.out.open("figcaption", &[]);
        let title = format!(
            "Figure {}: {}.",
            self.plots,
            plot.title.trim_end_matches('.')
        );
        self.out.leaf("strong", &[], &title);
        self.out.text(" ");
        self.out.text(&plot.description);
        self.out.close("figcaption");
        self.out.open("details", &[]);
        let summary = format!("The numbers of figure {}", self.plots);
        self.out.leaf("summary", &[], &summary);
        self.table(&data::of(plot));
        self.out.close("details");
        self.out.close("figure");
    }
}

fn class_of(column: &Column) -> &'static str {
    match column.is_numeric {
        true => "number",
        false => "words",
    }
}

#[cfg(test)]
mod tests;
