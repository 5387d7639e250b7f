"""Named rewrites of graphs: what a derivation can cite. `simplify_graph` is the way in (`passes.py`)."""
