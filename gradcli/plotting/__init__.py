"""Plots of an expression of one number, and of its derivatives: in the terminal and as pictures.

Read `curves` (what is plotted, in numbers) and `scale` (what part of it shows), then `terminal` and `figure`.
"""
