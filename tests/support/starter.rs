//! The real starter models, for the tests that need a model that really writes and finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use saseo::adapters::models::manifest::{Manifest, STARTER};
use saseo::adapters::models::origin::Origins;
use saseo::adapters::models::progress::Silent;
use saseo::adapters::models::pull::{Unpulled, pull};
use saseo::adapters::models::shelf::Unshelved;
use saseo::adapters::models::verify::{Verified, verify};
use tokio::sync::OnceCell;

/// Pulled once into a folder that outlives the test run: the one that `SASEO_TEST_MODELS`
/// names, else one under the target folder.
pub(crate) async fn models() -> &'static Verified {
    static MODELS: OnceCell<Verified> = OnceCell::const_new();
    MODELS
        .get_or_init(|| async {
            let manifest = Manifest::parse(STARTER).unwrap();
            pulled(&manifest).await
        })
        .await
}

/// Those of another manifest, in the same folder.
pub(crate) async fn pulled(manifest: &Manifest) -> Verified {
    let folder = shared_folder();
    pull_in_turn(manifest, &folder).await;
    verify(manifest, &folder).unwrap()
}

fn shared_folder() -> PathBuf {
    std::env::var_os("SASEO_TEST_MODELS").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("models"),
        PathBuf::from,
    )
}

/// Another test run may be pulling into the same folder: wait for it.
async fn pull_in_turn(manifest: &Manifest, folder: &Path) {
    let origins = Origins::new(Origins::HUB.parse().unwrap());
    loop {
        match pull(manifest, folder, &origins, Arc::new(Silent)).await {
            Ok(_) => return,
            Err(Unpulled::Folder(Unshelved::Busy(_))) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            },
            Err(other) => panic!("{other}: {other:?}"),
        }
    }
}
