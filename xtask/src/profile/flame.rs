//! The tree of calls with its counts: lists of functions, and the flame graph.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::Names;
use super::counts::Counts;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const TOP: f64 = 34.0;
/// Narrower boxes are left out.
const NARROWEST: f64 = 0.4;
/// The width of a letter of the font, roughly.
const LETTER: f64 = 6.2;

/// A function and what it called.
#[derive(Debug, Default)]
pub(super) struct Tree {
    own: u64,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    /// Puts names to counts.
    pub(super) fn of(counts: &Counts, names: &Names) -> Self {
        let mut root = Self::default();
        for (node, block, count) in counts.runs() {
            let path: Vec<&String> =
                counts.path(*node).iter().filter_map(|address| names.get(address)).flatten().collect();
            for address in counts.instructions(*block) {
                let mut place = &mut root;
                for name in path.iter().copied().chain(names.get(address).into_iter().flatten()) {
                    place = place.children.entry(name.clone()).or_default();
                }
                place.own += count;
            }
        }
        root
    }

    /// Returns the instructions of all of it.
    pub(super) fn count(&self) -> u64 {
        self.own + self.children.values().map(Self::count).sum::<u64>()
    }

    /// Returns the functions by their own instructions, most first.
    pub(super) fn by_self(&self) -> Vec<(String, u64)> {
        let mut sums = HashMap::new();
        self.sum_own(&mut sums);
        sorted(sums)
    }

    fn sum_own(&self, sums: &mut HashMap<String, u64>) {
        for (name, child) in &self.children {
            *sums.entry(name.clone()).or_default() += child.own;
            child.sum_own(sums);
        }
    }

    /// Returns the functions by their instructions and those of what they call, most first.
    pub(super) fn by_total(&self) -> Vec<(String, u64)> {
        let mut sums = HashMap::new();
        self.sum_total(&mut Vec::new(), &mut sums);
        sorted(sums)
    }

    fn sum_total<'a>(&'a self, path: &mut Vec<&'a str>, sums: &mut HashMap<String, u64>) {
        for (name, child) in &self.children {
            // A function inside of itself is counted once.
            if !path.contains(&name.as_str()) {
                *sums.entry(name.clone()).or_default() += child.count();
            }
            path.push(name);
            child.sum_total(path, sums);
            path.pop();
        }
    }

    fn depth(&self) -> usize {
        self.children.values().map(|child| 1 + child.depth()).max().unwrap_or(0)
    }

    /// Draws the tree: a box for each function, as wide as its instructions, above what called it.
    pub(super) fn svg(&self, title: &str, operations: u64) -> String {
        let height = TOP + ROW * self.depth() as f64 + 10.0;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             font-family=\"monospace\" font-size=\"10.5\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"8\" y=\"20\" font-size=\"14\" font-family=\"sans-serif\">{}</text>\n",
            escape(title)
        );
        let scale = WIDTH / self.count().max(1) as f64;
        self.draw(&mut out, 0.0, height - 8.0, scale, operations);
        out + "</svg>\n"
    }

    fn draw(&self, out: &mut String, mut x: f64, y: f64, scale: f64, operations: u64) {
        for (name, child) in &self.children {
            let count = child.count();
            let width = count as f64 * scale;
            if width >= NARROWEST {
                let each = count as f64 / operations as f64;
                let letters = ((width - 4.0) / LETTER).max(0.0) as usize;
                // Writing to a string cannot fail.
                let _ = write!(
                    out,
                    "<g><title>{0}: {each:.1}</title><rect x=\"{x:.1}\" y=\"{1:.1}\" width=\"{2:.1}\" height=\"{3}\" \
                     fill=\"{4}\"/>",
                    escape(name),
                    y - ROW,
                    (width - 0.3).max(0.3),
                    ROW - 1.0,
                    colour(name)
                );
                if letters >= 4 {
                    let _ = write!(
                        out,
                        "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                        x + 3.0,
                        y - 5.0,
                        escape(&label(name, letters))
                    );
                }
                out.push_str("</g>\n");
                child.draw(out, x, y - ROW, scale, operations);
            }
            x += width;
        }
    }
}

fn sorted(sums: HashMap<String, u64>) -> Vec<(String, u64)> {
    let mut list: Vec<(String, u64)> = sums.into_iter().collect();
    list.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    list
}

/// Shortens a name to its last parts.
fn label(name: &str, letters: usize) -> String {
    let count = name.chars().count();
    if count <= letters { name.to_owned() } else { name.chars().skip(count - letters).collect() }
}

/// Gives each crate a hue, and each function a shade.
fn colour(name: &str) -> String {
    let sum =
        |text: &str| text.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let owner = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let hue = match owner {
        "kernel" => 25,
        "hal" => 210,
        "core" | "alloc" => 120,
        _ => sum(owner) % 360,
    };
    format!("hsl({hue},70%,{}%)", 62 + sum(name) % 18)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_by_function_alone_and_with_callees() {
        let counts = Counts::parse("n 1 0 11\nb 1 20 21\nb 2 30\nc 1 1 5\nc 0 2 3\n").expect("valid");
        let name = |text: &str| vec![text.to_owned()];
        let names: Names = [(0x10, name("a")), (0x20, name("b")), (0x21, name("a")), (0x30, name("a"))]
            .into_iter()
            .collect();
        let tree = Tree::of(&counts, &names);
        assert_eq!(tree.count(), 13);
        assert_eq!(tree.by_self(), [("a".to_owned(), 8), ("b".to_owned(), 5)]);
        assert_eq!(tree.by_total(), [("a".to_owned(), 13), ("b".to_owned(), 5)]);
        let svg = tree.svg("t<", 1);
        assert!(svg.contains("t&lt;") && svg.contains("<title>b: 5.0</title>"), "{svg}");
    }
}
