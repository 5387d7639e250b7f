"""The levels of a derivation: how much of it is said. Each is a file with `blocks_of(derivation, of)`; its name is the file's."""
