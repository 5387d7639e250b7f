"""Max pooling and mean pooling: each window of k entries becomes one number, its largest or its mean.

What is shared: nothing, there are no weights in it. But k entries share one output, and the two ways of pooling hand its
cotangent back differently.

Look for: a mask that is 1 where an entry is the largest of its window, so all of the cotangent goes to that entry; and
1/k for the mean, so each entry of a window gets the same part. Entries that tie for the largest share equally.
"""

import numpy as np

import chainrule as cr

k = 3


def loss(x, y, w_max, w_mean):
    """Half the squared error of a score made of both poolings, the mean over N signals."""
    N, length = x.shape
    windows = x.reshape(N, length // k, k)
    largest = np.max(windows, axis=2)
    average = np.mean(windows, axis=2)
    score = largest @ w_max + average @ w_mean
    return np.sum((score - y) ** 2) / (2 * N)


def example():
    """Four signals of length 6: two windows of three entries each."""
    random = np.random.default_rng(6)
    return {
        "x": random.normal(size=(4, 6)),
        "y": random.normal(size=4),
        "w_max": random.normal(size=2),
        "w_mean": random.normal(size=2),
    }


if __name__ == "__main__":
    arguments = example()
    print(cr.derive(loss, **arguments))
    print(cr.check(loss, **arguments))
