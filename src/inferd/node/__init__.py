"""The composition root: configuration in, a running node out. Only here do all floors meet.

It imports nothing by itself: a command that asks a running node needs its folder, not its parts.
"""
