# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Routes | and "keys"
#     promise: You decide where an order goes.
#     part: The model
#     minutes: 20
#     objectives: [bind a queue, say what a key matches]
#     prerequisites: [00_start]
#     cluster: [break-nodes]
# ---

# %%
from IPython.display import display

VERDICT = "application/vnd.rabbitmq-labs.verdict+json"


class Lab:
    """Stands in for the real one, which needs a broker."""

    def __init__(self):
        self.bindings = {}

    def check(self, name):
        outcome, message = "incorrect", f"{sorted(self.bindings)} are bound, and should not be"
        if not self.bindings:
            outcome, message = "not-attempted", "Nothing is bound yet."
        if self.bindings == {"eu": "audit"}:
            outcome, message = "passed", "All orders arrive."
        verdict = {"exercise": name, "outcome": outcome, "message": message}
        display({VERDICT: verdict, "text/plain": f"{outcome}: {message}"}, raw=True)


lab = Lab()

# %% [markdown]
# ## The situation
# An order has a key, as in [lab 00](00_start.ipynb#The-situation).
# - first
# - second
#
# > **Predict:** Which queue gets it?
# > Choose one:
# >
# > - `audit`
# > - none
#
# > **Warning:** Keys are exact.
#
# > A plain quotation.

# %%
picture = {
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="9"/></svg>',
    "text/plain": 'exchange orders\n  --[eu & "us" *]--> <audit>',
}
display(picture, raw=True)
print("one")
print("two")

# %%
display(
    {"text/html": "<table>\n\n<tr><td>*not emphasis*</td></tr>\n\n</table>", "text/plain": "a table"},
    raw=True,
)
"""a ``` fence"""

# %% tags=["raises-exception"]
raise ValueError("no queue")

# %% [markdown]
# ## Exercise

# %% exercise="routes"
if True:
    ### BEGIN SOLUTION
    ### STUB lab.bindings = {}
    ### STUB
    ### STUB # bind "audit"
    lab.bindings = {"eu": "audit"}
    ### END SOLUTION

# %%
lab.check("routes")
