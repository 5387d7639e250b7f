"""Judges that know nothing of what they judge: differences, complex step, comparison, diagnosis."""
