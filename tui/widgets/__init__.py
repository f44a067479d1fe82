"""One panel or line of the dashboard per file: a picture comes in as a reactive, text goes out."""
