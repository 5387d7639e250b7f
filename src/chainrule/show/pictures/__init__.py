"""Pictures as SVG that needs no other program: graphs, paths, networks, Jacobians."""
