"""Costumes: formulas set in type once, as boxes, and a document as text, LaTeX, Markdown or HTML."""
