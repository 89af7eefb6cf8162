"""dsmrctl peak: the quarter-hour peaks of a household, as its boards see them."""

from __future__ import annotations

from dsmrctl import options
from dsmrctl.commands import peak_simulate

app = options.new_app("Quarter-hour peaks: what they were, and what the boards said of them.")
app.command()(peak_simulate.simulate)
