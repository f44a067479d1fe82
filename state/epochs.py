"""Epochs: stretches of `epoch_length` blocks with one set of validators (research/consensus.md section 8).

Epoch e holds the heights eL+1 .. (e+1)L; the last of them is the *boundary block*, which hands over to the next set.
The genesis block is height 0 and belongs to none, so it counts as epoch 0. L = 0: one epoch for ever.
"""


def epoch_of(height: int, epoch_length: int) -> int:
    return (height - 1) // epoch_length if epoch_length and height else 0


def last_height(epoch: int, epoch_length: int) -> int | None:
    """Of the epoch's boundary block; None where there is none."""
    return (epoch + 1) * epoch_length if epoch_length else None


def ends_epoch(height: int, epoch_length: int) -> bool:
    """Whether the block of this height is a boundary block."""
    return epoch_length > 0 and height > 0 and height % epoch_length == 0
