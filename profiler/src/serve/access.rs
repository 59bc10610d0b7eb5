//! Who may have what names of functions and files are in: whoever knows the token, or whoever may
//! open the socket.

use std::{io, os::unix::fs::PermissionsExt as _, path::Path};

use hyper::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap},
};

/// What a token is long at least: guessing it takes for ever.
const SHORTEST: usize = 16;

/// What has to be said for a profile.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot read {path}: {source}. Make it with `head -c 24 /dev/urandom | base64`, and `chmod 600`")]
    Unreadable { path: String, source: io::Error },
    /// Whoever reads it has the token.
    #[error("{0} can be read by other users: `chmod 600 {0}`")]
    Open(String),
    /// It is short, or more than one word.
    #[error(
        "{0} holds no token: give one word of {SHORTEST} characters or more, as `head -c 24 /dev/urandom | base64` makes it"
    )]
    NoToken(String),
}

impl Token {
    /// What the file holds.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let name = || path.display().to_string();
        let unreadable = |source| TokenError::Unreadable { path: name(), source };
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TokenError::Open(name()));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let token = text.trim();
        let is_one = token.len() >= SHORTEST && token.bytes().all(|c| c.is_ascii_graphic());
        if is_one { Ok(Self(token.to_owned())) } else { Err(TokenError::NoToken(name())) }
    }

    #[cfg(test)]
    pub(super) fn made_up(token: &str) -> Self {
        Self(token.to_owned())
    }

    /// Whether that is it. It takes as long for any text of its length.
    fn is(&self, said: &str) -> bool {
        let differs = self.0.bytes().zip(said.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        self.0.len() == said.len() && std::hint::black_box(differs) == 0
    }
}

/// Who may have profiles.
#[derive(Clone)]
pub(super) struct Access {
    /// Whether a browser could be made to ask here, by a page that a stranger wrote.
    pub(super) local: bool,
    pub(super) token: Option<Token>,
}

impl Access {
    /// What stands against giving a profile to whoever asks so.
    pub(super) fn refusal(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let Some(token) = &self.token else { return self.local.then_some(StatusCode::FORBIDDEN) };
        let said = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Schemes have no case (RFC 9110, 11.1).
        let is_it = match said.split_once(' ') {
            Some((scheme, said)) if scheme.eq_ignore_ascii_case("Bearer") => token.is(said),
            // A browser: whatever the user's name, the password is the token (RFC 7617).
            Some((scheme, said)) if scheme.eq_ignore_ascii_case("Basic") => {
                password(said).is_some_and(|said| token.is(&said))
            }
            _ => false,
        };
        if is_it { None } else { Some(StatusCode::UNAUTHORIZED) }
    }

    /// Whether anybody can have a profile.
    pub(super) fn gives_profiles(&self) -> bool {
        self.token.is_some() || !self.local
    }
}

/// The password of a name and a password in base 64.
fn password(said: &str) -> Option<String> {
    let both = String::from_utf8(data_encoding::BASE64.decode(said.as_bytes()).ok()?).ok()?;
    Some(both.split_once(':')?.1.to_owned())
}
