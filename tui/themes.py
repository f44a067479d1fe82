"""The dashboard's own colours: calm ground, and colour kept for what it says. The palette offers Textual's others."""

from textual.theme import Theme

CALM = Theme(
    name="wattest",
    primary="#7fb4ca",
    secondary="#9cabca",
    accent="#e6c384",
    success="#98bb6c",
    warning="#e6a54a",
    error="#e46876",
    foreground="#dcd7ba",
    background="#14181f",
    surface="#1a2029",
    panel="#232b36",
    dark=True,
    variables={"border": "#3a4656", "block-cursor-foreground": "#14181f"},
)
