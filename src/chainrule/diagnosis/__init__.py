"""What is wrong with a backward pass: a search for the mistakes that reproduce its numbers."""
