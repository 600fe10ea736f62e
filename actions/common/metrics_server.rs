// SPDX-License-Identifier: GPL-3.0-or-later
//! Serves the metrics over HTTP, inside the container.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use ns8_imapsync::control::metrics;
use ns8_imapsync::task::Store;
use tokio::net::TcpListener;

/// OpenMetrics 1.0, section "Text format".
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until the process is ended.
pub(crate) fn serve(store: Store, address: SocketAddr) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let answer = move || {
            let store = store.clone();
            async move { scrape(store).await }
        };
        axum::serve(listener, Router::new().route("/metrics", get(answer))).await
    })
}

async fn scrape(store: Store) -> impl IntoResponse {
    // Thousands of files are read, which must not keep the next connection waiting.
    let read = tokio::task::spawn_blocking(move || metrics::exposition(&store)).await;
    let (status, text) = match read {
        Ok(Ok(text)) => (StatusCode::OK, text),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], text)
}
