"""Machine code: which engine runs a program, who compiles it, and where the result is kept."""
