"""Batch normalisation: each feature to mean 0 and variance 1 over the batch, then stretched by gamma and moved by beta.

What is shared: gamma and beta by all samples, as a bias is. And mu and variance by all samples, too: every x[i] moves
the mean and the variance of its column, and through them every other sample's output.

Look for: the three paths from x to x_hat, one direct, one through mu, one through variance. Collected, they are
dx = gamma / deviation * (dy - mean(dy) - x_hat * mean(dy * x_hat)): what is left of dy when its mean and its part along
x_hat are taken out. The path to mu through variance carries nothing, for the deviations of a column sum to 0.
"""

import numpy as np

import chainrule as cr

epsilon = 1e-5


def loss(x, t, gamma, beta):
    """Half the squared error of the normalised features, the mean over m samples."""
    m = x.shape[0]
    mu = np.sum(x, axis=0) / m
    centred = x - mu
    variance = np.sum(centred**2, axis=0) / m
    deviation = np.sqrt(variance + epsilon)
    x_hat = centred / deviation
    y = gamma * x_hat + beta
    return np.sum((y - t) ** 2) / (2 * m)


def example():
    """Six samples of three features."""
    random = np.random.default_rng(3)
    return {
        "x": random.normal(size=(6, 3)) * np.array([1.0, 2.0, 0.5]) + np.array([0.0, 1.0, -2.0]),
        "t": random.normal(size=(6, 3)),
        "gamma": random.normal(size=3) + 1,
        "beta": random.normal(size=3),
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
