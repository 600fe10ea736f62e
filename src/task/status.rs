// SPDX-License-Identifier: GPL-3.0-or-later
//! `NAME.status`: how the last run ended (contract section 4).

/// The start and the exit code of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// When the run started, in seconds since 1970.
    pub started: i64,
    /// What it ended with.
    pub exit_code: i32,
}

impl Status {
    /// Reads `<unix start time>\n<exit code>\n`; `None` for anything else, such as a file cut short.
    pub fn parse(text: &str) -> Option<Self> {
        let (started, exit_code) = text.trim_end().split_once('\n')?;
        Some(Self {
            started: started.trim().parse().ok()?,
            exit_code: exit_code.trim().parse().ok()?,
        })
    }

    /// The text of the file.
    pub fn render(&self) -> String {
        format!("{}\n{}\n", self.started, self.exit_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_back() {
        let status = Status {
            started: 1_795_405_173,
            exit_code: 111,
        };
        assert_eq!(status.render(), "1795405173\n111\n");
        assert_eq!(Status::parse(&status.render()), Some(status));
    }

    #[test]
    fn a_damaged_status_is_none() {
        for text in ["", "1795405173\n", "x\n0\n", "1795405173\nx\n"] {
            assert_eq!(Status::parse(text), None);
        }
    }
}
