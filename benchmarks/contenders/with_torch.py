"""A training in PyTorch as its tutorials write it: modules, a loss, an optimizer.

python with_torch.py digits
python with_torch.py digits --compile       the whole step through torch.compile; needs a C++ compiler
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import child
import torch
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, batches, starting_point
from torch import nn

LOSSES = {"softmax": nn.CrossEntropyLoss, "sigmoid": nn.BCEWithLogitsLoss, "squares": nn.MSELoss}


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    configuration = CONFIGURATIONS[options.configuration]
    X, y, weights = starting_point(configuration)
    modules: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(configuration.sizes):
        modules += [nn.Linear(n_in, n_out, dtype=getattr(torch, configuration.dtype)), nn.ReLU()]
    network = nn.Sequential(*modules[:-1])
    with torch.no_grad():
        for linear, (W, b) in zip(network[::2], weights, strict=True):
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
    loss_function = LOSSES[configuration.loss]()
    if configuration.optimizer == "sgd":
        optimizer: Any = torch.optim.SGD(network.parameters(), lr=configuration.lr)
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=configuration.lr, betas=(BETA1, BETA2), eps=EPS)
    data = [(torch.from_numpy(rows), torch.from_numpy(targets)) for rows, targets in batches(configuration, X, y)]

    def step(rows: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(network(rows), targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    if options.compile:
        step = torch.compile(step)

    def epoch() -> float:
        total = 0.0
        for rows, targets in data:
            total += step(rows, targets).item()
        return total / configuration.steps

    child.serve(epoch, versions={"torch": torch.__version__})


if __name__ == "__main__":
    main()
