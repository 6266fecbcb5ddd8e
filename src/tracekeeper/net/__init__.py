"""Why connections die, and how to prove it.

Import the modules; this file imports nothing.
"""
