"""Texts of about twenty tokens, all different, the same in each run."""

import random

_LINES = """
    the a one this my every old new small quiet bright late early cold river market station
    window garden letter engine winter morning doctor farmer teacher city village house bridge
    train music story answer question number picture paper carries opens watches repairs sells
    remembers crosses follows builds finds near under behind beside after before without because
    while and but slowly again today often never together
"""
_WORDS = _LINES.split()


def texts(count: int, *, seed: int = 1, words: int = 17) -> list[str]:
    """Return `count` texts: 17 words and a stop are 18 tokens, and two special ones."""
    chosen = random.Random(seed)
    return [" ".join(chosen.choices(_WORDS, k=words)) + "." for _ in range(count)]
