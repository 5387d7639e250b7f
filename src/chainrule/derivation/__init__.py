"""Graph to graph: the backward pass, the tangents, batches and paths, with the record of which rule was applied."""
