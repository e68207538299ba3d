"""Gradients against central differences: a script and arrays go in, a report comes out.

Read `slopes` (a slope measured, beside what a derivative says), `suspects` (which operation is to blame, and where
NaN comes from), `compare` (the whole check), then `check_report` (as text and JSON). `against` compares gradients with
formulas instead.
"""
