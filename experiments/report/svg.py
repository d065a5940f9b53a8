"""Matplotlib's SVG as a part of an HTML page, with unique ids, the page's colours and no link to another host."""

import re

# The figures' neutral colours; the page gives them other values on a dark screen.
INK, MUTED, GRID, PAPER = "#1b1e22", "#565b63", "#d5d8dd", "#ffffff"
VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}


def inline(svg: str, name: str) -> str:
    """Return an `<svg>` element without its leading `<svg `, where the page adds attributes; ids begin with `name`."""
    view_box = re.search(r'viewBox="([^"]+)"', svg)
    inner = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", svg, flags=re.DOTALL)
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    inner = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', inner)
    inner = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", inner)
    inner = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', inner)
    for color, variable in VARIABLES.items():
        inner = inner.replace(f": {color}", f": var({variable})")
    inner = re.sub(r'\b(d|x|y|transform)="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), inner)
    return f'viewBox="{view_box[1] if view_box else "0 0 1 1"}">{inner}</svg>'
