"""Interactive sessions, without any terminal: a line goes in, text comes out.

Read `workspace` (names and their values), `answers` (what a line is answered with), `commands` (lines that begin with
a colon), then `session`, which takes a line and chooses; `history` keeps the lines.
"""
