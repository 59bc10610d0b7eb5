//! Ink: what a piece of the screen is, and how that looks with and without colour. Without,
//! everything is told apart by glyphs, bold, dim and reverse.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    /// Text beside the point.
    Dim,
    Bold,
    /// The first line, and the name of the view shown.
    Bar,
    /// Where the cursor is.
    Selected,
    /// What was searched for.
    Match,
    /// A loss, an error.
    Bad,
    Good,
    /// Part of a ledger, by its place in it.
    Part(usize),
    /// A frame of the flame graph: by whose code it is, and a number that tells neighbours apart.
    Frame(Whose, u8),
}

/// Whose code a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    User,
    Jit,
    Kernel,
    Mark,
}

/// How each ink is drawn, with colour or without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    color: bool,
}

const PARTS: [Color; 8] = [
    Color::Green,
    Color::LightBlue,
    Color::Red,
    Color::Yellow,
    Color::Magenta,
    Color::Gray,
    Color::Cyan,
    Color::LightRed,
];

impl Theme {
    /// With colours, or without.
    pub(crate) const fn new(color: bool) -> Self {
        Self { color }
    }

    /// As the environment asks: any `NO_COLOR` that is not empty forbids colours (no-color.org).
    pub(crate) fn from_env() -> Self {
        Self::new(std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()))
    }

    pub(super) fn style(self, ink: Ink) -> Style {
        let plain = Style::new();
        let fg = |color| if self.color { plain.fg(color) } else { plain };
        match ink {
            Ink::Plain => plain,
            Ink::Dim => plain.add_modifier(Modifier::DIM),
            Ink::Bold => plain.add_modifier(Modifier::BOLD),
            Ink::Bar | Ink::Selected => plain.add_modifier(Modifier::REVERSED),
            Ink::Match => fg(Color::Magenta).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Ink::Bad => fg(Color::Red).add_modifier(Modifier::BOLD),
            Ink::Good => fg(Color::Green).add_modifier(Modifier::BOLD),
            Ink::Part(n) => PARTS.get(n % PARTS.len()).map_or(plain, |&c| fg(c)),
            Ink::Frame(whose, n) => self.frame(whose, n),
        }
    }

    /// Shades of one colour: warm for user code, as flame graphs have it.
    fn frame(self, whose: Whose, n: u8) -> Style {
        if !self.color {
            return match whose {
                Whose::Mark => Style::new().add_modifier(Modifier::DIM),
                _ => Style::new(),
            };
        }
        // Of the 256 colours that terminals have in common.
        let shades: [u8; 4] = match whose {
            Whose::User => [208, 214, 209, 215],
            Whose::Jit => [113, 114, 149, 150],
            Whose::Kernel => [173, 174, 179, 180],
            Whose::Mark => [250, 251, 250, 251],
        };
        let shade = shades.get(usize::from(n) % shades.len()).copied().unwrap_or(250);
        Style::new().fg(Color::Black).bg(Color::Indexed(shade))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_there_is_none_and_what_matters_still_stands_out() {
        let theme = Theme::new(false);
        let all = [Ink::Plain, Ink::Dim, Ink::Bold, Ink::Bar, Ink::Selected, Ink::Match, Ink::Bad, Ink::Good];
        let frames = [Whose::User, Whose::Jit, Whose::Kernel, Whose::Mark].map(|w| Ink::Frame(w, 1));
        for ink in all.into_iter().chain(frames).chain((0..9).map(Ink::Part)) {
            let style = theme.style(ink);
            assert!(style.fg.is_none() && style.bg.is_none(), "{ink:?}: {style:?}");
        }
        for ink in [Ink::Bold, Ink::Bar, Ink::Selected, Ink::Match, Ink::Bad] {
            assert_ne!(theme.style(ink), theme.style(Ink::Plain), "{ink:?}");
        }
    }
}
