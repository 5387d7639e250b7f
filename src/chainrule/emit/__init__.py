"""Writers of source: one file a target."""
