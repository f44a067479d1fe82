"""The public pages: plain HTML that carries everything it needs, for a browser of any size, light or dark."""
