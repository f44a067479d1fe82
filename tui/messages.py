"""What widgets ask of the screen."""

from textual.message import Message


class OpenBlock(Message):
    """Show the block of this height to its last field."""

    def __init__(self, height: int) -> None:
        super().__init__()
        self.height = height


class ChoosePanel(Message):
    """Bring the panel of this number (1 to 5) to the front."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class OpenCabinet(Message):
    """Go to the cabinet of this title."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title


class LeaveReplay(Message):
    """Show the network as it is now."""


class GoTo(Message):
    """Ask for a height or a time, and go there."""
