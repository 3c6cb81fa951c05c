"""Charts of what was measured: lines over time or a parameter, and bars.

What is measured differs from run to run, so that the words say what is plotted, and leave the values to the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from lab_helpers.draw.fields import one_line
from lab_helpers.draw.markup import FONT, INK, LINE, PANEL_FILL, drawable
from lab_helpers.draw.picture import Picture, with_words

if TYPE_CHECKING:
    import altair

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a4487f", "#7a5c00", "#56b4e9", "#1b1f24")
"""After Okabe and Ito, told apart with any colour vision (https://jfly.uni-koeln.de/color/), two of them darker."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ([1, 0], [8, 4], [2, 3], [9, 3, 2, 3], [14, 4], [4, 2], [1, 5])
MOST_SERIES = len(COLOURS)
SIZE = (560, 260)
"""Of the plot itself, in pixels."""
TABLE = "measured"
"""The name of the values in a chart."""
MOST_TICKS = 8
"""Numbers along the x axis: more would run into each other."""
MOST_POINTS = 24
"""As many points of a line are marked by a shape; of a longer line every so many."""

Row = Mapping[str, Any] | Any
"""A mapping, or a dataclass's instance."""


@dataclass(frozen=True)
class Plot:
    """What is to be plotted, checked: ``values`` have "x", "y" and "series"."""

    values: list[dict[str, Any]]
    series: tuple[str, ...]
    title: str
    x_title: str
    y_title: str

    def words(self, kind: str, sentence: str | None) -> str:
        """What is plotted against what, without the values."""
        lines = [one_line(self.title)] if self.title else []
        if not self.values:
            lines.append("nothing was measured")
        else:
            lines.append(f"{kind}: {one_line(self.y_title)} against {one_line(self.x_title)}")
            if self.series:
                lines.append(f"series: {', '.join(map(one_line, self.series))}")
            count = len(self.values)
            thing = kind.removesuffix(" chart").replace("line", "point")
            lines.append(f"{count} {thing}{'' if count == 1 else 's'}")
        return "\n".join([*lines, *([sentence] if sentence else [])])


def line_chart(
    rows: Sequence[Row],
    *,
    x: str,
    y: str,
    series: str | None = None,
    title: str = "",
    x_title: str = "",
    y_title: str = "",
    words: str | None = None,
) -> Picture:
    """Draw lines through points: a queue's depth over time, throughput against a parameter.

    Parameters
    ----------
    rows
        What was measured, a mapping or a dataclass a point.
    x, y, series
        The names of the fields to plot: ``y`` is a number; each ``series`` is a line of its own.
    title, x_title, y_title
        What stands above the chart and at its axes; an axis has its field's name otherwise. Give the unit.
    words
        A sentence to add to the words, which do not tell the values.

    Raises
    ------
    ValueError
        A row lacks a field, a ``y`` is no number, or there are more than :data:`MOST_SERIES` series.
    """
    plot = prepared(rows, x, y, series, title, x_title, y_title)
    # Imported when a chart is drawn: altair takes seconds to import, and most labs draw none.
    import altair as alt

    mark_some(plot)
    base = alt.Chart(alt.NamedData(TABLE)).encode(x_axis(plot), y_axis(plot))
    legend = alt.Legend(title=None, symbolSize=90) if plot.series else None
    colour = alt.Color("series:N", scale=scale(plot, COLOURS), legend=legend, sort=list(plot.series))
    lines = base.mark_line(strokeWidth=2).encode(
        colour, alt.StrokeDash("series:N", scale=scale(plot, DASHES), legend=None)
    )
    points = (
        base.transform_filter("datum.marked")
        .mark_point(size=60, filled=True, opacity=1)
        .encode(colour, alt.Shape("series:N", scale=scale(plot, SHAPES), legend=legend))
    )
    return finished(lines + points, plot, plot.words("line chart", words))


def bar_chart(
    rows: Sequence[Row],
    *,
    x: str,
    y: str,
    series: str | None = None,
    title: str = "",
    x_title: str = "",
    y_title: str = "",
    words: str | None = None,
) -> Picture:
    """Draw a bar for each row, in their order; the bars of one ``x`` side by side, lettered by ``series``.

    Parameters and errors are those of :func:`line_chart`; ``x`` may be any text.
    """
    plot = prepared(rows, x, y, series, title, x_title, y_title)
    # See line_chart.
    import altair as alt

    letters = {name: chr(ord("A") + number) for number, name in enumerate(plot.series)}
    for value in plot.values:
        value["x"] = str(value["x"])
        letter = letters.get(value["series"], "")
        value["letter"], value["series"] = letter, f"{letter}  {value['series']}".strip()
    lettered = [f"{letter}  {name}" for name, letter in letters.items()] or [""]
    across = alt.X(
        "x:N",
        title=plot.x_title,
        sort=None,
        axis=alt.Axis(labelAngle=0, labelLimit=140),
        scale=alt.Scale(paddingInner=0.4, paddingOuter=0.3),
    )
    base = alt.Chart(alt.NamedData(TABLE)).encode(across, y_axis(plot))
    if letters:
        base = base.encode(xOffset=alt.XOffset("series:N", sort=lettered))
    colour = alt.Color(
        "series:N",
        sort=lettered,
        scale=alt.Scale(domain=lettered, range=list(COLOURS[: len(lettered)])),
        legend=alt.Legend(title=None) if letters else None,
    )
    text = alt.Text("letter:N") if letters else alt.Text("y:Q", format=",~r")
    above = base.mark_text(baseline="bottom", dy=-3, fontSize=11, color=INK, font=FONT).encode(text)
    return finished(base.mark_bar().encode(colour) + above, plot, plot.words("bar chart", words))


def prepared(rows: Sequence[Row], x: str, y: str, series: str | None, title: str, x_title: str, y_title: str) -> Plot:
    """Check the rows and take what is plotted out of them.

    The fields get plain names, as Vega reads dots and brackets in a name as a path.
    """
    values = []
    for row in rows:
        found = as_mapping(row)
        for name in (x, y, *([series] if series else [])):
            if name not in found:
                raise ValueError(f"A row has no {name!r}; it has {', '.join(map(repr, found))}.")
        height = found[y]
        if not isinstance(height, Real) or isinstance(height, bool):
            raise ValueError(f"{y!r} must be a number, and is {height!r}.")
        if math.isfinite(height):
            name = drawable(str(found[series])) if series else ""
            across = found[x] if is_number(found[x]) else drawable(str(found[x]))
            values.append({"x": across, "y": float(height), "series": name})
    names = tuple(dict.fromkeys(str(value["series"]) for value in values)) if series else ()
    if len(names) > MOST_SERIES:
        raise ValueError(f"A chart shows at most {MOST_SERIES} series, and these are {len(names)}.")
    return Plot(values, names, drawable(title), drawable(x_title or x), drawable(y_title or y))


def as_mapping(row: Row) -> Mapping[str, Any]:
    """A row's fields by their names."""
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    if isinstance(row, Mapping):
        return row
    raise ValueError(f"A row is a mapping or a dataclass, and this is {row!r}.")


def is_number(value: object) -> bool:
    """Whether a value has a place on a scale."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def mark_some(plot: Plot) -> None:
    """Choose the points to mark, evenly along each line."""
    for name in plot.series or ("",):
        line = [value for value in plot.values if value["series"] == name]
        every = math.ceil(len(line) / MOST_POINTS) or 1
        for number, value in enumerate(line):
            value["marked"] = number % every == 0


def x_axis(plot: Plot) -> altair.X:
    """A scale for numbers; the values in their order for anything else."""
    import altair as alt

    if all(is_number(value["x"]) for value in plot.values):
        axis = alt.Axis(grid=False, tickCount=MOST_TICKS, labelOverlap=True)
        return alt.X("x:Q", title=plot.x_title, scale=alt.Scale(zero=False, nice=True), axis=axis)
    return alt.X("x:O", title=plot.x_title, sort=None, axis=alt.Axis(labelAngle=0))


def y_axis(plot: Plot) -> altair.Y:
    """From 0, so that heights compare."""
    import altair as alt

    whole = all(float(value["y"]).is_integer() for value in plot.values)
    # What is counted has no halves.
    axis = alt.Axis(tickMinStep=1) if whole else alt.Undefined
    return alt.Y("y:Q", title=plot.y_title, scale=alt.Scale(zero=True), axis=axis)


def scale(plot: Plot, looks: Sequence[Any]) -> altair.Scale:
    """One look for each series."""
    import altair as alt

    names = plot.series or ("",)
    return alt.Scale(domain=list(names), range=list(looks[: len(names)]))


def finished(chart: altair.LayerChart, plot: Plot, words: str) -> Picture:
    """Lay a chart out as SVG, on a light panel, as a page may be dark."""
    import vl_convert

    text = {"labelColor": INK, "titleColor": INK, "labelFont": FONT, "titleFont": FONT, "labelFontSize": 11}
    styled = (
        # The drawing is one image with words of its own: Vega's descriptions of its marks would not be heard.
        chart.configure(aria=False)
        .properties(width=SIZE[0], height=SIZE[1], background=PANEL_FILL, padding=14)
        # Room beside the words, as a browser's font may be wider than the one that is measured here.
        .configure_axis(
            **text, titleFontSize=12, titlePadding=14, gridColor="#e3e6ea", domainColor=LINE, tickColor=LINE
        )
        .configure_legend(**text, orient="top", symbolStrokeWidth=0, columnPadding=30, labelLimit=240)
        .configure_view(stroke=None)
    )
    if plot.title:
        styled = styled.properties(title=plot.title).configure_title(color=INK, font=FONT, fontSize=14)
    # The values are added last: altair would check each of them against its schema, which takes long.
    svg = vl_convert.vegalite_to_svg({**styled.to_dict(), "datasets": {TABLE: plot.values}})
    return Picture(words, with_words(svg, words))
