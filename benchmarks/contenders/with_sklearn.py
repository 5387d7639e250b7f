"""A training with scikit-learn's multilayer perceptron, an epoch for each `partial_fit`.

python with_sklearn.py digits
"""

from __future__ import annotations

import sys

import child
import numpy as np
import sklearn
from configurations import BETA1, BETA2, CONFIGURATIONS, EPS, starting_point
from sklearn.neural_network import MLPClassifier, MLPRegressor


def main() -> None:
    """Serve epochs of the configuration that the command line names."""
    configuration = CONFIGURATIONS[sys.argv[1]]
    X, y, weights = starting_point(configuration)
    regression = configuration.loss == "squares"
    # scikit-learn's loss of amounts is half the mean square: the gradient of twice that needs twice the rate
    twice = 2 if regression else 1
    y = y.ravel() if regression else y.ravel().astype(np.int64)
    model = (MLPRegressor if regression else MLPClassifier)(
        hidden_layer_sizes=configuration.sizes[1:-1],
        activation="relu",
        solver=configuration.optimizer,
        learning_rate_init=configuration.lr * twice,
        alpha=0.0,
        batch_size=configuration.batch,
        shuffle=False,
        momentum=0.0,
        nesterovs_momentum=False,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPS,
    )
    first = {} if regression else {"classes": np.unique(y)}
    model.partial_fit(X[: configuration.batch], y[: configuration.batch], **first)  # makes the arrays
    for own, given in zip(
        model.coefs_ + model.intercepts_, [W for W, _ in weights] + [b for _, b in weights], strict=True
    ):
        own[...] = given
    if configuration.optimizer == "adam":
        optimizer = model._optimizer
        optimizer.t = 0
        for moment in (*optimizer.ms, *optimizer.vs):
            moment[...] = 0

    def epoch() -> float:
        model.partial_fit(X, y)
        return twice * model.loss_

    child.serve(epoch, versions={"scikit-learn": sklearn.__version__})


if __name__ == "__main__":
    main()
