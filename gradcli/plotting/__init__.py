"""Plots of an expression of one number, and of its derivatives: in the terminal and as pictures."""
