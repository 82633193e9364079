//! Users and passwords, from options or providers.

use crate::config::{Credentials, UserPassword};
use crate::error::Result;

impl UserPassword {
    /// The user and the password that are valid now.
    pub(super) fn get(&self) -> Result<Credentials> {
        match self {
            Self::Fixed(credentials) => Ok(credentials.clone()),
            Self::Provided(provider) => provider.credentials(),
        }
    }
}
