"""Training: batches, the compiled step, the loop, its proof and its history, and what a run leaves on the disk."""

from chainrule.train.history import Epoch, History
from chainrule.train.loop import Fit, fit
from chainrule.train.weights import load, load_metadata, save

__all__ = ["Epoch", "Fit", "History", "fit", "load", "load_metadata", "save"]
