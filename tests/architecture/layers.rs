//! The layers, bottom first, and what each may import.

/// Each module and what it may import, bottom layer first: only from above its own line.
pub(crate) const LAYERS: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("limit", &["units"]),
    ("share", &["units", "limit"]),
    ("row", &["units", "limit", "share"]),
    ("table", &["units", "limit", "share", "row"]),
    ("membership", &["units"]),
    ("view", &["units", "limit", "share", "row", "table"]),
    ("wire", &["units", "limit", "share", "row", "view"]),
    ("gossip", &["units", "row"]),
    (
        "node",
        &[
            "units",
            "limit",
            "share",
            "row",
            "table",
            "membership",
            "view",
            "wire",
            "gossip",
        ],
    ),
    ("limiter", &["units", "limit", "table"]),
    ("quic", &["units"]),
    (
        "cluster",
        &[
            "units",
            "limit",
            "table",
            "membership",
            "view",
            "node",
            "limiter",
            "quic",
        ],
    ),
];

pub(crate) fn layer(module: &str) -> Option<(&'static str, &'static [&'static str])> {
    LAYERS.iter().copied().find(|(name, _)| *name == module)
}
