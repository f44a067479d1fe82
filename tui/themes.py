"""The dashboard's own colours: calm ground, and colour kept for what it says; by day; and for eyes that need contrast.

The palette offers Textual's others beside them.
"""

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

DAY = Theme(
    name="wattest-day",
    primary="#1f5f8b",
    secondary="#51606f",
    accent="#8a5a00",
    success="#2e6b16",
    warning="#8f4d00",
    error="#a8122b",
    foreground="#1d2329",
    background="#fbfaf6",
    surface="#f1efe7",
    panel="#e4e1d6",
    dark=False,
    variables={"border": "#a9a593", "block-cursor-foreground": "#fbfaf6"},
)

CONTRAST = Theme(  # every pair of text and ground at least 7:1, as WCAG 2.2 asks at level AAA
    name="wattest-contrast",
    primary="#00d7ff",
    secondary="#ffffff",
    accent="#ffff00",
    success="#00ff5f",
    warning="#ffaf00",
    error="#ff8787",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    dark=True,
    variables={"border": "#ffffff", "block-cursor-foreground": "#000000"},
)

THEMES = (CALM, DAY, CONTRAST)
