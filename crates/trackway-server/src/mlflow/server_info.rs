//! What a client or page may expect of the server.

use super::request::Fields;
use super::{Result, Route};
use crate::reply::Reply;
use crate::state::App;
use serde_json::json;
use std::sync::Arc;

pub(super) const ROUTES: &[Route] = &[Route::get("/mlflow/server-info", server_info).since_3()];

fn server_info(_app: &Arc<App>, _fields: Fields<'_>) -> Result<Reply> {
    Reply::json(&json!({
        // Pages switch features off for stores that are neither this nor unknown.
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
        "presigned_upload_run_id_supported": false,
        "presigned_upload_model_id_supported": false,
        "features_enabled": { "gateway": false },
    }))
}
