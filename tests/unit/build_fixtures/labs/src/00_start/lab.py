# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   lab:
#     title: Start here
#     promise: You send a first message.
#     part: Beginning
#     minutes: 10
#     objectives: [send a message, find the console]
# ---

# %% [markdown]
# ## The situation
# Nothing much.

# %%
print("ready")
