"""The report of an evaluation: tables, curves and pictures, as HTML, Markdown and JSON."""
