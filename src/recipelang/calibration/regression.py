"""Least squares of a few numbers, with what their intervals are where errors are of any kind; knows nothing of recipes."""

from __future__ import annotations

import math
from collections.abc import Sequence

Row = Sequence[float]


class Singular(Exception):
    """Columns that can't be told apart; `column` is one that the others make up, or that is nothing."""

    def __init__(self, column: int) -> None:
        super().__init__(f"column {column} can't be told from the others")
        self.column = column


def least_squares(rows: Sequence[Row], wanted: Sequence[float]) -> tuple[list[float], list[float]]:
    """The weights that come nearest to what is wanted, and their standard errors (White's, which hold for any spread).

    Raises `Singular`.

    >>> [round(each, 6) for each in least_squares([(1, 0), (1, 1), (1, 2)], (1, 3, 5))[0]]
    [1.0, 2.0]
    """
    k = len(rows[0])
    inner = [[math.fsum(row[i] * row[j] for row in rows) for j in range(k)] for i in range(k)]
    inverse = inverted(inner)
    moment = [math.fsum(row[i] * y for row, y in zip(rows, wanted, strict=True)) for i in range(k)]
    weights = [math.fsum(inverse[i][j] * moment[j] for j in range(k)) for i in range(k)]
    left = [y - math.fsum(map(_product, row, weights)) for row, y in zip(rows, wanted, strict=True)]
    spread = [
        [math.fsum(row[i] * row[j] * e * e for row, e in zip(rows, left, strict=True)) for j in range(k)]
        for i in range(k)
    ]
    errors = [
        math.sqrt(max(0.0, math.fsum(inverse[i][a] * spread[a][b] * inverse[b][i] for a in range(k) for b in range(k))))
        for i in range(k)
    ]
    return weights, errors


def inverted(matrix: Sequence[Row]) -> list[list[float]]:
    """The inverse of a square matrix, by elimination; raises `Singular`."""
    k = len(matrix)
    scale = [max(abs(matrix[i][i]), 1e-300) for i in range(k)]
    work = [[*map(float, row), *(float(i == j) for j in range(k))] for i, row in enumerate(matrix)]
    for i in range(k):
        pivot = max(range(i, k), key=lambda at: abs(work[at][i]))
        if abs(work[pivot][i]) < 1e-9 * scale[i] or scale[i] <= 1e-300:
            raise Singular(i)
        work[i], work[pivot] = work[pivot], work[i]
        work[i] = [each / work[i][i] for each in work[i]]
        for other in range(k):
            if other != i and work[other][i]:
                factor = work[other][i]
                work[other] = [a - factor * b for a, b in zip(work[other], work[i], strict=True)]
    return [row[k:] for row in work]


def _product(a: float, b: float) -> float:
    return a * b
