//! Opening the store that the settings name.

use super::settings;
use crate::{
    config::Config,
    publication::Committed,
    store::sql::{OpenError, SqlStore},
};
use std::{path::Path, sync::Arc};
use tokio::sync::mpsc;

/// Opens the database in the data folder, or the one on the server that `store.url` names.
pub(super) fn open(
    config: &Config,
    folder: &Path,
    committed: mpsc::Sender<Committed>,
) -> Result<Arc<SqlStore>, OpenError> {
    let settings = settings::store(config);
    let store = if config.store.url.is_server() {
        SqlStore::on_server(config.store.url.as_str(), settings, committed)?
    } else {
        SqlStore::in_folder(folder, settings, committed)?
    };
    Ok(Arc::new(store))
}
