# SPDX-License-Identifier: GPL-2.0-or-later
"""95 % intervals of means of repeats, by Student's t; of a difference in Welch's form."""

import math
from statistics import mean, stdev

# Student's t: 97.5 % of the distribution lie below it, by degrees of freedom.
QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


def quantile(freedom):
    """Student's t for 95 % on both sides; between the numbers of the table, the higher one."""
    return QUANTILES[min(max(int(freedom), 1), len(QUANTILES)) - 1]


def interval(numbers):
    """(mean, half the 95 % interval) of two or more repeats."""
    return mean(numbers), quantile(len(numbers) - 1) * stdev(numbers) / math.sqrt(len(numbers))


def half_interval(numbers):
    """Half the 95 % interval of the mean of repeats, where they differ."""
    return interval(numbers)[1] if len(set(numbers)) > 1 else 0


def welch(left, right):
    """(difference of the means, half its 95 % interval) of two or more repeats each."""
    errors = [stdev(numbers) ** 2 / len(numbers) for numbers in (left, right)]
    change, variance = mean(right) - mean(left), sum(errors)
    if variance == 0:
        return change, 0.0
    freedom = variance ** 2 / sum(error ** 2 / (len(numbers) - 1)
                                  for error, numbers in zip(errors, (left, right)))
    return change, quantile(freedom) * math.sqrt(variance)
