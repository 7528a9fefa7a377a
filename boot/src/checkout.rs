//! Where the sources and the build results are.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::errors::usage;

/// The source tree that this tool was built from.
pub(crate) struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The source tree, at the place where it was when this tool was compiled.
    ///
    /// # Errors
    /// When it has been moved away since.
    pub(crate) fn find() -> Result<Self> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        match own.parent() {
            Some(root) if root.join("kernel/Cargo.toml").is_file() => Ok(Self { root: root.to_owned() }),
            _ => Err(usage(format!(
                "the sources are no longer at {}; build this tool again where they are, or name a --kernel",
                own.display()
            ))),
        }
    }

    /// The directory of the workspace's Cargo.toml.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| self.root.join("target"), |target| self.root.join(target))
    }
}
