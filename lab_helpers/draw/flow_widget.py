"""The flow player as a Jupyter widget: one trait of data beside one plain JavaScript module.

https://anywidget.dev/en/afm/
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

MODULE = Path(__file__).with_name("flow.js")
"""The player itself, which the site uses too."""


class FlowWidget(anywidget.AnyWidget):
    """What JupyterLab shows; ``data`` is what :func:`lab_helpers.draw.flow.flow_data` makes."""

    # As text: from a path anywidget would watch the file for changes, with a thread.
    _esm = MODULE.read_text(encoding="utf-8")
    data = traitlets.Dict().tag(sync=True)
