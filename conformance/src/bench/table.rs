//! The figures for people: the line's fields as columns, with their units.

use std::fmt::Write;

use super::Report;

impl Report {
    /// Two lines: what each column is, and the figures. `-` stands for what was not measured.
    pub fn table(&self) -> String {
        let micros = |at| if self.p50_us == 0 { "-".to_owned() } else { grouped(at) };
        let columns = [
            ("client", format!("rocketry-{}", self.peer)),
            ("work", self.work.clone()),
            ("messages", grouped(self.count as u64)),
            ("messages/s", grouped(self.rate.round() as u64)),
            ("CPU µs/message", format!("{:.2}", self.cpu_us)),
            ("peak MiB", format!("{:.1}", self.rss_kb as f64 / 1024.0)),
            ("p50 µs", micros(self.p50_us)),
            ("p99 µs", micros(self.p99_us)),
            ("p99.9 µs", micros(self.p999_us)),
        ];
        let (mut names, mut figures) = (String::new(), String::new());
        for (place, (name, figure)) in columns.iter().enumerate() {
            let width = name.chars().count().max(figure.chars().count());
            let gap = if place == 0 { "" } else { "  " };
            // Names to the left, numbers to the right. Writing to a string can't fail.
            let _ = if place < 2 {
                write!(names, "{gap}{name:width$}")
                    .and_then(|()| write!(figures, "{gap}{figure:width$}"))
            } else {
                write!(names, "{gap}{name:>width$}")
                    .and_then(|()| write!(figures, "{gap}{figure:>width$}"))
            };
        }
        format!("{names}\n{figures}")
    }
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
