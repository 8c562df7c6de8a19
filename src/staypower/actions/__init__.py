"""The action list: whom to act on, how, and what past actions achieved."""
