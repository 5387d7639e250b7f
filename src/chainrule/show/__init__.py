"""Showing: one derivation as a document, and the costumes that a document wears."""
