"""What was measured, as tables and a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Final

WIDTH: Final = 760
HEIGHT: Final = 420
LEFT: Final = 70
RIGHT: Final = 250
TOP: Final = 20
BOTTOM: Final = 50
FONT: Final = 'font-family="sans-serif" font-size="13"'
COLORS: Final = ("#4269d0", "#efb118", "#ff725c", "#3ca951", "#a463f2", "#6cc5b0", "#9c6b4e", "#97bbf5")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown; numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """With three digits that say something."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def put(document: Path, name: str, text: str) -> None:
    """Writes what stands between the two markers of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    assert closed, f"{document} has no markers of {name}"
    document.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


@dataclass(frozen=True)
class Axes:
    """Logarithmic both ways: a line that rises by 45 degrees grows with the inventory."""

    sizes: Sequence[int]
    low: float
    high: float

    def x(self, size: float) -> float:
        first, last = log10(self.sizes[0]), log10(self.sizes[-1])
        return LEFT + (log10(size) - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def y(self, cost: float) -> float:
        share = (log10(cost) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def figure(costs: Mapping[str, Mapping[int, float]]) -> str:
    """An SVG of the microseconds that each kind of request takes, by the size of the inventory."""
    values = [cost for line in costs.values() for cost in line.values()]
    low = 10 ** int(log10(min(values)))
    decades = 1
    while low * 10**decades < max(values):
        decades += 1
    axes = Axes(sorted(next(iter(costs.values()))), low, low * 10**decades)
    marks = [low * 10**each for each in range(decades + 1)]
    # Names one below the other, in the order of the ends of their lines.
    last = axes.sizes[-1]
    names = sorted(costs, key=lambda name: -costs[name][last])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *(_horizontal(axes, mark) for mark in marks),
            *(_label(axes.x(size), HEIGHT - BOTTOM + 22, f"{size:,}".replace(",", " ")) for size in axes.sizes),
            _label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "nodes in the inventory"),
            *(_line(axes, costs[name], COLORS[place % len(COLORS)]) for place, name in enumerate(names)),
            *(_name(place, name, COLORS[place % len(COLORS)]) for place, name in enumerate(names)),
            "</svg>\n",
        ]
    )


def _horizontal(axes: Axes, cost: float) -> str:
    y = axes.y(cost)
    text = f"{cost / 1000:g} ms" if cost >= 1000 else f"{cost:g} µs"
    line = f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
    return f'{line}<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'


def _line(axes: Axes, costs: Mapping[int, float], color: str) -> str:
    points = " ".join(f"{axes.x(size):.1f},{axes.y(cost):.1f}" for size, cost in sorted(costs.items()))
    return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'


def _name(place: int, name: str, color: str) -> str:
    y, x = TOP + 20 + 22 * place, WIDTH - RIGHT + 16
    square = f'<rect x="{x}" y="{y - 10}" width="10" height="10" fill="{color}"/>'
    return f'{square}<text x="{x + 16}" y="{y}">{name.replace("`", "")}</text>'
