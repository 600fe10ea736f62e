// SPDX-License-Identifier: GPL-3.0-or-later

use std::fmt;

use super::text::{Invalid, fit_for_a_file_name};

/// The name of a user of the local mail server.
///
/// Letters (of any script, either case), digits and `. _ - @ + =`; it becomes part of file names, of cron
/// lines and of the master login `user*vmail`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalUser(String);

impl LocalUser {
    /// The longest name, in bytes, that leaves room for the id and the ending in a file name.
    pub const LONGEST: usize = 128;

    /// Reads a user name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        fit_for_a_file_name(text, Self::LONGEST)?;
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_real_directories_are_accepted() {
        for name in [
            "administrator",
            "U1",
            "1st.user",
            "jörg",
            "o_neil-x@rig.test",
            "a+b",
        ] {
            assert_eq!(LocalUser::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_leave_the_folder_the_shell_or_the_login_is_refused() {
        for name in [
            "", ".", "..", "../x", "a/b", "a*vmail", "-rf", ".hidden", "a b", "a\nb", "a?", "[a]", "$(x)",
            "a;b", "a%b",
        ] {
            assert!(LocalUser::parse(name).is_err(), "{name:?} was accepted");
        }
        assert!(LocalUser::parse(&"x".repeat(129)).is_err());
    }
}
