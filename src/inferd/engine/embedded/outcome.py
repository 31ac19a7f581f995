"""What an ability returns: a plain result, and the tokens that the model read for it."""

from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

T_co = TypeVar("T_co", covariant=True)

Vectors = NDArray[np.float32]


class Outcome(NamedTuple, Generic[T_co]):
    """A result and its price; `is_cut`: of some text only the beginning was read."""

    result: T_co
    input_tokens: int
    is_cut: bool = False


class Embedded(NamedTuple):
    """One vector a text, of length one; and the tokens read, special tokens included.

    `is_cut`: of some text only the beginning was read, as asked.
    """

    vectors: Vectors
    tokens: int
    is_cut: bool = False
