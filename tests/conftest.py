"""Settings for all tests: hypothesis has no deadline, for a shared machine may pause at any moment."""

from hypothesis import settings

settings.register_profile("chainrule", deadline=None)
settings.load_profile("chainrule")
