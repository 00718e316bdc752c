"""Random pictures that look like natural ones to a network: coarse structure stronger than
fine, amplitudes falling with frequency, mean 0 and deviation 1 as after normalisation.
White noise would not do: every patch of it is alike, so deep layers see next to nothing but
their mean, and batch norms then magnify the rounding of what is left."""
import numpy


def stretched(grid, side, axis):
    """`grid` with `side` points along `axis`, linear between its own."""
    at = numpy.linspace(0, grid.shape[axis] - 1, side)
    low = numpy.minimum(at.astype(int), grid.shape[axis] - 2)
    share = (at - low).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
    return (1 - share) * grid.take(low, axis) + share * grid.take(low + 1, axis)


def random_pictures(n, channels, height, width, seed):
    """float32 [n][channels][height][width]."""
    random = numpy.random.default_rng(seed)
    total = numpy.zeros((n, channels, height, width))
    cells = 2
    while cells <= max(height, width):
        grid = random.standard_normal((n, channels, cells, cells))
        total += stretched(stretched(grid, height, 2), width, 3) / cells ** 0.5
        cells *= 2
    total -= total.mean((1, 2, 3), keepdims=True)
    return (total / total.std((1, 2, 3), keepdims=True)).astype(numpy.float32)
